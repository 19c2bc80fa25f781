from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_platform.market.instrument_rows import Reason, RowError, read_fields, split_line

GOOD = b'408065,1594,INFY,"INFOSYS, LTD",1573.7,2026-07-28,0,0.05,1,EQ,NSE,NSE'
TYPED = (408065, 1594, "INFY", "INFOSYS, LTD", 1573.7, date(2026, 7, 28), 0.0, 0.05, 1, "EQ", "NSE", "NSE")
FIELDS = ["408065", "1594", "INFY", "INFOSYS", "0", "", "0", "0.05", "1", "EQ", "NSE", "NSE"]
TOKEN, SYMBOL, PRICE, EXPIRY, STRIKE, TICK, LOT = 0, 2, 4, 5, 6, 7, 8


def changed(place: int, text: str) -> list[str]:
    return [*FIELDS[:place], text, *FIELDS[place + 1 :]]


def reason_of(fields: list[str]) -> Reason:
    with pytest.raises(RowError) as caught:
        read_fields(fields)
    return caught.value.fault.reason


def test_a_good_line_becomes_typed_values() -> None:
    assert read_fields(split_line(GOOD)) == TYPED


@pytest.mark.parametrize(
    ("place", "text", "value"),
    [
        (EXPIRY, "", None),
        (STRIKE, "0", 0.0),
        (STRIKE, "-0.01", -0.01),  # futures in the dumps of 2017
        (STRIKE, "3050.", 3050.0),
        (STRIKE, ".5", 0.5),
        (TICK, "2.5e-3", 0.0025),
        (LOT, "50.0", 50),
        (LOT, "0", 0),
        (TOKEN, "4294967295", 4294967295),
    ],
)
def test_numbers_and_dates_as_dumps_write_them(place: int, text: str, value: object) -> None:
    assert read_fields(changed(place, text))[place] == value


@pytest.mark.parametrize(
    ("place", "text", "reason"),
    [
        (TOKEN, "", Reason.NOT_A_NUMBER),
        (TOKEN, "40806x", Reason.NOT_A_NUMBER),
        (TOKEN, "4_08065", Reason.NOT_A_NUMBER),
        (TOKEN, "٤٠٨", Reason.NOT_A_NUMBER),
        (TOKEN, "4.5", Reason.NOT_A_NUMBER),
        (TOKEN, "-1", Reason.OUT_OF_RANGE),
        (TOKEN, "4294967296", Reason.OUT_OF_RANGE),
        (TOKEN, "1" * 5000, Reason.OUT_OF_RANGE),
        (1, "4294967296", Reason.OUT_OF_RANGE),
        (SYMBOL, "", Reason.EMPTY_SYMBOL),
        (SYMBOL, "  ", Reason.EMPTY_SYMBOL),
        (PRICE, "nan", Reason.NOT_A_NUMBER),
        (PRICE, "inf", Reason.NOT_A_NUMBER),
        (PRICE, "1e999", Reason.OUT_OF_RANGE),
        (STRIKE, "1,5", Reason.NOT_A_NUMBER),
        (TICK, "", Reason.NOT_A_NUMBER),
        (LOT, "-1", Reason.NEGATIVE_LOT),
        (LOT, "1.5", Reason.NOT_A_NUMBER),
        (LOT, str(1 << 63), Reason.OUT_OF_RANGE),
        (EXPIRY, "2026-02-30", Reason.BAD_DATE),
        (EXPIRY, "28-07-2026", Reason.BAD_DATE),
        (EXPIRY, "20260728", Reason.BAD_DATE),
        (EXPIRY, "0000-00-00", Reason.BAD_DATE),
    ],
)
def test_a_bad_field_is_named(place: int, text: str, reason: Reason) -> None:
    assert reason_of(changed(place, text)) is reason


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"1,\xff,3", Reason.BAD_UTF8),
        (b"1,a\0b,3", Reason.CONTROL_CHARACTER),
        (b"1,a\rb,3", Reason.CONTROL_CHARACTER),
        (b'1,"INFOSYS,3', Reason.UNTERMINATED_QUOTE),
        (b'1,"INFO"SYS,3', Reason.BAD_QUOTE),
    ],
)
def test_a_line_that_cannot_be_split_is_named(line: bytes, reason: Reason) -> None:
    with pytest.raises(RowError) as caught:
        split_line(line)
    assert caught.value.fault.reason is reason


def test_quotes_hold_commas_and_quotes() -> None:
    assert split_line(b'1,"A ""B"", C",""') == ["1", 'A "B", C', ""]


@given(st.binary(max_size=80))
def test_no_line_does_more_than_name_its_fault(line: bytes) -> None:
    try:
        split_line(line)
    except RowError as broken:
        faults = [broken.fault]
    else:
        faults = []
    assert all(fault.reason in Reason for fault in faults)


@given(st.lists(st.text(max_size=8), min_size=12, max_size=12))
def test_no_fields_do_more_than_name_their_fault(fields: list[str]) -> None:
    try:
        read_fields(fields)
    except RowError as broken:
        faults = [broken.fault]
    else:
        faults = []
    assert all(fault.detail for fault in faults)
