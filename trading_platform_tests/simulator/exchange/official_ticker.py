"""The official KiteTicker as a process of its own: twisted's reactor runs once. Prints one JSON line an event.

Its one argument is an object: `root`, `token`, and where wanted `calls` (each time it connects: [delay in seconds,
method, arguments], a delay of zero is at once, as in the client's own example), `slow_seconds` (of work in on_ticks)
and `status_seconds` (how often it says whether it is connected).
"""

import json
import sys
import time
from typing import Any

from kiteconnect import KiteTicker
from twisted.internet import reactor, task


def say(event: str, **facts: Any) -> None:
    sys.stdout.write(json.dumps({"event": event, "at_ns": time.monotonic_ns(), **facts}, default=str) + "\n")
    sys.stdout.flush()


def main(plan: dict[str, Any]) -> None:
    ticker = KiteTicker("simulator", plan["token"], root=plan["root"])

    def connected(ws: KiteTicker, _response: object) -> None:
        say("connect")
        for delay, name, arguments in plan.get("calls", []):
            if delay:
                reactor.callLater(delay, getattr(ws, name), *arguments)
            else:
                getattr(ws, name)(*arguments)

    def take(_ws: KiteTicker, ticks: list[dict[str, Any]]) -> None:
        say("ticks", ticks=ticks)
        time.sleep(plan.get("slow_seconds", 0.0))

    ticker.on_connect = connected
    ticker.on_ticks = take
    ticker.on_message = lambda _ws, payload, binary: say("message", binary=binary, payload=payload.hex())
    ticker.on_close = lambda _ws, code, reason: say("close", code=code, reason=str(reason))
    ticker.on_error = lambda _ws, code, reason: say("error", code=code, reason=str(reason))
    ticker.on_reconnect = lambda _ws, attempts: say("reconnect", attempts=attempts)
    ticker.on_order_update = lambda _ws, data: say("order", data=data)
    if "status_seconds" in plan:
        task.LoopingCall(lambda: say("status", connected=ticker.is_connected())).start(plan["status_seconds"])
    ticker.connect()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
