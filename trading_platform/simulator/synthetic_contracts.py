"""The dated contracts of the synthetic index: two futures and one option chain, with expiries of the session table."""

import calendar
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from trading_platform.errors import InstrumentError, NoSessionError, UnknownSessionDate
from trading_platform.market.clock import IST
from trading_platform.market.instruments import Instrument, token_of
from trading_platform.market.sessions import SessionClass, SessionTable
from trading_platform.market.synthetic_tokens import exchange_tokens

INDEX = "SYNDEX"
LOT = 75
TICK_SIZE = 0.05
STRIKES_EACH_SIDE = 10

# NSE moved the expiry of its index contracts from Thursday to Tuesday
TUESDAY_FROM = date(2025, 9, 1)
_TUESDAY, _THURSDAY = 1, 3

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_EXPIRY_TIME = time(15, 30)


@dataclass(frozen=True, slots=True)
class Chain:
    """Futures, near month first, and options, strike by strike, call before put."""

    futures: tuple[Instrument, ...]
    options: tuple[Instrument, ...]


def weekly_expiry(session: date, table: SessionTable) -> date:
    """Return the first expiry on or after a session: the weekday of the time, or the session before a closed one."""
    for days in range(8):
        day = session + timedelta(days=days)
        if day.weekday() == _expiry_weekday(day) and (expiry := _or_before(day, table)) >= session:
            return expiry
    # the expiry of this week was brought forward to before this session
    return weekly_expiry(session + timedelta(days=1), table)


def monthly_expiries(session: date, table: SessionTable) -> tuple[date, date]:
    """Return the next two month-end expiries on or after a session."""
    found: list[date] = []
    year, month = session.year, session.month
    while len(found) < 2:
        if (expiry := _last_of_month(year, month, table)) >= session:
            found.append(expiry)
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
    return found[0], found[1]


def make_chain(session: date, level: float, table: SessionTable) -> Chain:
    """Return the contracts of a session; strikes stand around the index level at its open."""
    futures = [
        (f"{INDEX}{day:%y}{_MONTHS[day.month - 1]}FUT", day, 0.0, "FUT") for day in monthly_expiries(session, table)
    ]
    expiry = weekly_expiry(session, table)
    step = strike_step(level)
    middle = round(level / step)
    options = [
        (f"{INDEX}{expiry:%y%m%d}{strike:g}{kind}", expiry, strike, kind)
        for strike in (step * place for place in range(middle - STRIKES_EACH_SIDE, middle + STRIKES_EACH_SIDE + 1))
        for kind in ("CE", "PE")
    ]
    tokens = exchange_tokens(symbol for symbol, *_ in (*futures, *options))
    return Chain(
        tuple(_contract(*future, tokens[future[0]]) for future in futures),
        tuple(_contract(*option, tokens[option[0]]) for option in options),
    )


def strike_step(level: float) -> float:
    """Return the distance of strikes that suits a level: about a quarter of a percent, of digits 1, 2 or 5."""
    wanted = level * 0.0025
    power = 10.0 ** (len(str(int(max(wanted, 1.0)))) - 1)
    return max(factor * power for factor in (1.0, 2.0, 5.0) if factor * power <= max(wanted, 1.0))


def years_to(expiry: date, seconds: float) -> float:
    """Return the time from a moment (seconds since the epoch) to the end of an expiry day, in years of 365 days."""
    end = datetime.combine(expiry, _EXPIRY_TIME, IST).timestamp()
    return max(end - seconds, 0.0) / (365.0 * 24 * 3600)


def _expiry_weekday(day: date) -> int:
    return _TUESDAY if day >= TUESDAY_FROM else _THURSDAY


def _or_before(day: date, table: SessionTable) -> date:
    """Return this day or the last session before it; beyond the table the weekday itself, no holiday is known there."""
    try:
        if table.is_session(SessionClass.NSE_DERIVATIVES, day):
            return day
        return table.previous_session(SessionClass.NSE_DERIVATIVES, day)
    except (UnknownSessionDate, NoSessionError):
        return day


def _last_of_month(year: int, month: int, table: SessionTable) -> date:
    last = date(year, month, calendar.monthrange(year, month)[1])
    return _or_before(last - timedelta(days=(last.weekday() - _expiry_weekday(last)) % 7), table)


def _contract(symbol: str, expiry: date, strike: float, kind: str, exchange_token: int) -> Instrument:
    segment = "NFO-FUT" if kind == "FUT" else "NFO-OPT"
    token = token_of(exchange_token, segment)
    if token is None:
        raise InstrumentError(f"segment {segment} has no code; add it to SEGMENT_CODES")
    return Instrument(
        token=token,
        exchange_token=exchange_token,
        tradingsymbol=symbol,
        name=INDEX,
        expiry=expiry,
        strike=strike,
        tick_size=TICK_SIZE,
        lot_size=LOT,
        instrument_type=kind,
        segment=segment,
        exchange="NFO",
    )
