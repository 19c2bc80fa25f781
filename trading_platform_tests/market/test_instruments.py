from dataclasses import replace
from datetime import date

import pytest

from trading_platform.errors import InstrumentError
from trading_platform.market.instruments import (
    SEGMENT_CODES,
    Instrument,
    InstrumentDay,
    segment_code,
    session_class,
    token_of,
)
from trading_platform.market.sessions import SessionClass
from trading_platform.wire.kite_layout import Segment

DAY = date(2026, 7, 1)

INFY = Instrument(408065, 1594, "INFY", "INFOSYS", None, 0.0, 0.05, 1, "EQ", "NSE", "NSE")
INFY_BSE = Instrument(128053508, 500209, "INFY", "INFOSYS", None, 0.0, 0.05, 1, "EQ", "BSE", "BSE")
SMALL = Instrument(3813889, 14898, "CENTRALBK-BE", "CENTRAL BANK OF INDIA", None, 0.0, 0.05, 1, "EQ", "NSE", "NSE")
NIFTY = Instrument(256265, 1001, "NIFTY 50", "NIFTY 50", None, 0.0, 0.0, 1, "EQ", "INDICES", "NSE")
FUTURE = Instrument(14600194, 57032, "INFY26JULFUT", "INFY", date(2026, 7, 28), 0.0, 0.1, 400, "FUT", "NFO-FUT", "NFO")


def made(exchange: str, segment: str, kind: str = "FUT", code: int | None = None) -> Instrument:
    code = SEGMENT_CODES[segment.partition("-")[0]] if code is None else code
    return replace(FUTURE, token=57032 * 256 + code, segment=segment, exchange=exchange, instrument_type=kind)


def test_segment_codes_are_those_of_the_socket() -> None:
    on_the_socket = {segment.name: int(segment) for segment in Segment}
    assert SEGMENT_CODES.items() <= on_the_socket.items()


@pytest.mark.parametrize(("segment", "code"), [("NFO-OPT", 2), ("NSE", 1), ("INDICES", 9), ("NCO-FUT", 12)])
def test_the_code_of_a_segment_is_that_of_its_first_part(segment: str, code: int) -> None:
    assert segment_code(segment) == code


def test_an_unknown_segment_has_no_code() -> None:
    assert segment_code("MARS-FUT") is None
    assert token_of(1, "MARS") is None


def test_tokens_are_formed_as_the_exchange_forms_them() -> None:
    assert token_of(1594, "NSE") == 408065
    assert token_of(1001, "INDICES") == 256265


def test_people_and_sockets_find_the_same_instrument() -> None:
    day = InstrumentDay(DAY, (INFY, NIFTY, INFY_BSE, FUTURE))
    assert day.with_key("NSE:NIFTY 50") is day.with_token(256265) is NIFTY
    assert day.with_key("BSE:INFY") is INFY_BSE
    assert day.by_underlying == {"NFO:INFY": (FUTURE,)}


def test_symbols_keep_their_odd_characters() -> None:
    odd = [
        replace(INFY, token=256 * at + 1, exchange_token=at, tradingsymbol=symbol)
        for at, symbol in enumerate(["M&M", "BAJAJ-AUTO", "A:B", "TWO WORDS", "63MOONS"], start=1)
    ]
    day = InstrumentDay(DAY, tuple(odd))
    assert [day.with_key(f"NSE:{one.tradingsymbol}") for one in odd] == odd


def test_what_the_dump_does_not_know_is_refused_by_name() -> None:
    day = InstrumentDay(DAY, (INFY,))
    with pytest.raises(InstrumentError, match="NSE:TCS"):
        day.with_key("NSE:TCS")
    with pytest.raises(InstrumentError, match="token 7"):
        day.with_token(7)


def test_a_token_that_stands_twice_is_not_one_day() -> None:
    with pytest.raises(InstrumentError, match=r"408065 = NSE:INFY, NSE:OTHER"):
        InstrumentDay(DAY, (INFY, NIFTY, replace(INFY, tradingsymbol="OTHER")))


def test_a_key_that_stands_twice_is_refused_only_when_asked_for() -> None:
    day = InstrumentDay(DAY, (INFY, replace(INFY, token=769, exchange_token=3), NIFTY))
    assert day.with_token(769).exchange_token == 3
    assert day.with_key("NSE:NIFTY 50") is NIFTY
    with pytest.raises(InstrumentError, match="408065, 769"):
        day.with_key("NSE:INFY")


def test_fno_names_come_from_live_equity_derivatives_only() -> None:
    expired = replace(FUTURE, token=514, exchange_token=2, name="OLD", expiry=date(2026, 6, 30))
    undated = replace(FUTURE, token=770, exchange_token=3, name="UNDATED", expiry=None)
    nameless = replace(FUTURE, token=1026, exchange_token=4, name="")
    currency = replace(made("CDS", "CDS-FUT"), name="USDINR")
    day = InstrumentDay(DAY, (INFY, FUTURE, expired, undated, nameless, currency))
    assert day.fno_names == {"INFY"}


def test_a_contract_lives_through_its_expiry_day() -> None:
    assert FUTURE.is_live(date(2026, 7, 28))
    assert not FUTURE.is_live(date(2026, 7, 29))
    assert not INFY.is_live(DAY)


@pytest.mark.parametrize(
    ("instrument", "expected"),
    [
        (INFY, SessionClass.NSE_CASH_FNO),
        (INFY_BSE, SessionClass.BSE_CASH_FNO),
        (SMALL, SessionClass.NSE_CASH),
        (replace(INFY_BSE, tradingsymbol="OTHER"), SessionClass.BSE_CASH),
        (NIFTY, SessionClass.NSE_INDEX),
        (replace(NIFTY, exchange="BSE"), SessionClass.BSE_INDEX),
        (replace(NIFTY, exchange="MCX"), SessionClass.MCX),
        (FUTURE, SessionClass.NSE_DERIVATIVES),
        (made("BFO", "BFO-OPT", "CE"), SessionClass.BSE_DERIVATIVES),
        (made("CDS", "CDS-FUT"), SessionClass.NSE_CURRENCY),
        (made("BCD", "BCD-OPT", "PE"), SessionClass.BSE_CURRENCY),
        (made("MCX", "MCX-FUT"), SessionClass.MCX),
    ],
)
def test_opening_hours_by_exchange_and_segment(instrument: Instrument, expected: SessionClass) -> None:
    assert session_class(instrument, frozenset({"INFY"})) is expected


def test_the_series_suffix_is_another_name() -> None:
    # INFY-BL is a block-deal window without futures of its own
    blocks = replace(INFY, tradingsymbol="INFY-BL")
    assert session_class(blocks, frozenset({"INFY"})) is SessionClass.NSE_CASH


@pytest.mark.parametrize(
    ("instrument", "named"),
    [
        (made("NCO", "NCO-FUT"), "NCO"),
        (replace(NIFTY, exchange="NSEIX"), "NSEIX"),
        (made("GLOBAL", "GLOBAL", code=0), "GLOBAL"),
        (replace(INFY, token=408066), "ends in segment 2"),
        (replace(INFY, segment="BSE", token=1594 * 256 + 4), "does not belong"),
        (replace(INFY, instrument_type="FUT"), "not supported"),
    ],
)
def test_hours_that_we_do_not_know_are_refused_by_name(instrument: Instrument, named: str) -> None:
    with pytest.raises(InstrumentError, match=named):
        session_class(instrument, frozenset())
