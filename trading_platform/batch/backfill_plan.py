"""Which candles of past sessions are to be asked for: instruments and sessions in, requests that Kite takes out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from trading_platform.errors import NoSessionError, UnknownSessionDate
from trading_platform.market.instruments import SEGMENT_CODES, Instrument, InstrumentDay
from trading_platform.market.session_kinds import SessionClass
from trading_platform.market.sessions import SessionTable
from trading_platform.market.universe import Universe

REFERENCE_CLASS = SessionClass.NSE_CASH_FNO
"""Sessions are counted by this class; those that another has in between come with them."""

MOST_DAYS = 60
"""Days that one request for minute candles may span."""

Name = tuple[str, str]
"""Symbol and segment: what an instrument is called through the sessions of its life, while tokens are reused."""

_SEGMENT_NAMES = {code: name for name, code in SEGMENT_CODES.items()}


@dataclass(frozen=True, slots=True)
class Target:
    """An instrument whose candles are wanted."""

    token: int
    symbol: str
    segment: str
    session_class: SessionClass
    is_index: bool

    @property
    def name(self) -> Name:
        """Return what it is called."""
        return self.symbol, self.segment


@dataclass(frozen=True, slots=True)
class Request:
    """What one question to Kite is about: sessions of one instrument, ascending, that its window spans."""

    target: Target
    sessions: tuple[date, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to ask for, and what need not be asked because the dump of that session does not list the instrument."""

    requests: tuple[Request, ...]
    unlisted: tuple[tuple[Target, date], ...]


def past_sessions(table: SessionTable, until: date, count: int) -> list[date]:
    """Return the last `count` sessions up to and including `until`, and what other classes have between them."""
    last_is_one = table.is_session(REFERENCE_CLASS, until)
    back = count - 1 if last_is_one else count
    first = table.previous_session(REFERENCE_CLASS, until, back) if back else until
    return table.any_session_dates(first, until)


def targets_of(universe: Universe, day: InstrumentDay) -> list[Target]:
    """Return what a universe subscribes, in its order."""
    return [target_of(day.with_token(chosen.token), chosen.session_class) for chosen in universe.chosen]


def target_of(one: Instrument, hours: SessionClass) -> Target:
    """Return an instrument as a target; `hours` is the class whose sessions it has."""
    return Target(one.token, one.tradingsymbol, _SEGMENT_NAMES[one.token % 256], hours, one.is_index)


def plan_requests(
    targets: Iterable[Target],
    sessions: Sequence[date],
    *,
    table: SessionTable,
    done: frozenset[tuple[date, Name, int | None]],
    listed: Mapping[date, frozenset[Name]],
) -> Plan:
    """Return the requests for whatever of `sessions` is not done, in the order of `targets`.

    `done` names (session, instrument, token), token None for any: a refusal counts for the token that was refused.
    `listed` holds what the dumps of some sessions list; of other sessions it is not known.
    """
    open_on = {one: [day for day in sessions if _is_open(table, one, day)] for one in SessionClass}
    requests: list[Request] = []
    unlisted: list[tuple[Target, date]] = []
    for target in targets:
        wanted = []
        for day in open_on[target.session_class]:
            if (day, target.name, None) in done or (day, target.name, target.token) in done:
                continue
            if day in listed and target.name not in listed[day]:
                unlisted.append((target, day))
            else:
                wanted.append(day)
        requests += [Request(target, part) for part in _windows(wanted)]
    return Plan(tuple(requests), tuple(unlisted))


def _is_open(table: SessionTable, session_class: SessionClass, on: date) -> bool:
    """Return whether the class traded, at hours that are known."""
    try:
        table.session(session_class, on)
    except (NoSessionError, UnknownSessionDate):
        return False
    return True


def _windows(days: Sequence[date]) -> list[tuple[date, ...]]:
    """Cut ascending days into runs that one request may span."""
    runs: list[list[date]] = []
    for day in days:
        if runs and (day - runs[-1][0]).days < MOST_DAYS:
            runs[-1].append(day)
        else:
            runs.append([day])
    return [tuple(run) for run in runs]
