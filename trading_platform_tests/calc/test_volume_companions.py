from dataclasses import replace
from datetime import date

from trading_platform.calc.volume_companions import legs_of, other_leg, vix_token
from trading_platform.market.instruments import Instrument, InstrumentDay

DAY = date(2026, 7, 30)
CALL = Instrument(
    2561 * 256 + 2, 2561, "NIFTY26JUL24000CE", "NIFTY", date(2026, 7, 28), 24000.0, 0.05, 65, "CE", "NFO-OPT", "NFO"
)
PUT = replace(CALL, token=2562 * 256 + 2, exchange_token=2562, tradingsymbol="NIFTY26JUL24000PE", instrument_type="PE")
LATER = replace(PUT, token=2563 * 256 + 2, exchange_token=2563, tradingsymbol="LATER", expiry=date(2026, 8, 25))
VIX = Instrument(264969, 1035, "INDIA VIX", "INDIA VIX", None, 0.0, 0.0, 1, "EQ", "INDICES", "NSE")


def test_a_leg_is_told_by_its_symbol() -> None:
    assert other_leg("NIFTY26JUL24000PE") == "NIFTY26JUL24000CE"
    assert other_leg("SPICE") == other_leg("CE") == other_leg("ABC") == ""


def test_legs_are_paired_by_name_expiry_and_strike() -> None:
    day = InstrumentDay(DAY, (CALL, PUT, LATER, VIX))
    rows = {CALL.token: 0, LATER.token: 1, PUT.token: 2}
    assert set(legs_of(day, rows, 0)) == {(0, 2), (2, 0)}
    assert set(legs_of(day, rows, 1)) == {(2, 0)}
    assert not set(legs_of(day, {CALL.token: 0, LATER.token: 1}, 0))


def test_india_vix_is_found_by_name() -> None:
    assert vix_token(InstrumentDay(DAY, (CALL, VIX))) == 264969
    assert vix_token(InstrumentDay(DAY, (CALL,))) is None
