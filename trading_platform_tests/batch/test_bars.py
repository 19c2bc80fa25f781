"""Minute bars: the highest revision stands, longer bars are made of whichever minutes there are."""

from datetime import date, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_platform.batch.bars import (
    bars_of_import,
    bars_of_replay,
    history,
    import_bars,
    latest_revisions,
    longer_bars,
    missing_bars,
)
from trading_platform.errors import BadFileError, MissingInput
from trading_platform.wire.lake_tables import MINUTE_BARS
from trading_platform_tests.batch.lake_rows import INFY, SESSION, TCS, instruments, minute_bars, moment
from trading_platform_tests.batch.memory_lake import MemoryLake


def file_bars(*rows: tuple[str, date, int, float, int | None]) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "symbol": symbol,
                "ts": moment(day, 9, minute),
                "open": price,
                "high": price,
                "low": price,
                "close": price,
                "volume": volume,
            }
            for symbol, day, minute, price, volume in rows
        ]
    )


def test_import_writes_whole_sessions_apart() -> None:
    lake, other = MemoryLake(), date(2026, 7, 29)
    bars = file_bars(("INFY", SESSION, 15, 1.0, 5), ("INFY", other, 15, 2.0, 6), ("TCS", SESSION, 16, 3.0, None))
    assert import_bars(bars, "file", lake) == {other: 1, SESSION: 2}
    held = lake.read_sessions("imported_bars", [SESSION]).sort("symbol")
    assert held["source"].to_list() == ["file", "file"]
    assert held["volume"].to_list() == [5, None]


def test_import_refuses_an_unknown_source() -> None:
    with pytest.raises(BadFileError, match="not as 'ticks'"):
        import_bars(file_bars(("INFY", SESSION, 15, 1.0, 5)), "ticks", MemoryLake())


def test_imported_bars_get_the_token_of_their_session() -> None:
    lake = MemoryLake()
    import_bars(file_bars(("INFY", SESSION, 15, 1.0, 5), ("GONE", SESSION, 15, 1.0, 5)), "file", lake)
    rows = bars_of_import(lake.read_sessions("imported_bars", [SESSION]), instruments())
    found = dict(MINUTE_BARS.conform(rows).select("symbol", "token").iter_rows())
    assert found == {"INFY": INFY, "GONE": None}


def test_imported_bars_without_a_dump_have_no_token() -> None:
    lake = MemoryLake()
    import_bars(file_bars(("INFY", SESSION, 15, 1.0, 5)), "synthetic", lake)
    rows = MINUTE_BARS.conform(bars_of_import(lake.read_sessions("imported_bars", [SESSION]), None))
    assert rows.select("token", "segment", "ticks", "flags", "record").row(0) == (None,) * 5
    assert rows["source"][0] == "synthetic"


def test_a_symbol_in_two_segments_is_not_guessed() -> None:
    lake = MemoryLake()
    import_bars(file_bars(("INFY", SESSION, 15, 1.0, 5)), "file", lake)
    both = pl.concat([instruments(INFY=INFY), instruments(INFY=INFY + 3)])
    rows = bars_of_import(lake.read_sessions("imported_bars", [SESSION]), both)
    assert rows["token"].to_list() == [None]


def test_replayed_bars_keep_the_highest_revision_of_one_minute_bars() -> None:
    first = minute_bars(SESSION, INFY, "INFY", closes=[10.0, 11.0]).drop("segment", "source")
    late = first.head(1).with_columns(revision=pl.lit(1, pl.Int32), close=pl.lit(99.0), record=pl.lit(7, pl.Int64))
    one = pl.concat([first, late]).with_columns(interval=pl.lit(1))
    five = first.head(1).with_columns(interval=pl.lit(5))
    rows = MINUTE_BARS.conform(bars_of_replay(pl.concat([one, five])))
    assert rows.sort("start").select("close", "revision", "segment", "source").rows() == [
        (99.0, 1, "NSE", "ticks"),
        (11.0, 0, "NSE", "ticks"),
    ]


def test_revisions_of_other_kinds_are_apart() -> None:
    bars = pl.concat(
        [
            minute_bars(SESSION, INFY, "INFY", closes=[1.0], kind=kind).with_columns(interval=pl.lit(1))
            for kind in (0, 1)
        ]
    )
    assert latest_revisions(bars).height == 2


def test_longer_bars_by_hand() -> None:
    minutes = pl.concat(
        [
            minute_bars(SESSION, INFY, "INFY", closes=[10.0, 14.0, 8.0, 11.0, 12.0, 20.0], volumes=[1, 2, 3, 4, 5, 6]),
            minute_bars(SESSION, TCS, "TCS", closes=[5.0], volumes=[None], first=(9, 19)),
            minute_bars(SESSION, TCS, "TCS", closes=[77.0], volumes=[9], first=(9, 8), kind=1),
        ]
    )
    rows = longer_bars(minutes, 5).select("token", "start", "open", "high", "low", "close", "volume").rows()
    assert rows == [
        (INFY, moment(SESSION, 9, 15), 10.0, 15.0, 7.0, 12.0, 15),
        (INFY, moment(SESSION, 9, 20), 20.0, 21.0, 19.0, 20.0, 6),
        (TCS, moment(SESSION, 9, 15), 5.0, 6.0, 4.0, 5.0, None),
    ]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 59), st.floats(1, 1000), st.none() | st.integers(0, 9)), max_size=40))
def test_longer_bars_equal_a_loop_over_minutes(drawn: list[tuple[int, float, int | None]]) -> None:
    by_minute = {minute: (price, volume) for minute, price, volume in drawn}
    frames = [
        minute_bars(SESSION, INFY, "INFY", closes=[price], volumes=[volume], first=(10, minute))
        for minute, (price, volume) in by_minute.items()
    ]
    expected = []
    for slot in range(12):
        inside = [by_minute[m] for m in range(slot * 5, slot * 5 + 5) if m in by_minute]
        if inside:
            prices, known = [price for price, _ in inside], [v for _, v in inside if v is not None]
            total = sum(known) if known else None
            start = moment(SESSION, 10, 0) + timedelta(minutes=slot * 5)
            expected.append((start, prices[0], max(prices) + 1.0, min(prices) - 1.0, prices[-1], total))
    if frames:
        columns = ["start", "open", "high", "low", "close", "volume"]
        assert longer_bars(pl.concat(frames), 5).select(columns).rows() == expected


def test_history_names_what_is_missing() -> None:
    lake, other = MemoryLake(), date(2026, 7, 29)
    with pytest.raises(MissingInput, match="none of the 2 sessions before"):
        history(lake, [other, SESSION])
    lake.write_session("minute_bars", other, minute_bars(other, INFY, "INFY", closes=[1.0]))
    bars, found, missing = history(lake, [other, SESSION])
    assert (bars.height, found, missing) == (1, [other], [SESSION])


def test_missing_bars_say_what_to_do() -> None:
    assert "2026-07-30: shard k1 has no journal" in str(missing_bars(SESSION, "k1"))
