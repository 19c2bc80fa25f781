"""Read one line of Kite's dump: a row of typed values, or the named reason why it is none."""

import csv
import math
import re
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

KITE_COLUMNS = (
    "instrument_token",
    "exchange_token",
    "tradingsymbol",
    "name",
    "last_price",
    "expiry",
    "strike",
    "tick_size",
    "lot_size",
    "instrument_type",
    "segment",
    "exchange",
)

TOKEN_LIMIT = 1 << 32
"""Tokens are unsigned 32-bit words on the socket."""

LOT_LIMIT = 1 << 63

_INTEGER = re.compile(r"[+-]?[0-9]+(\.0*)?")
_DECIMAL = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

Row = tuple[int, int, str, str, float, date | None, float, float, int, str, str, str]
"""Typed values in the order of KITE_COLUMNS."""


class Reason(StrEnum):
    """Why a line is set aside."""

    WRONG_FIELD_COUNT = "wrong_field_count"
    NOT_A_NUMBER = "not_a_number"
    OUT_OF_RANGE = "out_of_range"
    NEGATIVE_LOT = "negative_lot"
    BAD_DATE = "bad_date"
    EMPTY_SYMBOL = "empty_symbol"
    BAD_UTF8 = "bad_utf8"
    CONTROL_CHARACTER = "control_character"
    UNTERMINATED_QUOTE = "unterminated_quote"
    BAD_QUOTE = "bad_quote"
    TRUNCATED = "truncated"


@dataclass(frozen=True, slots=True)
class Fault:
    """A reason and what exactly was found."""

    reason: Reason
    detail: str


class RowError(ValueError):
    """Carries the fault of a line out of the functions that read its fields."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.fault = Fault(reason, detail)


def split_line(line: bytes) -> list[str]:
    """Return the fields of one line without its line end; raise RowError. A quoted field ends on its own line."""
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RowError(Reason.BAD_UTF8, f"byte {error.start + 1} of the line is no UTF-8") from None
    if found := _CONTROL.search(text):
        raise RowError(Reason.CONTROL_CHARACTER, f"character {found.start() + 1} is {found.group()!r}")
    if '"' not in text:
        return text.split(",")
    try:
        return next(csv.reader([text], strict=True))
    except csv.Error as error:
        # the csv module tells the two apart by its message alone
        open_quote = "unexpected end of data" in str(error)
        raise RowError(Reason.UNTERMINATED_QUOTE if open_quote else Reason.BAD_QUOTE, str(error)) from None


def read_fields(fields: list[str]) -> Row:
    """Return the typed values of fields in the order of KITE_COLUMNS; raise RowError naming the first bad one."""
    token, exchange_token, symbol, name, price, expiry, strike, tick, lot, kind, segment, exchange = fields
    if not symbol.strip():
        raise RowError(Reason.EMPTY_SYMBOL, "tradingsymbol is empty")
    return (
        _whole("instrument_token", token, TOKEN_LIMIT),
        _whole("exchange_token", exchange_token, TOKEN_LIMIT),
        symbol,
        name,
        _decimal("last_price", price),
        _date(expiry),
        _decimal("strike", strike),
        _decimal("tick_size", tick),
        _lot(lot),
        kind,
        segment,
        exchange,
    )


def _integer(column: str, text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise RowError(Reason.NOT_A_NUMBER, f"{column} is {text[:40]!r}")
    if len(text) > 40:
        raise RowError(Reason.OUT_OF_RANGE, f"{column} has {len(text)} digits")
    return int(text.partition(".")[0])


def _whole(column: str, text: str, limit: int) -> int:
    value = _integer(column, text)
    if not 0 <= value < limit:
        raise RowError(Reason.OUT_OF_RANGE, f"{column} is {value}, not in 0..{limit - 1}")
    return value


def _lot(text: str) -> int:
    value = _integer("lot_size", text)
    if value < 0:
        raise RowError(Reason.NEGATIVE_LOT, f"lot_size is {value}")
    return _whole("lot_size", text, LOT_LIMIT)


def _decimal(column: str, text: str) -> float:
    if not _DECIMAL.fullmatch(text):
        raise RowError(Reason.NOT_A_NUMBER, f"{column} is {text[:40]!r}")
    value = float(text)
    if math.isinf(value):
        raise RowError(Reason.OUT_OF_RANGE, f"{column} is {text[:40]!r}")
    return value


def _date(text: str) -> date | None:
    if not text:
        return None
    if not _DATE.fullmatch(text):
        raise RowError(Reason.BAD_DATE, f"expiry is {text[:40]!r}, not YYYY-MM-DD")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise RowError(Reason.BAD_DATE, f"expiry {text} is no day of the calendar") from None
