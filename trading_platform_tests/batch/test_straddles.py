"""What all strikes of the nearest expiry traded, counted by plain loops."""

from datetime import date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from trading_platform.batch.straddles import TOTALS, legs_of_symbols, straddle_totals, with_straddle_totals
from trading_platform.market.clock import IST

DAYS = (date(2026, 7, 29), date(2026, 7, 30))
OPEN = datetime(2026, 7, 30, 9, 15, tzinfo=IST)
NEAR = ("NIFTY2680624000CE", "NIFTY2680624000PE", "NIFTY2680624100CE", "NIFTY2680624100PE", "NIFTY2680624200CE")
FAR = ("NIFTY26AUG24000CE", "NIFTY26AUG24000PE")
OTHER = ("TCS26AUG3200CE", "TCS26AUG3200PE")


@pytest.mark.parametrize(
    ("symbol", "leg"),
    [
        ("NIFTY2680624000CE", ("NIFTY", 260806, 24000.0, "CE")),
        ("NIFTY26AUG24000PE", ("NIFTY", 260899, 24000.0, "PE")),
        ("NIFTYNXT5026O1560000CE", ("NIFTYNXT50", 261015, 60000.0, "CE")),
        ("M&M26DEC3012.5PE", ("M&M", 261299, 3012.5, "PE")),
        ("RELIANCE", None),
        ("NIFTY26AUGFUT", None),
        ("ONLYPE", None),
        ("ABC26XYZ100CE", None),
    ],
)
def test_a_symbol_tells_its_leg(symbol: str, leg: tuple[object, ...] | None) -> None:
    found = legs_of_symbols(pl.Series([symbol, symbol])).drop("symbol").rows()
    assert found == ([] if leg is None else [leg])


def made() -> pl.DataFrame:
    """Return minutes of options, of which some have no bar and some no known volume."""
    random = np.random.default_rng(5)
    rows = []
    for day in DAYS:
        for symbol in (*NEAR, *FAR, *OTHER, "TCS"):
            for minute in range(30):
                if random.random() < 0.4:
                    continue
                start = datetime(day.year, day.month, day.day, 9, 15, tzinfo=IST) + timedelta(minutes=minute)
                rows.append((day, symbol, start, None if random.random() < 0.1 else int(random.integers(0, 90))))
    schema = {"session": pl.Date, "symbol": pl.String, "start": pl.Datetime("us", "Asia/Kolkata"), "volume": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def plain(bars: pl.DataFrame, pairs: list[tuple[str, str]], end: datetime) -> int | None:
    """Add up what both legs traded before `end`, of those pairs that both have traded by then."""
    total = None
    for pair in pairs:
        traded = [
            [
                volume
                for day, symbol, start, volume in bars.iter_rows()
                if symbol == leg and day == end.date() and start < end and volume is not None
            ]
            for leg in pair
        ]
        if all(traded):
            total = (total or 0) + sum(map(sum, traded))
    return total


def test_every_row_has_the_total_at_the_end_of_its_bar() -> None:
    bars = made()
    near = [(NEAR[0], NEAR[1]), (NEAR[2], NEAR[3])]
    minutes = bars.select("symbol", "start", interval=pl.lit(1))
    fives = pl.DataFrame({"symbol": [NEAR[4], "TCS"], "start": [OPEN, OPEN], "interval": [5, 5]}, schema=minutes.schema)
    rows = with_straddle_totals(pl.concat([minutes, fives]), bars)
    assert rows.select("symbol", "start", "interval").equals(pl.concat([minutes, fives]))
    for symbol, start, interval, told in rows.sample(80, seed=2).vstack(rows.tail(2)).iter_rows():
        pairs = near if symbol in NEAR else [OTHER] if symbol in (*OTHER, "TCS") else []
        assert told == plain(bars, [(a, b) for a, b in pairs], start + timedelta(minutes=interval)), (symbol, start)


def test_without_a_pair_there_is_no_total() -> None:
    lone = made().filter(pl.col("symbol") == NEAR[4])
    rows = with_straddle_totals(lone.select("symbol", "start", interval=pl.lit(5)), lone)
    assert rows[TOTALS].null_count() == rows.height > 0
    none = made().filter(pl.col("symbol") == "TCS")
    assert (
        with_straddle_totals(none.select("symbol", "start", interval=pl.lit(1)), none)[TOTALS].null_count()
        == none.height
    )


def test_totals_never_fall_and_begin_anew_each_session() -> None:
    bars = made()
    legs = legs_of_symbols(bars["symbol"])
    totals = straddle_totals(bars.join(legs, on="symbol"))
    assert set(totals["underlying"]) == {"NIFTY", "TCS"}
    assert set(totals.filter(underlying="NIFTY")["expiry"]) == {260806}
    for part in totals.partition_by("session", "underlying"):
        assert part[TOTALS].is_sorted()
        known = bars.filter(pl.col("session") == part["session"][0])["volume"].sum()
        assert part[TOTALS][-1] < known
