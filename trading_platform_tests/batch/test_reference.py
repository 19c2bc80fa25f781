"""Dumps become rows, old bars find today's token, and the subscription follows its rules."""

from pathlib import Path

import polars as pl
import pytest

from trading_platform.batch.dump_file import DumpText
from trading_platform.batch.instrument_dump import parse_dump
from trading_platform.batch.reference import (
    choose_universe,
    dump_path,
    instrument_rows,
    missing_dump,
    segment_of,
    stored_day,
    universe_rows,
    with_tokens,
)
from trading_platform.errors import InstrumentError
from trading_platform.wire.lake_tables import INSTRUMENTS, SUBSCRIPTION_UNIVERSE
from trading_platform_tests.batch.lake_rows import INFY, NIFTY, SESSION, TCS, instruments, minute_bars

HEADER = (
    "instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,tick_size,lot_size,"
    "instrument_type,segment,exchange\n"
)
INFY_LINE = f"{INFY},1594,INFY,INFOSYS,0,,0,0.05,1,EQ,NSE,NSE\n"
FUTURE_LINE = "12345602,48225,NIFTY26JULFUT,NIFTY,0,2026-07-30,0,0.05,75,FUT,NFO-FUT,NFO\n"


def test_the_dump_of_a_day_is_found_by_name(tmp_path: Path) -> None:
    assert dump_path(tmp_path, SESSION) is None
    packed = tmp_path / "instruments_20260730.csv.gz"
    packed.touch()
    assert dump_path(tmp_path, SESSION) == packed
    plain = tmp_path / "instruments_20260730.csv"
    plain.touch()
    assert dump_path(tmp_path, SESSION) == plain


def test_a_missing_dump_says_where_to_put_it(tmp_path: Path) -> None:
    assert "instruments_20260730.csv" in str(missing_dump(tmp_path, SESSION))


def test_rows_of_a_dump_go_to_the_lake_and_back() -> None:
    dump = parse_dump(DumpText((HEADER + INFY_LINE + FUTURE_LINE).encode()), name="test")
    rows = INSTRUMENTS.conform(instrument_rows(dump, SESSION))
    assert rows["symbol"].to_list() == ["INFY", "NIFTY26JULFUT"]
    day = stored_day(rows, SESSION)
    assert day.with_token(INFY).tradingsymbol == "INFY"
    assert day.with_token(12345602).lot_size == 75


def test_a_token_twice_refuses_the_dump() -> None:
    dump = parse_dump(DumpText((HEADER + INFY_LINE + INFY_LINE.replace("INFY", "OTHER")).encode()), name="test")
    with pytest.raises(InstrumentError, match="stand more than once"):
        instrument_rows(dump, SESSION)


def test_segments_by_token() -> None:
    tokens = pl.DataFrame({"token": [INFY, NIFTY, 2**20 + 2, 2**20 + 200]})
    assert tokens.select(segment_of(pl.col("token"))).to_series().to_list() == ["NSE", "INDICES", "NFO", None]


def test_old_bars_get_the_token_of_today() -> None:
    old = minute_bars(SESSION, 111 * 256 + 1, "INFY", closes=[1.0])
    without = minute_bars(SESSION, None, "NIFTY", closes=[2.0])
    gone = minute_bars(SESSION, TCS, "DELISTED", closes=[3.0])
    found = with_tokens(pl.concat([old, without, gone]), instruments())
    assert dict(found.select("symbol", "token").iter_rows()) == {"INFY": INFY, "NIFTY": NIFTY}


def test_a_token_that_was_given_to_another_symbol_does_not_mix_their_bars() -> None:
    bars = minute_bars(SESSION, INFY, "TCS", closes=[1.0])
    assert with_tokens(bars, instruments()).select("symbol", "token").rows() == [("TCS", TCS)]


def test_a_bar_keeps_its_segment_when_a_symbol_is_in_two() -> None:
    on_bse = TCS + 3
    listed = pl.concat([instruments(TCS=TCS), instruments(TCS=on_bse)]).with_columns(
        segment=pl.when(pl.col("token") == on_bse).then(pl.lit("BSE")).otherwise(pl.lit("NSE"))
    )
    bars = minute_bars(SESSION, on_bse, "TCS", closes=[1.0]).with_columns(segment=pl.lit("BSE"))
    assert with_tokens(bars, listed)["token"].to_list() == [on_bse]


def test_a_dump_that_the_sockets_carry_is_subscribed_whole() -> None:
    dump = parse_dump(DumpText((HEADER + INFY_LINE + FUTURE_LINE).encode()), name="test")
    rows = pl.concat([INSTRUMENTS.conform(instrument_rows(dump, SESSION)), instruments(NIFTY=NIFTY)])
    day = stored_day(rows, SESSION)
    universe = choose_universe(day, {})
    assert set(universe.tokens) == {INFY, NIFTY, 12345602}
    assert universe.missing == ()
    kept = SUBSCRIPTION_UNIVERSE.conform(universe_rows(universe, day))
    assert kept["priority"].to_list() == [1, 2, 3]
    assert kept["symbol"][0] == "NIFTY"
    assert kept["socket"].unique().to_list() == [1]
