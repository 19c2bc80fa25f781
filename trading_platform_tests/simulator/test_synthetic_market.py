from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from trading_platform.batch.bar_files import read_bars
from trading_platform.errors import NoSessionError, SettingsError
from trading_platform.market.instruments import InstrumentDay, session_class
from trading_platform.market.sessions import SessionClass, load_session_table
from trading_platform.simulator.synthetic_levels import roster
from trading_platform.simulator.synthetic_market import INDEX_BASE, SyntheticSession, synthetic_session

TABLE = load_session_table()
DAY, BEFORE = date(2026, 7, 31), date(2026, 7, 30)
NAMES = 60
CONTRACT = pl.col("symbol").str.contains("FUT$|CE$|PE$")


@pytest.fixture(scope="module")
def made() -> SyntheticSession:
    return synthetic_session(DAY, 1, NAMES, table=TABLE)


def test_a_session_is_the_same_for_the_same_seed_and_another_for_another(made: SyntheticSession) -> None:
    again = synthetic_session(DAY, 1, NAMES, table=TABLE)
    assert again.bars.equals(made.bars)
    assert again.instruments == made.instruments
    assert not synthetic_session(DAY, 2, NAMES, table=TABLE).bars.equals(made.bars)


def test_a_market_has_an_index_futures_a_chain_and_names(made: SyntheticSession) -> None:
    kinds = [(one.segment, one.instrument_type) for one in made.instruments]
    assert kinds.count(("INDICES", "EQ")) == 1
    assert kinds.count(("NSE", "EQ")) == NAMES
    assert kinds.count(("NFO-FUT", "FUT")) == 2
    assert kinds.count(("NFO-OPT", "CE")) == kinds.count(("NFO-OPT", "PE")) == 21
    assert set(made.bars["symbol"]) == {one.tradingsymbol for one in made.instruments}
    assert all(symbol.startswith("SYN") for symbol in made.bars["symbol"].unique())


def test_bars_are_such_as_a_file_may_hold(made: SyntheticSession, tmp_path: Path) -> None:
    file = tmp_path / "synthetic.parquet"
    made.bars.filter(~CONTRACT).with_columns(pl.col("volume").fill_null(0)).write_parquet(file)
    found = read_bars(file, table=TABLE, for_wire=True)
    assert found.rejected.is_empty()
    assert list(found.indices) == ["SYNDEX"]
    words = made.bars.select("open", "high", "low", "close").to_numpy() * 20
    np.testing.assert_allclose(words, np.rint(words), atol=1e-6)


def test_each_class_has_every_minute_of_its_continuous_trading(made: SyntheticSession) -> None:
    day = InstrumentDay(DAY, made.instruments)
    counts = dict(made.bars.group_by("symbol").len().iter_rows())
    for one in day.instruments:
        session = TABLE.session(session_class(one, day.fno_names), DAY)
        assert counts[one.tradingsymbol] == (session.closes - session.opens).total_seconds() / 60


def test_a_session_follows_the_one_before(made: SyntheticSession) -> None:
    before = synthetic_session(BEFORE, 1, NAMES, table=TABLE)
    traded = [f"SYN{number:03d}" for number in range(1, 20)]
    for symbol in traded:
        last = before.bars.filter(pl.col("symbol") == symbol)["close"][-1]
        first = made.bars.filter(pl.col("symbol") == symbol)["open"][0]
        assert made.previous_closes[symbol] == last
        assert abs(np.log(first / last)) < 0.06


def test_the_index_is_the_weighted_mean_of_the_names(made: SyntheticSession) -> None:
    fixed = roster(1, NAMES)
    closes = made.bars.filter(~CONTRACT & (pl.col("symbol") != "SYNDEX")).pivot("ts", index="symbol", values="close")
    level = INDEX_BASE * (fixed.weight / fixed.base) @ closes.sort("symbol").drop("symbol").to_numpy()
    index = made.bars.filter(pl.col("symbol") == "SYNDEX")["close"].to_numpy()
    # names that trade too thinly to follow weigh little
    np.testing.assert_allclose(index, level, rtol=2e-3)
    assert made.bars.filter(pl.col("symbol") == "SYNDEX")["volume"].null_count() == len(index)


def test_futures_carry_and_options_agree_with_them(made: SyntheticSession) -> None:
    closes = {
        key[0]: frame["close"].to_numpy() for key, frame in made.bars.partition_by("symbol", as_dict=True).items()
    }
    near, far = (one for one in made.instruments if one.instrument_type == "FUT")
    assert (closes[far.tradingsymbol] > closes[near.tradingsymbol]).mean() > 0.95
    assert (closes[near.tradingsymbol] > closes["SYNDEX"]).mean() > 0.95
    for strike in {one.strike for one in made.instruments if one.instrument_type == "CE"}:
        call, put = (
            closes[one.tradingsymbol]
            for one in made.instruments
            if one.strike == strike and one.instrument_type in {"CE", "PE"}
        )
        # four days of carry at most and two roundings
        np.testing.assert_allclose(call - put, closes["SYNDEX"] - strike, atol=0.0015 * INDEX_BASE)


def test_some_minutes_pass_without_a_share_or_with_one(made: SyntheticSession) -> None:
    names = made.bars.filter(~CONTRACT & pl.col("volume").is_not_null())
    for volume in (0, 1):
        still = names.filter(pl.col("volume") == volume)
        assert len(still) > 20
        assert (still["high"] == still["low"]).all()
    held = names.sort("symbol", "ts").with_columns(before=pl.col("close").shift(1).over("symbol"))
    silent = held.filter((pl.col("volume") == 0) & pl.col("before").is_not_null())
    assert (silent["open"] == silent["before"]).all()


def test_contracts_trade_in_lots(made: SyntheticSession) -> None:
    volumes = made.bars.filter(CONTRACT)["volume"]
    assert (volumes % 75 == 0).all()
    assert volumes.sum() > 0


def test_an_evening_hour_and_a_session_with_an_early_index_close_can_be_made() -> None:
    muhurat = synthetic_session(date(2024, 11, 1), 1, 5, table=TABLE)
    assert muhurat.bars["ts"].dt.hour().min() == 18
    late = synthetic_session(date(2026, 10, 1), 1, 5, table=TABLE)
    ends = dict(late.bars.group_by("symbol").agg(pl.col("ts").max()).iter_rows())
    for symbol, hours in (("SYNDEX", SessionClass.NSE_INDEX), ("SYN001", SessionClass.NSE_CASH)):
        closes = TABLE.session(hours, date(2026, 10, 1)).closes
        assert (closes - ends[symbol]).total_seconds() == 60


def test_what_cannot_be_made_is_refused() -> None:
    with pytest.raises(NoSessionError, match="2026-08-15"):
        synthetic_session(date(2026, 8, 15), 1, 5, table=TABLE)
    with pytest.raises(SettingsError, match="--names"):
        synthetic_session(DAY, 1, 0, table=TABLE)
