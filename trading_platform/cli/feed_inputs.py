"""What the feed subscribes: the day's dump, its universe by socket, and how somebody changes that during the day."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import orjson

from trading_platform.batch.instrument_dump import day_of, read_dump
from trading_platform.batch.reference import choose_universe, dump_path, missing_dump
from trading_platform.errors import InstrumentError, LakeError, MissingInput, UnknownSessionDate
from trading_platform.market.clock import NS_PER_SECOND, to_ns
from trading_platform.market.instruments import InstrumentDay, session_class
from trading_platform.market.session_kinds import RECORDING_LEAD_SECONDS, Phase, PhaseKind
from trading_platform.market.sessions import SessionClass, SessionTable
from trading_platform.market.universe import PER_SOCKET, SOCKETS
from trading_platform.settings import Settings
from trading_platform.storage.lake import Lake
from trading_platform.wire.lake_tables import SUBSCRIPTION_UNIVERSE

MARGIN_SECONDS = 60
"""How long after the last phase a session stays open: late packets revise bars for half as long."""


@dataclass(slots=True)
class SocketPlan:
    """Which tokens each socket carries; what it begins with is the day's plan, which a change is measured by."""

    sockets: list[tuple[int, ...]]
    per_socket: int = PER_SOCKET
    most_sockets: int = SOCKETS
    refused: set[int] = field(default_factory=set)
    planned: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Keep the plan."""
        self.planned = tuple(token for held in self.sockets for token in held)

    @property
    def tokens(self) -> frozenset[int]:
        """Return all tokens."""
        return frozenset(token for held in self.sockets for token in held)

    def change(self, change: "UniverseChange") -> tuple[dict[int, tuple[int, ...]], dict[int, tuple[int, ...]]]:
        """Become the plan with a change, in place of any before; return what is gone and what is new, by socket."""
        removed = set(change.remove)
        wanted = [token for token in dict.fromkeys((*self.planned, *change.add)) if token not in removed]
        kept, gone = set(wanted), {}
        for number, held in enumerate(self.sockets):
            if left := tuple(token for token in held if token not in kept):
                gone[number] = left
                self.sockets[number] = tuple(token for token in held if token in kept)
        self.refused.clear()
        return gone, self.add(wanted)

    def add(self, tokens: list[int]) -> dict[int, tuple[int, ...]]:
        """Place tokens that are new where there is room; return them by socket. What finds none is in `refused`."""
        placed: dict[int, tuple[int, ...]] = {}
        fresh = [token for token in dict.fromkeys(tokens) if token not in self.tokens]
        for number in range(self.most_sockets):
            if number == len(self.sockets) and fresh:
                self.sockets.append(())
            if number < len(self.sockets):
                room = self.per_socket - len(self.sockets[number])
                if taken := tuple(fresh[:room]):
                    placed[number], fresh = taken, fresh[room:]
                    self.sockets[number] += taken
        self.refused.update(fresh)
        return placed


def read_day(settings: Settings, session: date) -> InstrumentDay:
    """Return the instruments of a session from its dump; raise MissingInput or BadFileError."""
    path = dump_path(settings.dumps_dir, session)
    if path is None:
        raise missing_dump(settings.dumps_dir, session)
    return day_of(session, read_dump(path).rows)


def plan_sockets(settings: Settings, day: InstrumentDay) -> tuple[SocketPlan, dict[str, str]]:
    """Return the universe by socket, and what it lacks: that of the lake if it holds the session, else by rule."""
    try:
        rows = Lake(settings.lake_dir).read_sessions(SUBSCRIPTION_UNIVERSE.name, [day.session]).sort("priority")
        by_socket = rows.group_by("socket", maintain_order=True).agg("token").sort("socket")
        return SocketPlan([tuple(tokens) for tokens in by_socket["token"].to_list()]), {}
    except (MissingInput, LakeError):
        universe = choose_universe(day, {})
        return SocketPlan(list(universe.by_socket)), {one.name: one.reason for one in universe.missing}


def planned_classes(day: InstrumentDay, tokens: frozenset[int]) -> dict[SessionClass, int]:
    """Return how many of the tokens keep which opening hours; those whose hours we do not know are in none."""
    classes: Counter[SessionClass] = Counter()
    for token in tokens:
        try:
            classes[session_class(day.with_token(token), day.fno_names)] += 1
        except InstrumentError:
            continue
    return dict(classes)


def session_times(day: InstrumentDay, tokens: frozenset[int], table: SessionTable) -> tuple[int, int]:
    """Return when sockets connect and when the session is over, nanoseconds; raise MissingInput when nothing trades."""
    phases: list[Phase] = []
    for hours in planned_classes(day, tokens):
        try:
            if table.is_session(hours, day.session):
                phases += table.session(hours, day.session).phases
        except UnknownSessionDate:
            continue
    if not phases:
        raise MissingInput(f"nothing that is subscribed on {day.session} trades that day; look at its dump")
    begin = to_ns(min(phase.start for phase in phases)) - RECORDING_LEAD_SECONDS * NS_PER_SECOND
    return begin, to_ns(max(phase.end for phase in phases)) + MARGIN_SECONDS * NS_PER_SECOND


class ContinuousHours:
    """Tells when an instrument is in continuous trading (seconds since the epoch); one we know nothing of never is."""

    def __init__(self, day: InstrumentDay, table: SessionTable) -> None:
        self._day, self._table = day, table
        self._known: dict[SessionClass, tuple[tuple[int, int], ...]] = {}

    def __call__(self, token: int) -> tuple[tuple[int, int], ...]:
        """Return begin and end of each phase."""
        try:
            hours = session_class(self._day.with_token(token), self._day.fno_names)
            if hours not in self._known:
                self._known[hours] = self._of(hours)
        except (InstrumentError, UnknownSessionDate):
            return ()
        return self._known[hours]

    def missed_since(self, tokens: tuple[int, ...], at_ns: int, *, patience_ns: int) -> int | None:
        """Return when these began to trade if that is longer ago than `patience_ns`, else None (nanoseconds)."""
        begun = (begin * NS_PER_SECOND for token in tokens for begin, _ in self(token))
        opened_ns = min(begun, default=at_ns)
        return opened_ns if at_ns - opened_ns > patience_ns else None

    def _of(self, hours: SessionClass) -> tuple[tuple[int, int], ...]:
        if not self._table.is_session(hours, self._day.session):
            return ()
        phases = self._table.session(hours, self._day.session).phases
        return tuple(
            (int(phase.start.timestamp()), int(phase.end.timestamp()))
            for phase in phases
            if phase.kind is PhaseKind.CONTINUOUS
        )


@dataclass(frozen=True, slots=True)
class UniverseChange:
    """How a universe differs from its plan; no token is in both."""

    add: tuple[int, ...] = ()
    remove: tuple[int, ...] = ()


class UniverseFile:
    """Watches a file `{"add": [token, ...], "remove": [token, ...]}`; tokens that cannot be meant are named."""

    def __init__(self, path: Path, day: InstrumentDay) -> None:
        self._path = path
        self._known = {one.token for one in day.instruments}
        self._seen: bytes | None = None

    def changed(self) -> tuple[UniverseChange | None, str | None]:
        """Return what the file says when it is new, and what is wrong with it; a file that is gone changes nothing."""
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return None, None
        except OSError as error:
            return None, f"{self._path} cannot be read: {error.strerror}"
        if content == self._seen:
            return None, None
        self._seen = content
        try:
            listed = _lists(orjson.loads(content))
        except (orjson.JSONDecodeError, TypeError):
            shape = '{"add": [token, ...], "remove": [token, ...]}'
            return None, f"{self._path} is not {shape}; nothing is changed"
        known = {name: [one for one in tokens if type(one) is int and one in self._known] for name, tokens in listed}
        unknown = [one for _, tokens in listed for one in tokens if type(one) is not int or one not in self._known]
        both = set(known["add"]) & set(known["remove"])
        add, remove = (tuple(token for token in known[name] if token not in both) for name in ("add", "remove"))
        return UniverseChange(add, remove), self._wrong(unknown, sorted(both))

    def _wrong(self, unknown: list[Any], both: list[int]) -> str | None:
        faults = []
        for listed, fault in ((unknown, "are not in the day's dump"), (both, "are added and removed, so neither")):
            if listed:
                shown = ", ".join(str(each)[:20] if isinstance(each, int | str) else "?" for each in listed[:5])
                faults.append(f"{len(listed)} {fault}: {shown}")
        return f"{self._path}: {'; '.join(faults)}" if faults else None


def _lists(parsed: Any) -> list[tuple[str, list[Any]]]:
    """Return both lists; raise TypeError for anything else."""
    if not isinstance(parsed, dict) or not parsed or set(parsed) - {"add", "remove"}:
        raise TypeError
    listed = [(name, parsed.get(name, [])) for name in ("add", "remove")]
    if not all(isinstance(tokens, list) for _, tokens in listed):
        raise TypeError
    return listed
