"""Each rule must be broken by the row that it is about, and by no sound row."""

from datetime import date, timedelta

import polars as pl
import pytest

from trading_platform.batch.quality import (
    Finding,
    bars_sound,
    baselines_sound,
    instruments_sound,
    opening_hours,
    seeds_sound,
    signals_sound,
    snapshots_sound,
    straddles_sound,
    universe_sound,
)
from trading_platform.batch.reference import choose_universe, stored_day, universe_rows
from trading_platform.market.sessions import load_session_table
from trading_platform.wire.lake_tables import (
    INDICATOR_SEEDS,
    INDICATOR_SNAPSHOTS,
    PATTERNS,
    STRADDLE_VOLUMES,
    SUBSCRIPTION_UNIVERSE,
    VOLUME_BASELINES,
    Table,
)
from trading_platform_tests.batch.lake_rows import INFY, SESSION, instruments, minute_bars, moment

TABLE = load_session_table()


def broken(finding: Finding) -> set[str]:
    """Return the rules that count something."""
    assert not finding.passed
    return {name for name, value in finding.facts.items() if name != "rows" and value}


def rows(table: Table, *given: dict[str, object]) -> pl.DataFrame:
    return pl.DataFrame(
        [{name: one.get(name) for name in table.schema} for one in given],
        schema=table.schema,
    )


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        ("duplicate tokens", pl.lit(INFY, pl.Int64).alias("token")),
        ("token contradicts segment", pl.lit("MCX-FUT").alias("segment")),
        ("expired contracts", pl.lit(date(2026, 7, 29)).alias("expiry")),
        ("lot size below 1", pl.lit(0, pl.Int64).alias("lot_size")),
    ],
)
def test_instruments(rule: str, change: pl.Expr) -> None:
    assert instruments_sound(instruments(), SESSION).passed
    found = instruments_sound(instruments().with_columns(change), SESSION)
    assert rule in broken(found)


def test_universe() -> None:
    listed = instruments()
    day = stored_day(listed, SESSION)
    chosen = SUBSCRIPTION_UNIVERSE.conform(universe_rows(choose_universe(day, {}), day))
    assert universe_sound(chosen, listed).passed
    assert broken(universe_sound(chosen, listed.head(2))) == {"not in the dump"}
    assert broken(universe_sound(pl.concat([chosen, chosen.head(1)]), listed)) == {"duplicate tokens"}
    assert broken(universe_sound(chosen.with_columns(socket=pl.lit(4)), listed)) == {"sockets over their limit"}
    assert not universe_sound(chosen.head(0), listed).passed


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        ("prices out of order or unknown", pl.lit(1e6).alias("low")),
        ("prices out of order or unknown", pl.lit(None, pl.Float64).alias("close")),
        ("duplicate bars", pl.col("start").min().alias("start")),
        ("outside opening hours", pl.col("start").dt.offset_by("10h")),
        ("outside opening hours", pl.col("start").dt.offset_by("-1d")),
        ("negative volume", pl.lit(-1, pl.Int64).alias("volume")),
    ],
)
def test_bars(rule: str, change: pl.Expr) -> None:
    sound = minute_bars(SESSION, INFY, "INFY", closes=[10.0, 11.0], volumes=[1, None])
    assert bars_sound(sound, TABLE, SESSION).passed
    assert rule in broken(bars_sound(sound.with_columns(change), TABLE, SESSION))


def test_opening_hours_are_those_of_the_segment() -> None:
    hours = {segment: (opens, closes) for segment, opens, closes in opening_hours(TABLE, SESSION).iter_rows()}
    assert hours["NFO"][0] <= moment(SESSION, 9, 15)
    assert hours["NFO"][1] == moment(SESSION, 15, 30)
    assert hours[None][1] >= moment(SESSION, 23, 30)


def test_baselines() -> None:
    known = [{"token": 1, "bucket_start": b, "expected_median": 5.0, "sessions_used": 20} for b in range(10)]
    young = [{"token": 2, "bucket_start": b, "expected_median": None, "sessions_used": 2} for b in range(10)]
    assert baselines_sound(rows(VOLUME_BASELINES, *known, *young)).passed
    options = [one | {"token": 3, "expected_median": None, "model": "none"} for one in known]
    assert baselines_sound(rows(VOLUME_BASELINES, *known, *options)).passed
    assert not baselines_sound(rows(VOLUME_BASELINES, *options)).passed
    unknown = [one | {"expected_median": None} for one in known]
    assert not baselines_sound(rows(VOLUME_BASELINES, *unknown)).passed
    assert not baselines_sound(rows(VOLUME_BASELINES, *known[:7], *unknown[7:])).passed
    assert not baselines_sound(rows(VOLUME_BASELINES, known[0] | {"expected_median": 0.0}, *known[1:])).passed
    assert not baselines_sound(rows(VOLUME_BASELINES)).passed
    assert baselines_sound(rows(VOLUME_BASELINES)).only_warns
    assert not baselines_sound(rows(VOLUME_BASELINES, known[0] | {"expected_median": 0.0}, *known[1:])).only_warns


def test_seeds() -> None:
    warm = {"token": 1, "interval": 1, "ema_20": 5.0, "rsi_14": 50.0, "atr_14": 1.0}
    assert seeds_sound(rows(INDICATOR_SEEDS, warm)).passed
    assert not seeds_sound(rows(INDICATOR_SEEDS, warm, warm | {"ema_20": None})).passed
    impossible = seeds_sound(rows(INDICATOR_SEEDS, warm | {"rsi_14": 101.0}))
    assert (impossible.passed, impossible.only_warns) == (False, False)
    assert seeds_sound(rows(INDICATOR_SEEDS)).only_warns
    assert not seeds_sound(rows(INDICATOR_SEEDS)).passed


def test_snapshots() -> None:
    bars = minute_bars(SESSION, INFY, "INFY", closes=[1.0, 2.0])
    given = [
        {"token": INFY, "interval": 1, "start": start, "revision": 0, "rsi_14": 50.0, "atr_14": 0.0, "rvol_bar": 0.0}
        for start in bars["start"]
    ]
    assert snapshots_sound(rows(INDICATOR_SNAPSHOTS, *given), bars).passed
    by_candle = bars.tail(1).with_columns(ticks=pl.lit(0, pl.Int64), start=pl.col("start") + timedelta(minutes=1))
    assert snapshots_sound(rows(INDICATOR_SNAPSHOTS, *given), pl.concat([bars, by_candle])).passed
    for rule, changed in [
        ("RSI outside 0 to 100", [given[0] | {"rsi_14": -1.0}, given[1]]),
        ("negative ATR", [given[0] | {"atr_14": -1.0}, given[1]]),
        ("negative relative volume", [given[0] | {"rvol_bar": -1.0}, given[1]]),
        ("duplicate rows", [*given, given[1]]),
        ("bars without a row", given[:1]),
        ("rows without a bar", [*given, given[1] | {"start": given[1]["start"] + timedelta(minutes=1)}]),
    ]:
        assert broken(snapshots_sound(rows(INDICATOR_SNAPSHOTS, *changed), bars)) == {rule}


def test_signals() -> None:
    long = {
        "token": INFY,
        "pattern": "breakout",
        "interval": 5,
        "direction": 1,
        "formed_at": moment(SESSION, 9, 15),
        "confirmed_at": moment(SESSION, 9, 20),
        "known_at": moment(SESSION, 9, 20),
        "entry_ref": 100.0,
        "stop": 99.0,
        "target": 102.0,
    }
    assert signals_sound(rows(PATTERNS, long)).passed
    assert signals_sound(rows(PATTERNS, long | {"direction": 0, "stop": None, "target": None})).passed
    assert signals_sound(rows(PATTERNS)).passed
    for rule, change in [
        ("known before the bar ended", {"known_at": moment(SESSION, 9, 19)}),
        ("length is not the interval", {"interval": 1}),
        ("stop or target on the wrong side", {"stop": 101.0}),
        ("stop or target on the wrong side", {"direction": -1}),
    ]:
        assert broken(signals_sound(rows(PATTERNS, long | change))) == {rule}
    assert broken(signals_sound(rows(PATTERNS, long, long))) == {"duplicate signals"}


def test_straddles() -> None:
    def totals(*values: float | None) -> pl.DataFrame:
        named = {"exchange": "NFO", "underlying": "NIFTY", "expiry": SESSION}
        made = [
            named | {"start": moment(SESSION, 9, 15 + place), "underlying_straddle_volume": value}
            for place, value in enumerate(values)
        ]
        return rows(STRADDLE_VOLUMES, *made)

    assert straddles_sound(totals(1.0, 1.0, 5.0)).passed
    assert straddles_sound(totals()).passed
    assert broken(straddles_sound(totals(1.0, 5.0, 4.0))) == {"totals that fall"}
    assert broken(straddles_sound(totals(1.0, None))) == {"negative or unknown totals"}
    twice = totals(1.0, 1.0).with_columns(start=pl.lit(moment(SESSION, 9, 15)))
    assert broken(straddles_sound(twice)) == {"duplicate rows"}
