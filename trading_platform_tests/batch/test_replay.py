from datetime import date

import numpy as np
import polars as pl
import pytest

from trading_platform.batch.replay import replay_session
from trading_platform.errors import EngineError, MissingInput
from trading_platform.wire.journal_records import RecordBatch, empty_batch
from trading_platform_tests.calc.feeding import CASH, DAY, Feeding, at, tick

OPEN = at("09:15:00")


class Records:
    """A journal in memory that gives three records at a time."""

    def __init__(self, feeding: Feeding) -> None:
        self._feeding = feeding
        self._all = feeding.batch()

    def read(self, after: int, *_: object) -> RecordBatch:
        rows = self._all.table[self._all.table["number"] > after][:3]
        return RecordBatch(self._all.buffer, rows) if len(rows) else empty_batch()

    def blob(self, sha256: str) -> bytes:
        return self._feeding.blob(sha256)


def journal(seconds: int = 150) -> Feeding:
    feeding = Feeding().opened()
    for second in range(0, seconds, 10):
        feeding.frame(OPEN + second + 0.3, tick(CASH, 100.0 + second / 10, second, OPEN + second))
    return feeding.closed(OPEN + seconds)


def test_a_session_becomes_frames_with_symbols_and_times_of_india() -> None:
    feeding = journal()
    result = replay_session(Records(feeding), DAY)
    assert (result.last_record, result.closed, result.session) == (len(feeding.records), True, DAY)
    minutes = result.bars.filter(pl.col("interval") == 1)
    assert minutes["symbol"].to_list() == ["CASH"] * 3
    assert [moment.strftime("%H:%M %z") for moment in minutes["start"]] == ["09:15 +0530", "09:16 +0530", "09:17 +0530"]
    assert minutes["volume"].to_list() == [50, 60, 30]
    assert result.indicators["ema_20"].null_count() == result.indicators.height
    assert result.signals.height == 0
    assert result.counters["packets"] == 15


def test_twice_is_the_same_and_batches_do_not_matter() -> None:
    feeding = journal()
    result = replay_session(Records(feeding), DAY)
    assert result.digest == replay_session(Records(feeding), DAY).digest == feeding.run().state.digest()


def test_another_price_gives_another_digest() -> None:
    other = Feeding().opened()
    for second in range(0, 150, 10):
        price = 100.0 + second / 10 + (0.05 if second == 70 else 0.0)
        other.frame(OPEN + second + 0.3, tick(CASH, price, second, OPEN + second))
    other.closed(OPEN + 150)
    assert replay_session(Records(other), DAY).digest != replay_session(Records(journal()), DAY).digest


def test_it_stops_where_it_is_told_and_says_how_far_it_is() -> None:
    told: list[int] = []
    result = replay_session(Records(journal()), DAY, until=10, progress=told.append)
    assert (result.last_record, result.closed, told) == (10, False, [3, 6, 9, 10])


def test_a_lost_record_is_refused_unless_tolerated() -> None:
    feeding = journal()
    del feeding.records[12]
    with pytest.raises(EngineError, match="record 14 follows 12"):
        replay_session(Records(feeding), DAY)
    result = replay_session(Records(feeding), DAY, tolerant=True)
    assert result.counters["missing_records"] == 1
    assert np.any(result.bars["flags"].to_numpy() & 2)


def test_no_journal_is_missing_input() -> None:
    with pytest.raises(MissingInput, match="2026-07-31"):
        replay_session(Records(Feeding()), date(2026, 7, 31))
