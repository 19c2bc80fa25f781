"""Live == replay is decided field by field: each kind of difference must be seen."""

import numpy as np
import polars as pl
import pytest

from trading_platform.batch.pattern_runs import (
    Difference,
    compare,
    live_outputs,
    replay_outputs,
    revised_bars,
    signals_of_replay,
)
from trading_platform.calc.patterns.catalogue import PATTERNS
from trading_platform.wire.lake_tables import PATTERNS as PATTERNS_TABLE
from trading_platform_tests.batch.live_rows import live, replayed

NAME = PATTERNS[1].name


def differences(bars: pl.DataFrame, indicators: pl.DataFrame, signals: pl.DataFrame) -> dict[str, Difference]:
    return {one.family: one for one in compare(live_outputs(*live()), replay_outputs(bars, indicators, signals))}


def test_equal_sides_are_equal() -> None:
    found = differences(*replayed(NAME))
    assert {family: one.is_equal for family, one in found.items()} == {
        "bars": True,
        "indicators": True,
        "signals": True,
    }
    assert (found["bars"].live, found["bars"].replayed) == (3, 3)


@pytest.mark.parametrize("column", ["open", "high", "low", "close", "volume", "ticks", "flags", "record", "revision"])
def test_every_field_of_a_bar_is_compared(column: str) -> None:
    bars, indicators, signals = replayed(NAME)
    changed = bars.with_columns(pl.when(pl.int_range(pl.len()) == 0).then(pl.col(column) + 1).otherwise(column))
    found = differences(changed, indicators, signals)["bars"]
    assert (found.only_live, found.only_replayed) == (1, 1)
    assert "only live" in found.example


def test_the_last_bit_of_a_number_counts() -> None:
    bars, indicators, signals = replayed(NAME)
    bars = bars.with_columns(close=pl.Series([float(np.nextafter(1.5, 2.0)), 2.5, 1.75]))
    assert not differences(bars, indicators, signals)["bars"].is_equal


def test_unknown_is_not_zero() -> None:
    bars, indicators, signals = replayed(NAME)
    assert not differences(bars.with_columns(pl.col("volume").fill_null(0)), indicators, signals)["bars"].is_equal


def test_a_missing_row_and_a_row_twice_are_seen() -> None:
    bars, indicators, signals = replayed(NAME)
    missing = differences(bars.head(2), indicators, signals)["bars"]
    assert (missing.only_live, missing.only_replayed) == (1, 0)
    twice = differences(pl.concat([bars, bars.head(1)]), indicators, signals)["bars"]
    assert (twice.only_live, twice.only_replayed) == (0, 1)


def test_another_pattern_or_moment_is_seen() -> None:
    bars, indicators, signals = replayed(PATTERNS[2].name)
    assert not differences(bars, indicators, signals)["signals"].is_equal
    later = replayed(NAME)[2].with_columns(pl.col("known_at").dt.offset_by("1us"))
    assert not differences(bars, indicators, later)["signals"].is_equal


def test_another_baseline_version_is_seen() -> None:
    bars, indicators, signals = replayed(NAME)
    other = indicators.with_columns(pl.col("baseline_version") + 1)
    assert not differences(bars, other, signals)["indicators"].is_equal


def test_only_records_of_the_span_are_compared() -> None:
    written = live_outputs(*live())
    assert [frame.height for frame in written.between(10, 20).families.values()] == [1, 1, 1]
    assert written.between(0, 10).bars["record"].to_list() == [10]


def test_revised_bars_are_counted() -> None:
    assert revised_bars(live_outputs(*live())) == 1


def test_nothing_equals_nothing() -> None:
    empty = live_outputs(*(rows[:0] for rows in live()))
    frames = [frame.head(0) for frame in replayed(NAME)]
    assert all(one.is_equal for one in compare(empty, replay_outputs(*frames)))


def test_signals_fit_their_table_and_stop_at_a_record() -> None:
    signals = replayed(NAME)[2]
    rows = PATTERNS_TABLE.conform(signals_of_replay(signals))
    assert rows.select("pattern", "baseline_version", "feature_1").row(0) == (NAME, None, None)
    assert signals_of_replay(signals, until=19).height == 0
    assert signals_of_replay(signals, until=20).height == 1
