"""The source of the end-to-end benches: the simulated exchange on loopback and the feed, each in its own process."""

from typing import Any

import numpy as np
import orjson
import polars as pl
import requests

from trading_platform.cli.bench_load import WARM_UP_SECONDS, Load
from trading_platform.cli.bench_stack import SESSION, SHARD, Stack
from trading_platform.cli.feed_clock import published_clock
from trading_platform.cli.play_inputs import read_input, sessions_of_files
from trading_platform.cli.play_records import write_dump
from trading_platform.market.clock import IST, NS_PER_SECOND, Clock, elapsed_ns, pause
from trading_platform.market.instruments import InstrumentDay
from trading_platform.market.sessions import load_session_table
from trading_platform.simulator.exchange.accounts import Credentials

_START_SECONDS, _SETTLE_SECONDS, _DRAIN_SECONDS = 60, 0.2, 20
_ASK_SECONDS, _ANSWER_SECONDS = 0.2, 30.0
_USUAL = Credentials()


class FeedSource:
    """Starts the exchange on bars that it makes, and the feed on the exchange's clock."""

    def __init__(self) -> None:
        self._rest = ""
        self._told: dict[str, Any] = {}

    def prepare(self, stack: Stack, load: Load) -> None:
        """Start the exchange with its clock held, and write the day's dump."""
        minutes = 2 + int(_START_SECONDS + WARM_UP_SECONDS + load.seconds) // 60
        bars = stack.root / "bars.parquet"
        random_bars(load.instruments, minutes).write_parquet(bars)
        table = load_session_table()
        given = next(sessions_of_files(read_input(bars, [], table), table))
        write_dump(stack.settings.dumps_dir, InstrumentDay(given.session, given.instruments))
        stack.start(
            "simulate", "simulate", "--bars", str(bars), "--at", "09:15", "--hold",
            "--packets-per-second", str(load.packets_per_second), "--packets-per-frame", str(load.packets_per_frame),
        )  # fmt: skip
        addresses = dict(line.split() for line in stack.wait_for_line("simulate", "websocket").splitlines())
        self._rest = addresses["rest"]
        (stack.settings.data_dir / "settings.toml").write_text(
            f'kite_ws_root = "{addresses["websocket"]}"\n'
            f'kite_api_key = "{_USUAL.api_key}"\nkite_access_token = "{_USUAL.access_token}"\n'
        )

    def begin(self, stack: Stack, load: Load) -> Clock:
        """Start the feed, whose subscription starts the exchange's clock; wait until all sockets carry frames."""
        clock = f"{self._rest}/simulator/clock"
        stack.start("feed", "feed", "--clock", clock)
        sockets = -(-load.instruments // 3000)
        stack.wait("a frame on every socket", lambda: len([one for one in self._sent() if one["frames"]]) == sockets)
        return published_clock(clock)

    def finish(self, stack: Stack) -> list[str]:
        """Stop the exchange from sending, let the feed record what is under way, and stop it."""
        begun = self._sent()
        requests.post(f"{self._rest}/simulator/faults", json={"kind": "stall"}, timeout=_ANSWER_SECONDS)
        pause(_SETTLE_SECONDS)  # what was being sent when it stopped counts too
        sent = self._sent()
        snapshot = self._drained(stack, _messages(sent))
        stack.children.stop("feed")
        self._told = {
            "exchange_lag_ms": round(max(one["lag_ms"] for one in begun), 1),
            "feed_queue_peak_bytes": snapshot["queue"]["peak_bytes"],
            "lost": snapshot["lost"],
            "gaps": snapshot["gaps"],
            "reconnects": len(sent) - len({one["socket"] for one in snapshot["sockets"]}),
        }
        return sorted(one["sha256"] for one in sent)

    def _drained(self, stack: Stack, messages: int) -> dict[str, Any]:
        """Wait until the feed has recorded so many messages, within a limit; return what it says of itself."""
        limit = elapsed_ns() + _DRAIN_SECONDS * NS_PER_SECOND
        while True:
            snapshot: dict[str, Any] = orjson.loads((stack.settings.feed_dir / f"{SHARD}.json").read_bytes())
            if _messages(snapshot["sockets"]) >= messages or elapsed_ns() > limit:
                return snapshot
            pause(_ASK_SECONDS)

    def told(self) -> dict[str, Any]:
        """Return how late the exchange was, and what the feed measured and lost."""
        return self._told

    def _sent(self) -> list[dict[str, Any]]:
        answer = requests.get(f"{self._rest}/simulator/sent", timeout=_ANSWER_SECONDS)
        found: list[dict[str, Any]] = orjson.loads(answer.content)["data"]["sockets"]
        return found


def _messages(sockets: list[dict[str, Any]]) -> int:
    return sum(int(one["frames"]) + int(one["heartbeats"]) for one in sockets)


def random_bars(instruments: int, minutes: int) -> pl.DataFrame:
    """Make minute bars of random walks from 09:15 on, the same at every call."""
    random = np.random.default_rng(1)
    paise = random.integers(20_000, 300_000, instruments) + 5 * random.integers(-20, 21, (minutes, instruments)).cumsum(
        0
    )
    opens = np.vstack([paise[:1], paise[:-1]]).ravel()
    closes = paise.ravel()
    begin = pl.datetime(SESSION.year, SESSION.month, SESSION.day, 9, 15, time_zone=str(IST))
    minute = np.repeat(np.arange(minutes), instruments)
    return pl.DataFrame(
        {
            "symbol": [f"B{number:04d}" for number in range(instruments)] * minutes,
            "minute": minute,
            "open": opens / 100,
            "high": (np.maximum(opens, closes) + 5) / 100,
            "low": (np.minimum(opens, closes) - 5) / 100,
            "close": closes / 100,
            "volume": random.integers(100, 100_000, minutes * instruments),
        }
    ).select("symbol", (begin + pl.duration(minutes="minute")).alias("ts"), "open", "high", "low", "close", "volume")
