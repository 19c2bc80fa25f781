"""Volume fields of the pass: equal, to the bit, to those that `rvol` computes from the same bars."""

import dataclasses
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import pairwise

import numpy as np
import orjson
import polars as pl
import pytest

from trading_platform.batch.baselines import Baselines, volume_baselines
from trading_platform.batch.file_volume import volume_of_bars
from trading_platform.batch.reference import stored_day
from trading_platform.batch.snapshots import snapshots_of_bars
from trading_platform.calc.relative_volume import FIELD_NAMES, VixRegime, VolumeFlag, unknown_days
from trading_platform.calc.session_pass import SessionPass
from trading_platform.calc.volume_baseline import BaselineBlock, UsualDay, baseline_version
from trading_platform.errors import EngineError
from trading_platform.market.clock import IST
from trading_platform.market.corporate_actions import CorporateActions
from trading_platform.market.sessions import SessionClass, load_session_table
from trading_platform.simulator.frames import session_frames
from trading_platform.simulator.session_bars import to_session_bars
from trading_platform.wire.instrument_block import to_block
from trading_platform.wire.journal_records import ControlType, RecordKind
from trading_platform.wire.lake_tables import INDICATOR_SEEDS, INDICATOR_SNAPSHOTS, MINUTE_BARS, VOLUME_BASELINES
from trading_platform.wire.lake_volume import VOLUME_FIELDS
from trading_platform.wire.records import FEATURE, unpack_rows
from trading_platform.wire.session_block import encode_hours
from trading_platform_tests.batch.lake_rows import instruments
from trading_platform_tests.calc.feeding import CASH, DAY, NS, SETTINGS, Feeding, Result, at, tick

TABLE = load_session_table()
DAYS = TABLE.sessions(SessionClass.NSE_CASH_FNO, date(2026, 7, 13), date(2026, 7, 30))[-12:]
TODAY = DAYS[-1]
CALL, PUT = "NIFTY26JUL24000CE", "NIFTY26JUL24000PE"
TOKENS = {"ABC": 256 * 11 + 1, "XYZ": 256 * 12 + 1, CALL: 256 * 13 + 2, PUT: 256 * 14 + 2, "INDIA VIX": 264969}
MINUTES = 16
COMPARED = ("volume", "expected_volume", *FIELD_NAMES, "rvol_adjusted", "surprise_z", "straddle_volume", "volume_flags")


def listed() -> pl.DataFrame:
    rows = instruments(TODAY, **TOKENS)
    option = pl.col("symbol").is_in([CALL, PUT])
    return rows.with_columns(
        instrument_type=pl.when(option).then(pl.col("symbol").str.slice(-2)).otherwise("instrument_type"),
        segment=pl.when(option).then(pl.lit("NFO-OPT")).otherwise("segment"),
        exchange=pl.when(option).then(pl.lit("NFO")).otherwise("exchange"),
        name=pl.when(option).then(pl.lit("NIFTY")).otherwise("name"),
        strike=pl.when(option).then(24000.0).otherwise("strike"),
        expiry=pl.when(option).then(pl.lit(TODAY + timedelta(days=30))).otherwise("expiry"),
    )


def made() -> pl.DataFrame:
    """Make bars of all days: gaps in minutes, a name with too short a past, an auction before the open."""
    random = np.random.default_rng(11)
    rows: list[tuple[object, ...]] = []
    for symbol in TOKENS:
        days = DAYS[6:] if symbol == "XYZ" else DAYS
        for day in days:
            first = datetime(day.year, day.month, day.day, 9, 15, tzinfo=IST)
            for minute in range(MINUTES):
                if symbol != "ABC" and random.random() < 0.25:
                    continue
                price = 14.0 + minute if symbol == "INDIA VIX" else 100.0
                volume = None if symbol == "INDIA VIX" else int(random.lognormal(6, 0.8))
                rows.append((symbol, first + timedelta(minutes=minute), *[price] * 4, volume))
            if symbol == "ABC":
                rows.append((symbol, first - timedelta(minutes=8), *[100.0] * 4, 333))
    schema = {
        "symbol": pl.String,
        "ts": pl.Datetime("us", "Asia/Kolkata"),
        **dict.fromkeys(("open", "high", "low", "close"), pl.Float64),
        "volume": pl.Int64,
    }
    return pl.DataFrame(rows, schema=schema, orient="row").sort("symbol", "ts")


BARS = made()
OF_TODAY = pl.col("ts").dt.date() == TODAY


def lake_rows(bars: pl.DataFrame) -> pl.DataFrame:
    """Return the bars as rows of `minute_bars`."""
    opens = pl.col("ts").dt.time() < datetime(2026, 1, 1, 9, 15).time()
    return MINUTE_BARS.conform(
        bars.select(
            pl.col("ts").dt.date().alias("session"),
            pl.lit(None, pl.Int64).alias("token"),
            "symbol",
            pl.lit(None, pl.String).alias("segment"),
            pl.when(opens).then(1).otherwise(0).alias("kind"),
            pl.lit(0).alias("revision"),
            pl.col("ts").alias("start"),
            "open", "high", "low", "close", "volume",
            pl.lit(None, pl.Int64).alias("ticks"),
            pl.lit(None, pl.Int64).alias("flags"),
            pl.lit(None, pl.Int64).alias("record"),
            pl.lit("file").alias("source"),
        )
    )  # fmt: skip


def baselines() -> Baselines:
    wanted = dict.fromkeys(SessionClass, DAYS[:-1])
    return volume_baselines(
        [lake_rows(BARS.filter(~OF_TODAY))], listed(), session=TODAY, wanted=wanted, min_sessions=10
    )


def session(block: bytes | None) -> Feeding:
    """Write the journal of today's bars, the block announced before the open."""
    feeding, day = Feeding(TODAY), stored_day(listed(), TODAY)
    before = int(datetime(TODAY.year, TODAY.month, TODAY.day, 8, 55, tzinfo=IST).timestamp())
    feeding.control(ControlType.SESSION_OPENED, before * NS, session=TODAY.isoformat())
    feeding.control(ControlType.SETTINGS, before * NS, orjson.dumps(SETTINGS))
    feeding.control(ControlType.SESSION_TABLE, before * NS, encode_hours(TABLE, TODAY))
    feeding.control(ControlType.INSTRUMENTS, before * NS, to_block(day))
    if block is not None:
        feeding.control(ControlType.BASELINE, before * NS, block)
    feeding.subscribe(list(TOKENS.values()), before * NS)
    played = to_session_bars(BARS.filter(OF_TODAY), day, {})
    last = before + 20 * 60 + MINUTES * 60 + 10
    for frame in session_frames(played, before + 60, last):
        feeding.raw(RecordKind.FRAME, frame.payload, frame.received_ns)
    return feeding.closed(last + 1)


def published(result: Result) -> Iterator[dict[str, object]]:
    symbols = {token: symbol for symbol, token in TOKENS.items()}
    bars = {(int(bar["token"]), int(bar["interval"]), int(bar["start"])): bar for bar in result.bars}
    for row in result.indicators:
        key = int(row["token"]), int(row["interval"]), int(row["start"])
        found = {name: row[name].item() for name in row.dtype.names if name in COMPARED}
        yield {
            **{name: None if np.isnan(value) else value for name, value in found.items()},
            "symbol": symbols[key[0]],
            "ts": datetime.fromtimestamp(key[2], IST),
            "interval": key[1],
            "volume": None if np.isnan(bars[key]["volume"]) else bars[key]["volume"].item(),
            "vix_regime": VixRegime(int(row["vix_regime"])).name,
            "rvol_bar": None if np.isnan(row["rvol_bar"]) else row["rvol_bar"].item(),
        }


@pytest.fixture(scope="module")
def result() -> Result:
    return session(baselines().content).run()


def test_the_pass_publishes_what_rvol_computes_from_the_same_bars(result: Result) -> None:
    theirs = volume_of_bars(BARS, TABLE, CorporateActions(()), sessions=20, min_sessions=10).filter(OF_TODAY)
    expected = {(row["symbol"], row["ts"], row["interval"]): row for row in theirs.iter_rows(named=True)}
    rows = list(published(result))
    assert len(rows) == len(expected) > 60
    for row in rows:
        other = expected[row["symbol"], row["ts"], row["interval"]]
        for name in (*COMPARED, "vix_regime"):
            assert row[name] == other[name], (name, row, other)
    known = {name: sum(row[name] is not None for row in rows) for name in COMPARED}
    assert all(known[name] for name in (*FIELD_NAMES, "rvol_adjusted", "surprise_z", "straddle_volume"))
    assert {row["vix_regime"] for row in rows} >= {"LOW", "NORMAL", "HIGH", "PANIC"}
    assert {row["volume_flags"] for row in rows} == {0, int(VolumeFlag.FEW_SESSIONS), int(VolumeFlag.NO_BASELINE)}


def test_the_lake_computes_the_same_from_imported_bars(result: Result) -> None:
    block = baselines()
    today = lake_rows(BARS.filter(OF_TODAY)).with_columns(
        token=pl.col("symbol").replace_strict(TOKENS, return_dtype=pl.Int64)
    )
    table = VOLUME_BASELINES.conform(block.rows)
    seeds = INDICATOR_SEEDS.schema.to_frame()
    rows = INDICATOR_SNAPSHOTS.conform(snapshots_of_bars(today, seeds, table, session=TODAY))
    mine = {(row["token"], row["interval"], int(row["start"].timestamp())): row for row in rows.iter_rows(named=True)}
    assert len(mine) == len(result.indicators)
    names = [column.name for column in VOLUME_FIELDS]
    for row in result.indicators:
        other = mine[int(row["token"]), int(row["interval"]), int(row["start"])]
        for name in (*names, "rvol_bar", "expected_volume"):
            value = row[name].item()
            assert other[name] == (None if np.isnan(value) else value), (name, row, other)


def test_a_cut_and_a_restored_state_change_nothing(result: Result) -> None:
    feeding = session(baselines().content)
    again = feeding.run([9, len(feeding.records) // 2], feeding.restored)
    assert again.indicators.tobytes() == result.indicators.tobytes()
    assert [e.block for e in again.entries["features"]] == [e.block for e in result.entries["features"]]


def test_running_fields_grow_into_those_of_the_closed_bars(result: Result) -> None:
    abc = TOKENS["ABC"]
    rows = [row for entry in result.entries["features"] for row in unpack_rows(FEATURE, entry.block)]
    mine = [row for row in rows if row["token"] == abc and not np.isnan(row["rvol_cum"])]
    assert len(mine) > MINUTES
    assert all(int(row["volume_flags"]) & VolumeFlag.PARTIAL for row in mine)
    volumes = [row["participation"] for row in mine]
    assert all(earlier <= later for earlier, later in pairwise(volumes))
    last = result.indicators[(result.indicators["token"] == abc) & (result.indicators["interval"] == 1)][-1]
    assert mine[-1]["participation"] == np.float32(last["participation"])
    assert mine[-1]["eod_projection"] == np.float32(last["eod_projection"])


def test_a_running_bar_is_measured_by_the_time_that_passed() -> None:
    # usual: 100 in the first minute, then 60 each; 400 by the end of five; 1,000 a day, of a level of one
    one, cumulative = np.full((1, 10), 60.0), 40.0 + 60.0 * np.arange(1.0, 11.0)[None]
    one[0, 0] = 100.0
    day = unknown_days(1)
    day[0] = (1000.0, 1000.0, 0.0, 1.0, 0.0, 10.0, 0.0)
    usual = UsualDay(cumulative, np.full((1, 2), 500.0), day)
    tokens = np.array([CASH], np.uint32)
    block = BaselineBlock(DAY, tokens, 555, {1: one, 5: np.full((1, 2), 400.0)}, (), usual).encode()
    feeding = Feeding().opened([CASH], "08:55:00", [(ControlType.BASELINE, block)])
    opens = at("09:15:00")
    for second, volume in ((10, 80), (40, 250), (90, 300)):
        feeding.frame(opens + second + 0.4, tick(CASH, 100.0, volume, opens + second))
    row = unpack_rows(FEATURE, feeding.run().entries["features"][-1].block)[0]
    assert row["rvol_running_1m"] == pytest.approx(50 / 30)
    # 100 and half of 60 of the 340 that the five minutes have by the curve, times their own median of 400
    assert row["rvol_running_5m"] == pytest.approx(300 / (400 * 130 / 340))
    assert row["rvol_cum"] == pytest.approx(300 / 130)
    assert row["participation"] == pytest.approx(0.3)
    assert row["eod_projection"] == pytest.approx(300 + 300 / 130 * 870)
    assert row["volume_flags"] == VolumeFlag.PARTIAL


def test_what_was_traded_before_we_came_and_in_a_gap_is_flagged() -> None:
    feeding = Feeding().opened([CASH], "10:00:00", [])
    now = at("10:00:05")
    feeding.frame(now + 0.4, tick(CASH, 100.0, 5000, now))
    feeding.frame(now + 60.4, tick(CASH, 100.0, 5100, now + 60))
    feeding.control(ControlType.GAP, (now + 130) * NS, from_ns=(now + 62) * NS, until_ns=(now + 120) * NS)
    feeding.frame(now + 180.4, tick(CASH, 100.0, 5200, now + 180))
    rows = feeding.closed(now + 300).run().indicators
    flags = rows[rows["interval"] == 1]["volume_flags"].tolist()
    nothing, snapshot = int(VolumeFlag.NO_BASELINE), int(VolumeFlag.SNAPSHOT)
    assert flags[0] == nothing | snapshot
    assert flags[-1] == nothing | snapshot | int(VolumeFlag.GAP)


def test_without_a_block_every_field_is_null_and_says_so() -> None:
    bare = session(None).run()
    for name in (*FIELD_NAMES, "rvol_adjusted", "surprise_z"):
        assert np.isnan(bare.indicators[name]).all(), name
    assert set(bare.indicators["volume_flags"].tolist()) == {int(VolumeFlag.NO_BASELINE)}


def test_yesterdays_block_is_used_and_marked() -> None:
    whole = baselines()
    old = dataclasses.replace(whole.block, session=DAYS[-2]).encode()
    fresh, stale = (session(content).run().indicators for content in (whole.content, old))
    np.testing.assert_array_equal(stale["rvol_cum"], fresh["rvol_cum"])
    mark = int(VolumeFlag.STALE_BASELINE)
    assert (stale["volume_flags"] == fresh["volume_flags"] | mark).all()
    assert set(stale["baseline_version"].tolist()) == {baseline_version(old)}
    with pytest.raises(EngineError, match="names baseline of 2026-07-"):
        session(dataclasses.replace(whole.block, session=DAYS[0]).encode()).run()


def test_a_block_of_bars_alone_gives_bars_alone() -> None:
    whole = baselines().block
    old = BaselineBlock(whole.session, whole.tokens, whole.first_minute, whole.expected, whole.sessions_used).encode()
    rows = session(old).run().indicators
    assert not np.isnan(rows["rvol_bar"]).all()
    assert np.isnan(rows["rvol_cum"]).all()


def test_a_state_file_keeps_all_of_it(result: Result) -> None:
    feeding = session(baselines().content)
    state = SessionPass(TODAY, feeding.blob)
    state.feed(feeding.batch(0, len(feeding.records) // 2))
    assert SessionPass.restore(state.save(), feeding.blob).save() == state.save()
