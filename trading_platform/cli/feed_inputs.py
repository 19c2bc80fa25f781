"""What the feed subscribes: the day's dump, its universe by socket, and tokens that somebody adds during the day."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import orjson

from trading_platform.batch.instrument_dump import day_of, read_dump
from trading_platform.batch.reference import choose_universe, dump_path, missing_dump
from trading_platform.errors import InstrumentError, LakeError, MissingInput, UnknownSessionDate
from trading_platform.market.clock import NS_PER_SECOND, to_ns
from trading_platform.market.instruments import InstrumentDay, session_class
from trading_platform.market.session_kinds import Phase
from trading_platform.market.sessions import SessionClass, SessionTable
from trading_platform.market.universe import PER_SOCKET, SOCKETS
from trading_platform.settings import Settings
from trading_platform.storage.lake import Lake
from trading_platform.wire.lake_tables import SUBSCRIPTION_UNIVERSE

LEAD_SECONDS = 900
"""How long before the first phase of the day the sockets are connected."""

MARGIN_SECONDS = 60
"""How long after the last phase a session stays open: late packets revise bars for half as long."""


@dataclass(slots=True)
class SocketPlan:
    """Which tokens each socket carries; it only ever grows during a day."""

    sockets: list[tuple[int, ...]]
    per_socket: int = PER_SOCKET
    most_sockets: int = SOCKETS
    refused: set[int] = field(default_factory=set)

    @property
    def tokens(self) -> frozenset[int]:
        """Return all tokens."""
        return frozenset(token for held in self.sockets for token in held)

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
    begin = to_ns(min(phase.start for phase in phases)) - LEAD_SECONDS * NS_PER_SECOND
    return begin, to_ns(max(phase.end for phase in phases)) + MARGIN_SECONDS * NS_PER_SECOND


class AddedTokens:
    """Watches a file `{"add": [token, ...]}`; tokens that the day's dump does not know are named, not subscribed."""

    def __init__(self, path: Path, day: InstrumentDay) -> None:
        self._path = path
        self._known = {one.token for one in day.instruments}
        self._seen: bytes | None = None

    def changed(self) -> tuple[list[int], str | None]:
        """Return the tokens that the file lists when it is new, and what is wrong with it."""
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return [], None
        except OSError as error:
            return [], f"{self._path} cannot be read: {error.strerror}"
        if content == self._seen:
            return [], None
        self._seen = content
        try:
            listed = orjson.loads(content)["add"]
            tokens = [token for token in listed if type(token) is int and token in self._known]
        except (orjson.JSONDecodeError, LookupError, TypeError):
            return [], f'{self._path} is not {{"add": [token, ...]}}; nothing is added'
        unknown = [each for each in listed if each not in tokens]
        shown = ", ".join(str(each)[:20] for each in unknown[:5])
        return tokens, f"{self._path}: {len(unknown)} are not in the day's dump: {shown}" if unknown else None
