"""A backfill asks for what is missing once, goes on after failures, and loses nothing when it is stopped."""

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from trading_platform.batch.backfill import Backfill, BackfillLimits
from trading_platform.batch.backfill_pieces import Pieces
from trading_platform.errors import AccessRefused, BrokerError, PlatformError, RequestRefused
from trading_platform.market.sessions import load_session_table
from trading_platform.wire.lake_tables import INSTRUMENTS
from trading_platform_tests.batch.backfill_rows import (
    ALPHA,
    AT,
    INDEX,
    MONDAY,
    TUESDAY,
    WEDNESDAY,
    WEEK,
    Answers,
    second,
)
from trading_platform_tests.batch.memory_lake import MemoryLake

TABLE = load_session_table()
QUICK = BackfillLimits(first_pause_seconds=0.001, longest_pause_seconds=0.002, most_failures=4, flush_answers=1)


class Rig:
    """A backfill into memory; what it said is in `told`."""

    def __init__(self, tmp_path: Path) -> None:
        self.lake, self.told, self._folder = MemoryLake(), [], tmp_path

    def work(self, source: Answers) -> Backfill:
        return Backfill(self.lake, source, Pieces(self._folder), TABLE, lambda: AT, self.told.append, QUICK)


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def failing(*numbers: int, error: type[PlatformError] = BrokerError) -> Callable[[int], PlatformError | None]:
    return lambda asked: error("told why") if asked in numbers else None


def test_every_instrument_is_asked_for_once_over_all_its_sessions(rig: Rig) -> None:
    source = Answers()
    told = rig.work(source).run([ALPHA, INDEX], WEEK)
    span = (second(MONDAY, 0, 0), second(date(2026, 7, 30), 0, 0))
    assert source.asked == [(ALPHA.token, *span), (INDEX.token, *span)]
    assert (told.requests, told.candles, told.changed) == (2, 12, list(WEEK))
    assert rig.lake.counts("historical_bars") == dict.fromkeys(WEEK, 4)
    assert set(told.gaps["outcome"]) == {"partial"}
    assert told.lacking.is_empty()


def test_what_is_there_is_not_asked_again_unless_it_is_wanted(rig: Rig) -> None:
    rig.work(Answers()).run([ALPHA], WEEK[:2])
    source = Answers()
    told = rig.work(source).run([ALPHA, INDEX], WEEK)
    assert [(token, begin) for token, begin, _ in source.asked] == [
        (ALPHA.token, second(WEDNESDAY, 0, 0)),
        (INDEX.token, second(MONDAY, 0, 0)),
    ]
    assert told.gaps.height == 6
    again = Answers()
    rig.work(again).run([ALPHA], WEEK, since=AT + timedelta(seconds=1))
    assert len(again.asked) == 1
    # an answer of that moment, or a later one, is one
    rig.work(again).run([ALPHA], WEEK, since=AT)
    assert len(again.asked) == 1
    assert rig.lake.counts("historical_bars") == dict.fromkeys(WEEK, 4)


def test_a_failure_is_waited_out(rig: Rig) -> None:
    source = Answers(failing(1, 2, 3))
    told = rig.work(source).run([ALPHA], WEEK)
    assert (len(source.asked), told.failures, told.candles) == (4, 3, 6)
    assert sum("asking again in" in line for line in rig.told) == 3


@pytest.mark.parametrize(
    ("fail", "error", "asked"),
    [
        (failing(2, 3, 4, 5), BrokerError, 5),  # the fourth in a row ends it
        (failing(2, error=AccessRefused), AccessRefused, 2),  # a token does not get better
    ],
)
def test_what_came_before_the_end_is_in_the_lake_and_the_next_goes_on(
    rig: Rig, fail: Callable[[int], PlatformError | None], error: type[PlatformError], asked: int
) -> None:
    source = Answers(fail)
    with pytest.raises(error, match="told why"):
        rig.work(source).run([ALPHA, INDEX], WEEK)
    assert len(source.asked) == asked
    assert rig.lake.counts("historical_bars") == dict.fromkeys(WEEK, 2)
    rest = Answers()
    rig.work(rest).run([ALPHA, INDEX], WEEK)
    assert [token for token, *_ in rest.asked] == [INDEX.token]


def test_a_killed_backfill_goes_on_where_it_was(rig: Rig) -> None:
    class Killed(BaseException):
        """Not one of ours: nothing is put in order."""

    source = Answers(lambda asked: (_ for _ in ()).throw(Killed()) if asked == 2 else None)
    work = rig.work(source)
    with pytest.raises(Killed), pytest.MonkeyPatch.context() as patch:
        patch.setattr(Pieces, "settle", lambda *_: {})
        work.run([ALPHA, INDEX], WEEK)
    assert rig.lake.held == {}
    rest = Answers()
    told = rig.work(rest).run([ALPHA, INDEX], WEEK)
    assert [token for token, *_ in rest.asked] == [INDEX.token]
    assert told.changed == list(WEEK)
    assert rig.lake.counts("historical_bars") == dict.fromkeys(WEEK, 4)


def test_an_instrument_that_kite_refuses_is_named_and_does_not_cost_the_others(rig: Rig) -> None:
    source = Answers(failing(1, error=RequestRefused))
    told = rig.work(source).run([ALPHA, INDEX], WEEK)
    assert told.lacking.select("symbol", "outcome", "reason").unique().rows() == [("ALPHA", "refused", "told why")]
    assert told.lacking["session"].to_list() == list(WEEK)
    rest = Answers()
    rig.work(rest).run([ALPHA], WEEK)
    assert rest.asked == []


def test_what_the_dump_of_a_session_does_not_list_is_not_asked_for(rig: Rig) -> None:
    listed = pl.DataFrame({"session": [MONDAY], "token": [INDEX.token], "symbol": [INDEX.symbol]})
    schema = {name: pl.lit(None) for name in INSTRUMENTS.schema if name not in listed.columns}
    rig.lake.write_session("instruments", MONDAY, listed.with_columns(**schema))
    source = Answers()
    told = rig.work(source).run([ALPHA], WEEK)
    assert [begin for _, begin, _ in source.asked] == [second(TUESDAY, 0, 0)]
    assert told.gaps.filter(pl.col("outcome") == "not_listed")["session"].to_list() == [MONDAY]
    assert told.lacking.is_empty()
