"""Profiles of a session from its ticks, its bars and what earlier sessions say, worked out by hand."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest

from trading_platform.batch.profile_ticks import COLUMNS
from trading_platform.batch.quality import profiles_sound
from trading_platform.batch.session_profiles import Day, Past, past_sessions, session_profiles, tick_sizes_of
from trading_platform.market.corporate_actions import CorporateAction, CorporateActions
from trading_platform.market.sessions import load_session_table
from trading_platform.wire.lake_tables import VOLUME_PROFILES
from trading_platform_tests.batch.lake_rows import INFY, NIFTY, SESSION, TCS, instruments, minute_bars, moment

NS = 1_000_000_000
BEFORE = SESSION - timedelta(days=1)
NO_DAYS = pl.DataFrame(
    schema={
        "symbol": pl.String, "segment": pl.String, "session": pl.Date,
        "high": pl.Float64, "low": pl.Float64, "close": pl.Float64,
    }
)  # fmt: skip
NO_PROFILES = VOLUME_PROFILES.schema.to_frame()


def day(*actions: CorporateAction) -> Day:
    return Day(SESSION, load_session_table(), tick_sizes_of(instruments()), CorporateActions(actions))


def ticks(*rows: tuple[str, float, int], token: int = INFY) -> pl.DataFrame:
    """Return ticks (time of the exchange, price, volume of the day so far) in the order of their arrival."""
    made = []
    for place, (clock, price, volume) in enumerate(rows):
        hour, minute, second = (int(part) for part in clock.split(":"))
        at = int((moment(SESSION, hour, minute) + timedelta(seconds=second)).timestamp()) * NS
        made.append((token, place, 0, at + NS, at, price, volume))
    return pl.DataFrame(made, schema=list(COLUMNS), orient="row")


def bars(volumes: Sequence[int | None], token: int = INFY, symbol: str = "INFY", **more: Any) -> pl.DataFrame:
    return minute_bars(SESSION, token, symbol, closes=[100.0] * len(volumes), volumes=list(volumes), **more)


def of_ticks(frame: pl.DataFrame, minutes: pl.DataFrame) -> dict[str, Any]:
    rows = session_profiles(minutes, day(), Past(NO_DAYS, NO_PROFILES), lambda tokens: _of(frame, tokens))
    return rows.row(0, named=True)


def _of(frame: pl.DataFrame, tokens: Sequence[int]) -> pl.DataFrame:
    return frame.filter(pl.col("token").is_in(list(tokens)))


def volumes_of(row: dict[str, Any]) -> dict[float, float]:
    """Return volume by the lower edge of its row."""
    made = {
        round(row["histogram_from"] + place * row["row_size"], 4): volume
        for place, volume in enumerate(row["histogram"])
    }
    return {price: volume for price, volume in made.items() if volume}


def test_each_tick_trades_at_its_price() -> None:
    found = of_ticks(
        ticks(
            ("09:15:01", 100.0, 10),
            ("09:15:20", 100.1, 40),
            ("09:15:10", 99.0, 30),  # came late: what it tells has been counted
            ("09:16:02", 100.0, 45),
            ("10:15:02", 100.2, 50),
        ),
        pl.concat([bars([40, 5]), bars([5], first=(10, 15))]),
    )
    assert (found["method"], found["entries"], found["volume"]) == ("ticks", 4, 50)
    # the range of the bars is 98 of 101 rupees wide: 41 ticks, a row each
    assert volumes_of(found) == {100.0: 15.0, 100.1: 30.0, 100.2: 5.0}
    assert (found["poc"], found["ib_low"], found["ib_high"]) == (100.1, 100.0, 100.1)


def test_a_first_volume_of_before_the_subscription_is_no_trade() -> None:
    late = ticks(("09:15:01", 100.0, 1000), ("09:15:20", 100.1, 1040))
    assert volumes_of(of_ticks(late, bars([40]))) == {100.1: 40.0}


def test_an_auction_is_in_no_row() -> None:
    made = ticks(("09:07:00", 100.0, 700), ("09:15:20", 100.1, 740))
    minutes = pl.concat([bars([700], first=(9, 7), kind=1), bars([40])])
    found = of_ticks(made, minutes)
    assert (volumes_of(found), found["auction_volume"]) == ({100.1: 40.0}, 700)
    found = session_profiles(minutes, day(), Past(NO_DAYS, NO_PROFILES), None).row(0, named=True)
    assert (found["method"], found["volume"], found["auction_volume"]) == ("bars", 40, 700)


def test_what_has_no_volume_says_why_and_what_has_no_ticks_takes_its_bars() -> None:
    minutes = pl.concat(
        [
            bars([None, None], NIFTY, "NIFTY"),
            bars([0, 0], TCS, "TCS"),
            bars([5, 5]),
            minute_bars(SESSION, None, "FILED", closes=[50.0], volumes=[None]),
        ]
    )
    rows = session_profiles(minutes, day(), Past(NO_DAYS, NO_PROFILES), lambda tokens: _of(ticks(), tokens))
    assert rows.select("symbol", "method", "reason").rows() == [
        ("FILED", "bars", "its volume is not known"),
        ("INFY", "bars", None),
        ("NIFTY", "bars", "an index has no volume"),
        ("TCS", "bars", "nothing was traded"),
    ]
    assert profiles_sound(rows, minutes).passed


def before(poc: float, *naked: float, session: date = BEFORE) -> pl.DataFrame:
    """Return the profile of the session before, with rows of five paise."""
    row = {
        "session": session, "symbol": "INFY", "segment": "NSE", "poc": poc, "poc_low": poc, "poc_high": poc + 0.05,
        "naked_pocs": list(naked), "naked_poc_lows": list(naked), "naked_poc_highs": [one + 0.05 for one in naked],
        "naked_poc_sessions": [session - timedelta(days=1)] * len(naked),
    }  # fmt: skip
    return pl.DataFrame([{name: row.get(name) for name in VOLUME_PROFILES.schema}], schema=VOLUME_PROFILES.schema)


def naked_after(profiles: pl.DataFrame, days: pl.DataFrame = NO_DAYS, *actions: CorporateAction) -> list[float]:
    found = session_profiles(bars([5, 5]), day(*actions), Past(days, profiles), None)
    naked: list[float] = found["naked_pocs"][0].to_list()
    return naked


def test_naked_pocs_are_carried_on_until_something_trades_there() -> None:
    # the bars reach from 99 to 101
    assert naked_after(before(101.05, 98.9, 98.95, 99.0, 101.0, 110.0)) == [98.9, 98.95, 110.0, 101.05]
    assert naked_after(before(100.5)) == []


def test_sessions_without_profiles_took_what_they_traded_at() -> None:
    old = before(110.0, 120.0, session=SESSION - timedelta(days=3))
    between = pl.DataFrame([("INFY", "NSE", BEFORE, 112.0, 109.0, 110.0)], schema=NO_DAYS.schema, orient="row")
    assert naked_after(old, between) == [120.0]


def test_a_split_divides_what_was_naked_and_what_was_ordinary() -> None:
    split = CorporateAction("INFY", SESSION, "split", 2.0, "made")
    assert naked_after(before(300.0, 200.0), NO_DAYS, split) == [150.0]
    june = [("INFY", "NSE", date(2026, 6, 1 + one), 236.0, 200.0, 210.0) for one in range(20)]
    days = pl.DataFrame(june, schema=NO_DAYS.schema, orient="row")
    found = session_profiles(bars([5, 5]), day(split), Past(days, NO_PROFILES), None).row(0, named=True)
    # 36 rupees of before are 18 of now: 361 ticks of five paise
    assert (found["row_ticks"], found["day_atr"]) == (4, pytest.approx(18.0))


def test_only_this_month_and_the_one_before_are_looked_at() -> None:
    held = [date(2026, 5, 29), date(2026, 6, 1), date(2026, 7, 29), SESSION, date(2026, 7, 31)]
    assert past_sessions(held, SESSION) == [date(2026, 6, 1), date(2026, 7, 29)]
    assert past_sessions([date(2025, 12, 31)], date(2026, 1, 2)) == [date(2025, 12, 31)]


@pytest.mark.parametrize(
    ("broken", "rule"),
    [
        (pl.concat_list(pl.lit(1.0), pl.lit(2.0)).alias("histogram"), "histogram differs from volume"),
        (pl.lit(0.69).alias("value_area_share"), "value area too small"),
        (pl.lit(500.0).alias("poc"), "POC outside the value area"),
        (pl.lit(None, pl.Float64).alias("poc"), "traded without a profile"),
    ],
)
def test_a_broken_profile_is_found(broken: pl.Expr, rule: str) -> None:
    rows = session_profiles(bars([5, 7]), day(), Past(NO_DAYS, NO_PROFILES), None)
    assert profiles_sound(rows, bars([5, 7])).passed
    finding = profiles_sound(rows.with_columns(broken), bars([5, 7]))
    assert (finding.passed, finding.only_warns, finding.facts[rule]) == (False, False, 1)


def test_volume_other_than_that_of_the_bars_is_an_error_of_bars_and_a_warning_of_ticks() -> None:
    rows = session_profiles(bars([5, 7]), day(), Past(NO_DAYS, NO_PROFILES), None)
    wrong = profiles_sound(rows, bars([5, 8]))
    assert (wrong.passed, wrong.only_warns, wrong.facts["volume differs from bars"]) == (False, False, 1)
    told = profiles_sound(rows.with_columns(method=pl.lit("ticks")), bars([5, 8]))
    assert (told.passed, told.only_warns, told.facts["ticks differ from bars"]) == (False, True, 1)
    missing = profiles_sound(rows.clear(), bars([5, 8]))
    assert (missing.passed, missing.facts["traded without a profile"]) == (False, 1)
