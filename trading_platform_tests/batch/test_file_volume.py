from datetime import date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from trading_platform.batch.file_volume import COLUMNS, volume_of_bars
from trading_platform.calc.relative_volume import VolumeFlag
from trading_platform.market.clock import IST
from trading_platform.market.corporate_actions import CorporateAction, CorporateActions
from trading_platform.market.sessions import SessionClass, load_session_table
from trading_platform_tests.batch.volume_oracle import oracle

TABLE = load_session_table()
NONE = CorporateActions(())
DAYS = TABLE.sessions(SessionClass.NSE_CASH_FNO, date(2026, 6, 1), date(2026, 7, 30))
FIELDS = ("volume", "rvol_bar", "rvol_cum", "tradingview_rvol", "eod_projection", "eod_ratio", "participation")
MINUTES = 12


def bars(
    days: list[date], symbols: tuple[str, ...] = ("ABC", "XYZ"), minutes: int = MINUTES, *, seed: int = 3
) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    rows = []
    for symbol in symbols:
        for day in days:
            for minute in range(minutes):
                # one minute in eight has no bar, but a day has one
                if minute and random.random() < 0.12:
                    continue
                ts = datetime(day.year, day.month, day.day, 9, 15, tzinfo=IST) + timedelta(minutes=minute)
                rows.append((symbol, ts, 100.0, 101.0, 99.0, 100.0, int(random.lognormal(6, 0.8))))
    return _frame(rows)


def _frame(rows: list[tuple[object, ...]]) -> pl.DataFrame:
    schema = {
        "symbol": pl.String,
        "ts": pl.Datetime("us", "Asia/Kolkata"),
        **dict.fromkeys(("open", "high", "low", "close"), pl.Float64),
        "volume": pl.Int64,
    }
    return pl.DataFrame(rows, schema=schema, orient="row").sort("symbol", "ts")


def made(given: pl.DataFrame, actions: CorporateActions = NONE, sessions: int = 11) -> pl.DataFrame:
    return volume_of_bars(given, TABLE, actions, sessions=sessions, min_sessions=10)


def test_every_field_is_that_of_plain_python() -> None:
    given = bars(DAYS[:14])
    rows, expected = made(given), oracle(given, least=10, look_back=11)
    assert tuple(rows.columns) == COLUMNS
    assert rows.height == len(expected)
    for row in rows.iter_rows(named=True):
        theirs = expected[row["symbol"], row["ts"], row["interval"]]
        assert row["sessions_used"] == theirs["sessions_used"]
        for name in set(FIELDS) - {"rvol_bar"}:
            if theirs[name] is None:
                assert row[name] is None, (name, row)
            else:
                assert row[name] == pytest.approx(theirs[name], rel=1e-12), (name, row)
    assert rows["rvol_cum"].count() > rows.height / 5


def test_a_bar_is_held_against_what_the_model_expects_of_it() -> None:
    rows = made(bars(DAYS[:14]))
    known = rows.filter(pl.col("ts").dt.date() >= DAYS[10])
    ratio = known["volume"] / known["expected_volume"]
    np.testing.assert_allclose(known["rvol_bar"].to_numpy(), ratio.to_numpy(), rtol=1e-12)
    # volumes are made with a median of e^6 in every minute
    by_minute = known.filter(pl.col("interval") == 1)
    assert by_minute["rvol_bar"].null_count() == 0
    assert by_minute["expected_volume"].log().mean() == pytest.approx(6.0, abs=0.15)
    assert rows.filter(pl.col("ts").dt.date() < DAYS[10])["expected_volume"].count() == 0


def test_nothing_that_comes_later_changes_what_was_said() -> None:
    given = bars(DAYS[:13])
    cut = datetime(DAYS[11].year, DAYS[11].month, DAYS[11].day, 9, 20, tzinfo=IST)
    noise = pl.Series(np.random.default_rng(8).integers(0, 10**6, given.height))
    other = given.with_columns(volume=pl.when(pl.col("ts") >= cut).then(noise).otherwise("volume"))
    before = pl.col("ts") + pl.duration(minutes=pl.col("interval")) <= cut
    assert made(given).filter(before).equals(made(other).filter(before))
    assert not made(given).filter(~before).equals(made(other).filter(~before))


def test_too_few_sessions_are_null_and_flagged() -> None:
    rows = made(bars(DAYS[:10]))
    first = rows["ts"].dt.date() == DAYS[0]
    for name in FIELDS[1:]:
        assert rows[name].null_count() == rows.height
    assert set(rows.filter(first)["volume_flags"]) == {int(VolumeFlag.NO_BASELINE)}
    assert set(rows.filter(~first)["volume_flags"]) == {int(VolumeFlag.FEW_SESSIONS)}
    assert rows.select("rvol_adjusted", "surprise_z").null_count().row(0) == (rows.height, rows.height)


def test_a_split_changes_nothing_but_the_flag() -> None:
    given = bars(DAYS[:12])
    split = DAYS[9]
    after = pl.col("ts").dt.date() >= split
    measure = [pl.when(after & (pl.col("symbol") == "ABC")).then(pl.col(name) / 10).otherwise(name).alias(name)
               for name in ("open", "high", "low", "close")]  # fmt: skip
    other = given.with_columns(
        *measure, volume=pl.when(after & (pl.col("symbol") == "ABC")).then(pl.col("volume") * 10).otherwise("volume")
    )
    actions = CorporateActions((CorporateAction("ABC", split, "split", 10.0, "made up"),))
    plain, adjusted = made(given), made(other, actions)
    today = pl.col("ts").dt.date() >= DAYS[10]
    for name in ("rvol_bar", "rvol_cum", "tradingview_rvol", "eod_ratio", "participation"):
        np.testing.assert_allclose(
            plain.filter(today)[name].to_numpy(), adjusted.filter(today)[name].to_numpy(), rtol=1e-12
        )
    flags = dict(adjusted.filter(today).group_by("symbol").agg(pl.col("volume_flags").max()).iter_rows())
    assert flags == {"ABC": int(VolumeFlag.CORPORATE_ACTION), "XYZ": 0}
    assert not made(other).filter(today).equals(plain.filter(today))


def test_auctions_count_for_the_day_alone() -> None:
    given = bars(DAYS[:11], ("ABC",))
    prints = [("ABC", datetime(day.year, day.month, day.day, 9, 7, tzinfo=IST), *[100.0] * 4, 500) for day in DAYS[:11]]
    both = pl.concat([given, _frame(prints)]).sort("symbol", "ts")
    without, with_auction = (rows.filter(pl.col("ts").dt.date() == DAYS[10]) for rows in (made(given), made(both)))
    for name in ("symbol", "ts", "volume", "rvol_bar", "rvol_cum", "tradingview_rvol"):
        assert without[name].equals(with_auction[name])
    added = with_auction["eod_projection"] - without["eod_projection"]
    np.testing.assert_allclose(added.to_numpy(), 500.0, rtol=1e-9)
    assert (with_auction["participation"] > without["participation"]).all()


def test_an_index_has_rows_and_no_volume() -> None:
    index = bars(DAYS[:11], ("NIFTY 50",)).with_columns(volume=pl.lit(None, pl.Int64))
    rows = made(pl.concat([index, bars(DAYS[:11], ("ABC",))])).filter(pl.col("symbol") == "NIFTY 50")
    assert rows.height > 0
    assert rows.select(*FIELDS, "straddle_volume").null_count().row(0) == (rows.height,) * (len(FIELDS) + 1)
    assert set(rows["volume_flags"]) == {int(VolumeFlag.NO_BASELINE)}


def test_the_version_names_the_baselines_of_a_session() -> None:
    given = bars(DAYS[:12])

    def versions(rows: pl.DataFrame) -> list[str | None]:
        by_day = rows.group_by(pl.col("ts").dt.date()).agg(pl.col("baseline_version").unique()).sort("ts")
        assert all(len(one) == 1 for one in by_day["baseline_version"])
        return [one[0] for one in by_day["baseline_version"].to_list()]

    found = versions(made(given))
    assert found[:10] == [None] * 10
    assert all(one is not None and len(one) == 16 for one in found[10:])
    assert found[10] != found[11]
    later = pl.col("ts").dt.date() == DAYS[10]
    changed = versions(made(given.with_columns(volume=pl.when(later).then(pl.col("volume") * 2).otherwise("volume"))))
    assert changed[:11] == found[:11]
    assert changed[11] != found[11]


def test_both_legs_of_a_strike_make_a_straddle() -> None:
    call, put = "NIFTY26JUL24000CE", "NIFTY26JUL24000PE"
    given = bars(DAYS[:1], (call, put, "ONLYPE", "NIFTY26JUL24100CE"))
    rows = made(given).filter(pl.col("interval") == 1)
    sums: dict[str, list[tuple[datetime, int]]] = {
        leg: given.filter(pl.col("symbol") == leg).select("ts", "volume").rows() for leg in (call, put)
    }
    for symbol, ts, straddle in rows.select("symbol", "ts", "straddle_volume").iter_rows():
        if symbol in sums:
            assert straddle == sum(v for leg in sums.values() for at, v in leg if at <= ts)
        else:
            assert straddle is None


def test_a_fresh_vix_gives_the_regime() -> None:
    vix = bars(DAYS[:1], ("INDIA VIX",), 6).with_columns(close=pl.lit(21.0), volume=pl.lit(None, pl.Int64))
    first = datetime(DAYS[0].year, DAYS[0].month, DAYS[0].day, 9, 15, tzinfo=IST)
    vix = vix.filter(pl.col("ts") < first + timedelta(minutes=3)).head(1)
    rows = made(pl.concat([bars(DAYS[:1], ("ABC",)), vix])).filter(pl.col("symbol") == "ABC", pl.col("interval") == 1)
    said = {ts - first: regime for ts, regime in rows.select("ts", "vix_regime").iter_rows()}
    fresh = {minute: said[minute] for minute in said if minute <= timedelta(minutes=1)}
    assert set(fresh.values()) == {"HIGH"}
    assert {regime for minute, regime in said.items() if minute not in fresh} == {"UNKNOWN"}


def test_averages_need_their_sessions() -> None:
    days = TABLE.sessions(SessionClass.NSE_CASH_FNO, date(2026, 4, 1), date(2026, 7, 30))[:57]
    given = bars(days, ("ABC",), 2)
    rows = made(given).group_by(pl.col("ts").dt.date().alias("day")).agg(
        pl.col("avg_volume_20", "avg_volume_55", "avg_price_55", "turtle_ready").first()
    ).sort("day")  # fmt: skip
    totals = given.group_by(pl.col("ts").dt.date().alias("day")).agg(pl.col("volume").sum()).sort("day")["volume"]
    assert rows["avg_volume_20"][19] is None
    assert rows["avg_volume_20"][20] == pytest.approx(sum(totals[:20]) / 20)
    assert rows["turtle_ready"].to_list() == [False] * 55 + [True] * 2
    assert rows["avg_volume_55"][56] == pytest.approx(sum(totals[1:56]) / 55)
    assert rows["avg_price_55"][55] == 100.0


def test_sessions_with_a_closing_auction_are_not_compared_with_those_before() -> None:
    # the closing auction began on 2026-08-03
    days = TABLE.sessions(SessionClass.NSE_CASH_FNO, date(2026, 7, 13), date(2026, 8, 5))
    rows = made(bars(days, ("ABC",), 2)).group_by(pl.col("ts").dt.date().alias("day")).agg(
        pl.col("sessions_used").first()
    )  # fmt: skip
    used = dict(rows.iter_rows())
    assert [used[date(2026, 8, day)] for day in (3, 4, 5)] == [0, 1, 2]
    assert used[date(2026, 7, 31)] == 11
