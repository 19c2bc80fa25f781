"""What is asked of one instrument: which session, up to which moment, which of the day's instruments."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time

from trading_platform.calc.patterns.catalogue import PATTERNS, Declaration
from trading_platform.errors import BadQuestion
from trading_platform.market.clock import IST, to_ns
from trading_platform.market.instruments import Instrument, InstrumentDay

_NEAREST = 5
_WALL_TIME = "HH:MM, HH:MM:SS or an ISO timestamp such as 2026-08-20T10:30:00+05:30"


@dataclass(frozen=True, slots=True)
class Question:
    """A question as a person types it."""

    symbol: str
    at: str | None = None
    why_not: str | None = None
    session: str | None = None


def session_asked(question: Question, sessions: list[date], shard: str) -> date:
    """Return the session in question: the one that is named, that of `at`, or the newest that has a journal."""
    if not sessions:
        raise BadQuestion(f"shard {shard} has no journal at all: record or play a session first, or mend TP_DATA_DIR")
    named = _named_session(question)
    if named is not None and named not in sessions:
        shown = ", ".join(str(one) for one in sessions[-10:])
        raise BadQuestion(f"shard {shard} has no journal of {named}; there are journals of {shown}")
    return sessions[-1] if named is None else named


def moment_asked(at: str | None, session: date) -> int | None:
    """Return the moment up to which records count (ns since the epoch), None: all; a plain time is of the session."""
    if at is None:
        return None
    clock = _wall_time(at)
    moment = _moment(at) if clock is None else datetime.combine(session, clock, IST)
    if moment.date() != session:
        raise BadQuestion(f"--at {at} is of {moment.date()}, the session in question is {session}: name --session too")
    return to_ns(moment)


def pattern_asked(named: str | None) -> Declaration | None:
    """Return the pattern of a name; raise BadQuestion that lists all of them."""
    if named is None:
        return None
    found = [one for one in PATTERNS.values() if one.name == named.strip().lower()]
    if not found:
        raise BadQuestion(
            f"there is no pattern {named!r}; the patterns are {', '.join(p.name for p in PATTERNS.values())}"
        )
    return found[0]


def instrument_asked(symbol: str, day: InstrumentDay, subscribed: Iterable[int]) -> Instrument:
    """Return the instrument that a symbol, EXCHANGE:SYMBOL or a token names.

    A symbol of several instruments means the one that is subscribed. Raise BadQuestion that names the nearest symbols,
    or the keys among which to choose.
    """
    carried = set(subscribed)
    wanted = symbol.strip().casefold()
    found = [one for one in day.instruments if wanted in (str(one.token), one.key.casefold(), _plain(one))]
    if len(found) > 1:
        found = [one for one in found if one.token in carried] or found
    if len(found) > 1:
        keys = ", ".join(sorted(f"{one.key} ({one.token})" for one in found))
        raise BadQuestion(f"{symbol} stands for {keys} on {day.session}: name one of them, or its token")
    if found:
        return found[0]
    near = _nearest(wanted, [one for one in day.instruments if one.token in carried]) or _nearest(
        wanted, day.instruments
    )
    hint = f"the nearest are {', '.join(near)}" if near else "no symbol is near it"
    raise BadQuestion(f"the dump of {day.session} has no instrument {symbol!r}; {hint}")


def _named_session(question: Question) -> date | None:
    if question.session is not None:
        return _date(question.session)
    if question.at is None or _wall_time(question.at) is not None:
        return None
    return _moment(question.at).date()


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise BadQuestion(f"--session {text} is no date: write it as 2026-08-20") from None


def _wall_time(text: str) -> time | None:
    plain = text.strip()
    try:
        found = time.fromisoformat(f"0{plain}" if plain[1:2] == ":" else plain)
    except ValueError:
        return None
    return found if found.tzinfo is None and ":" in text else None


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise BadQuestion(f"--at {text} is no time: write {_WALL_TIME}") from None
    if len(text.strip()) <= len("2026-08-20"):
        raise BadQuestion(f"--at {text} names a day and no time: write {_WALL_TIME}")
    return moment.astimezone(IST) if moment.tzinfo else moment.replace(tzinfo=IST)


def _plain(one: Instrument) -> str:
    return one.tradingsymbol.casefold()


def _nearest(wanted: str, instruments: Iterable[Instrument]) -> list[str]:
    by_plain = {_plain(one): one.tradingsymbol for one in instruments}
    plain = wanted.rpartition(":")[2]
    return [by_plain[one] for one in difflib.get_close_matches(plain, by_plain, _NEAREST)]
