"""Whose volume or value stands beside that of an instrument: the other option of its strike, and India VIX."""

from collections.abc import Iterator, Mapping
from datetime import date

from trading_platform.calc.pass_layout import OTHER_LEG, VIX_ROW, Memory
from trading_platform.market.instruments import Instrument, InstrumentDay

VIX = "INDIA VIX"
_LEGS = {"CE": "PE", "PE": "CE"}


def other_leg(symbol: str) -> str:
    """Return the symbol of the put of a call, or of the call of a put; of anything else no symbol."""
    stem, leg = symbol[:-2], symbol[-2:]
    return stem + _LEGS[leg] if leg in _LEGS and stem[-1:].isdigit() else ""


def legs_of(day: InstrumentDay, rows: Mapping[int, int], first: int) -> Iterator[tuple[int, int]]:
    """Return pairs of rows (token -> row) whose options make a straddle, one of each pair at `first` or behind it."""
    options = {
        _strike(one): rows[one.token] for one in day.instruments if one.instrument_type in _LEGS and one.token in rows
    }
    for (exchange, name, expiry, strike, leg), row in options.items():
        other = options.get((exchange, name, expiry, strike, _LEGS[leg]))
        if row >= first and other is not None:
            yield row, other


def note_companions(memory: Memory, day: InstrumentDay, first: int) -> None:
    """Note in the rows of a pass, from `first` on, which is the other leg of a straddle, and which one India VIX."""
    rows = {int(token): row for row, token in enumerate(memory.tokens)}
    for row, other in legs_of(day, rows, first):
        memory.state[row, OTHER_LEG], memory.state[other, OTHER_LEG] = other, row
    vix = vix_token(day)
    if vix in rows:
        memory.scalars[VIX_ROW] = rows[vix]


def vix_token(day: InstrumentDay) -> int | None:
    """Return the token of India VIX, None when the dump does not list it."""
    found = (one.token for one in day.instruments if one.is_index and one.tradingsymbol == VIX)
    return next(found, None)


def _strike(option: Instrument) -> tuple[str, str, date | None, float, str]:
    return option.exchange, option.name, option.expiry, option.strike, option.instrument_type
