"""Runs `trading-platform feed` as a process of its own on a clock that a file says: CLOCK.json [arguments]."""

import sys
from pathlib import Path

import orjson

from trading_platform.cli.engine import Stop
from trading_platform.cli.feed import FeedWorker
from trading_platform.kite import key_gate
from trading_platform.market.clock import Clock
from trading_platform.settings import load_settings


def main() -> None:
    path = Path(sys.argv[1])
    key_gate.KeyGate.__init__.__kwdefaults__["check_seconds"] = 0.5  # type: ignore[index]
    worker = FeedWorker(load_settings(), Stop(), lambda: Clock(**orjson.loads(path.read_bytes())))
    worker.run(until_closed="--until-closed" in sys.argv)


if __name__ == "__main__":
    main()
