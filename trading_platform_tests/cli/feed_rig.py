"""The feed as a process for tests: its settings, its clock, and what its journal holds."""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import pairwise
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import orjson

from trading_platform.batch.instrument_dump import dump_csv
from trading_platform.cli.feed_limits import FeedLimits
from trading_platform.market.clock import IST, to_ns
from trading_platform.market.instruments import Instrument
from trading_platform.storage.journal import JournalReader
from trading_platform.wire.journal_records import ControlType, RecordBatch, RecordKind, decode_control
from trading_platform_tests.cli.feed_process import QUICK, ClockSource, start_feed
from trading_platform_tests.kite.exchange import GOOD_TOKEN, Exchange, number_in, wait_until

SESSION = date(2026, 7, 30)
SHARD = "k1"
LIMIT_SECONDS = 120.0
LATE = "it was not subscribed before"


def stock(number: int, name: str) -> Instrument:
    return Instrument(number * 256 + 1, number, name, name, None, 0.0, 0.05, 1, "EQ", "NSE", "NSE")


NAMES = tuple(stock(1000 + k, f"NAME{k}") for k in range(5))
TOKENS = [one.token for one in NAMES]


@dataclass(frozen=True)
class Record:
    number: int
    kind: int
    socket: int
    received_ns: int
    body: bytes

    @property
    def control(self) -> Any:
        return decode_control(self.body)

    def is_control(self, kind: ControlType) -> bool:
        return self.kind == RecordKind.CONTROL and self.control.type is kind

    @property
    def is_data(self) -> bool:
        return self.kind == RecordKind.FRAME and len(self.body) > 1


@dataclass
class FeedRig:
    """The command in a process of its own, on a clock that the test chooses."""

    folder: Path
    ws_root: str
    clock: ClockSource
    redis_url: str
    api_key: str = "secret-key"
    session: date = SESSION
    api_root: str | None = None
    process: BaseProcess | None = None
    _read: list[Record] = field(default_factory=list)

    def __post_init__(self) -> None:
        (self.data / "dumps").mkdir(parents=True)
        (self.data / "feed").mkdir()

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def dump(self) -> Path:
        return self.data / "dumps" / f"instruments_{self.session:%Y%m%d}.csv"

    @property
    def log(self) -> Path:
        return self.folder / "feed.log"

    @property
    def settings(self) -> Path:
        return self.folder / "settings.toml"

    @property
    def environment(self) -> dict[str, str]:
        return {
            "TP_SETTINGS_FILE": str(self.settings),
            "TP_DATA_DIR": str(self.data),
            "TP_REDIS_URL": self.redis_url,
            "TP_KITE_API_KEY": self.api_key,
            "TP_KITE_WS_ROOT": self.ws_root,
            **({} if self.api_root is None else {"TP_KITE_API_ROOT": self.api_root}),
        }

    def write_dump(self, instruments: Iterable[Instrument]) -> None:
        self.dump.write_bytes(dump_csv(list(instruments)))

    def write_token(self, token: str) -> None:
        fresh = self.settings.with_suffix(".fresh")
        fresh.write_text(f'kite_access_token = "{token}"\n')
        fresh.replace(self.settings)

    def write_universe(self, **lists: list[int]) -> None:
        fresh = self.data / "feed" / "fresh"
        fresh.write_bytes(orjson.dumps(lists))
        fresh.replace(self.data / "feed" / f"{SHARD}.universe.json")

    def start(self, *, until_closed: bool = False, token: str = GOOD_TOKEN, limits: FeedLimits = QUICK) -> None:
        self.write_token(token)
        self.process = start_feed(self.clock, self.log, self.environment, until_closed=until_closed, limits=limits)

    def end(self, number: int) -> int | None:
        """Send a signal; return how the process ended."""
        self.send(number)
        return self.wait()

    def send(self, number: int) -> None:
        assert self.process is not None
        assert self.process.pid is not None
        os.kill(self.process.pid, number)

    def wait(self) -> int | None:
        """Wait until the process ended by itself; return how."""
        assert self.process is not None
        self.process.join(LIMIT_SECONDS)
        code, self.process = self.process.exitcode, None
        return code

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.join()

    def snapshot(self) -> dict[str, Any]:
        path = self.data / "feed" / f"{SHARD}.json"
        parsed: dict[str, Any] = orjson.loads(path.read_bytes()) if path.exists() else {}
        return parsed

    def waiting(self) -> str:
        return self.snapshot().get("waiting") or ""

    def reader(self) -> JournalReader:
        return JournalReader(self.data / "journal", SHARD, self.session)

    def records(self) -> list[Record]:
        reader = self.reader()
        while len(batch := reader.read(len(self._read), 1 << 20)):
            for row in range(len(batch)):
                at = batch.table[row]
                record = Record(at["number"], at["kind"], at["socket"], int(at["received_ns"]), batch.body(row))
                self._read.append(record)
        reader.close()
        return self._read

    def controls(self, kind: ControlType) -> list[Record]:
        return [record for record in self.records() if record.is_control(kind)]

    def gaps(self) -> list[Record]:
        """The gaps but for those of sockets that were subscribed for the first time when trade was under way."""
        return [one for one in self.controls(ControlType.GAP) if one.control.fields["reason"] != LATE]

    def subscriptions(self) -> list[list[int]]:
        return [orjson.loads(self.reader().blob(one.control.sha256)) for one in self.controls(ControlType.SUBSCRIBED)]

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait for something while the process runs."""
        wait_until(lambda: self.running() and condition(), LIMIT_SECONDS)

    def running(self) -> bool:
        assert self.process is not None
        assert self.process.is_alive(), self.log.read_text()
        return True


@dataclass
class NumberedFeed(FeedRig):
    """A feed of the server that numbers its frames."""

    exchange: Exchange = field(default_factory=Exchange)

    def numbers(self) -> list[int]:
        return [number_in(record.body) for record in self.records() if record.is_data]

    def wait_for_frames(self, count: int) -> None:
        """Wait until so many frames are recorded that were sent from now on."""
        before = self.exchange.number
        self.wait_until(lambda: len(self.numbers()) >= count and self.numbers()[-count] > before)


class Records:
    """The journal as the pass reads it."""

    def __init__(self, feed: FeedRig) -> None:
        self._reader = feed.reader()

    def read(self, after: int, max_bytes: int, wait_seconds: float) -> RecordBatch:  # noqa: ARG002
        return self._reader.read(after, max_bytes)

    def blob(self, sha256: str) -> bytes:
        return self._reader.blob(sha256)


def at(hour: int, minute: int) -> int:
    return to_ns(datetime(SESSION.year, SESSION.month, SESSION.day, hour, minute, tzinfo=IST))


def runs_missing(kept: list[int]) -> list[tuple[int, int]]:
    """The gaps in a run of numbers: last before, first after."""
    return [(before, after) for before, after in pairwise(kept) if after != before + 1]
