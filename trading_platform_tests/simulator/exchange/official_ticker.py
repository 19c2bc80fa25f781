"""The official KiteTicker as a process of its own: twisted's reactor runs once. Prints one JSON line an event."""

import json
import sys
from typing import Any

from kiteconnect import KiteTicker
from twisted.internet import reactor


def say(event: str, **facts: Any) -> None:
    sys.stdout.write(json.dumps({"event": event, **facts}, default=str) + "\n")
    sys.stdout.flush()


def main(root: str, token: str, calls: str, seconds: str) -> None:
    ticker = KiteTicker("simulator", token, root=root)

    def connected(ws: KiteTicker, _response: object) -> None:
        say("connect")
        for delay, name, arguments in json.loads(calls):
            reactor.callLater(delay, getattr(ws, name), *arguments)

    ticker.on_connect = connected
    ticker.on_ticks = lambda _ws, ticks: say("ticks", ticks=ticks)
    ticker.on_message = lambda _ws, payload, binary: say("message", binary=binary, payload=payload.hex())
    ticker.on_close = lambda _ws, code, reason: say("close", code=code, reason=str(reason))
    ticker.on_error = lambda _ws, code, reason: say("error", code=code, reason=str(reason))
    ticker.on_reconnect = lambda _ws, attempts: say("reconnect", attempts=attempts)
    ticker.on_order_update = lambda _ws, data: say("order", data=data)
    reactor.callLater(float(seconds), reactor.stop)
    ticker.connect()


if __name__ == "__main__":
    main(*sys.argv[1:])
