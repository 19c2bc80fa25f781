"""What a journal kept of what the exchange sent: exactly everything, but for one run at each death of the feed.

Frames are taken apart here by hand, not with the platform's decoder: a mistake of that one must not hide itself.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from trading_platform.calc.pass_layout import BarFlag
from trading_platform.market.clock import NS_PER_SECOND
from trading_platform.ports import RecordSource
from trading_platform.wire.journal_records import ControlType, RecordKind, decode_control
from trading_platform.wire.records import Rows
from trading_platform_tests.torture.exchange import Sent

JOINED_SECONDS = 2
"""A client that subscribes within a second is sent what the next one brings."""

UNDER_WAY_SECONDS = 2
"""What the platform allows a packet to take."""

_NEVER = 1 << 62

Bar = tuple[int, int, int]
"""Token, minutes, start."""

_TIME_AT = {184: 60, 32: 28}
"""Where a full packet of an instrument, or of an index, carries the exchange's time."""


@dataclass(frozen=True)
class Kept:
    """One record."""

    number: int
    kind: int
    socket: int
    received_ns: int
    body: bytes

    @property
    def control(self) -> Any:
        return decode_control(self.body)

    @property
    def is_payload(self) -> bool:
        return self.kind != RecordKind.CONTROL

    @property
    def is_data(self) -> bool:
        return self.kind == RecordKind.FRAME and len(self.body) > 1


@dataclass
class Life:
    """One connection of a socket: what it gave, and what it was sent."""

    payloads: list[Kept] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)

    @property
    def joined_second(self) -> int:
        """The exchange's second from which on it was sent everything; connected is not subscribed yet."""
        first = next((one for one in self.sent if not one.is_text and len(one.body) > 1), self.sent[-1])
        return first.at_ns // NS_PER_SECOND + JOINED_SECONDS


@dataclass(frozen=True)
class Packet:
    """A packet that a client which never died was sent."""

    at_ns: int
    token: int
    exchange_time: int
    body: bytes = field(repr=False)

    @property
    def bars(self) -> list[Bar]:
        """The bars that it belongs to, as (token, minutes, start)."""
        return [(self.token, n, self.exchange_time - self.exchange_time % (60 * n)) for n in (1, 5)]


def records_of(source: RecordSource) -> list[Kept]:
    """Return every record."""
    found: list[Kept] = []
    while len(batch := source.read(found[-1].number if found else 0, 1 << 22, 0.0)):
        for row in range(len(batch)):
            at = batch.table[row]
            kept = Kept(int(at["number"]), int(at["kind"]), int(at["socket"]), int(at["received_ns"]), batch.body(row))
            found.append(kept)
    return found


def packets_in(frame: bytes) -> Iterator[bytes]:
    """Yield the packets of a whole frame."""
    at = 2
    for _ in range(int.from_bytes(frame[:2], "big") if len(frame) > 1 else 0):
        size = int.from_bytes(frame[at : at + 2], "big")
        yield frame[at + 2 : at + 2 + size]
        at += 2 + size


def full_packets(sent: list[Sent]) -> list[Packet]:
    """Return the full packets of a socket in order."""
    found = []
    for message in sent:
        for body in () if message.is_text else packets_in(message.body):
            if (second := _second_of(body)) is not None:
                found.append(Packet(message.at_ns, int.from_bytes(body[:4], "big"), second, body))
    return found


def _second_of(packet: bytes) -> int | None:
    """Return the exchange time of a full packet, None for others."""
    at = _TIME_AT.get(len(packet))
    return None if at is None else int.from_bytes(packet[at : at + 4], "big")


def lives_of(records: list[Kept], socket: int) -> list[Life]:
    """Return the connections of a socket that gave a payload, in order."""
    lives: list[Life] = []
    for record in records:
        if record.socket != socket:
            continue
        if record.is_payload:
            lives[-1].payloads.append(record)
        elif record.control.type is ControlType.CONNECTED:
            lives.append(Life())
    return [life for life in lives if life.payloads]


def match(lives: list[Life], sent: list[list[Sent]]) -> list[str]:
    """Give each connection what it was sent, in order; what it kept must be a beginning of it."""
    left = iter(sent)
    for number, life in enumerate(lives):
        kept = [(record.kind == RecordKind.TEXT, record.body) for record in life.payloads]
        for messages in left:
            if [(one.is_text, one.body) for one in messages[: len(kept)]] == kept:
                life.sent = messages
                break
        else:
            return [f"connection {number} kept {len(kept)} messages that no connection was sent"]
    return []


class Account:
    """Compares one socket's records with what the exchange sent, and finds out which bars lack something."""

    def __init__(self, records: list[Kept], socket: int, tokens: frozenset[int], *, sent: list[list[Sent]]) -> None:
        self.socket, self.tokens, self._records = socket, tokens, records
        mine = [one for one in sent if _tokens_in(one) <= tokens]
        self.lives = lives_of(records, socket)
        self.faults = [f"socket {socket}: {fault}" for fault in match(self.lives, mine)]
        controls = [one for one in records if one.socket == socket and not one.is_payload]
        last = self.lives[-1].payloads[-1].number if self.lives else 0
        gaps = [one for one in controls if one.control.type is ControlType.GAP]
        self.gaps = [one for one in gaps if one.number < last]
        self._closing = [one for one in gaps if one.number > last]  # ended by the session and by no payload
        if len(self._closing) != 1:
            self._complain(f"{len(self._closing)} gaps end with the session; the feed was stopped before it was over")
        # a machine that stands still for three seconds makes a socket silent
        self.silences = sum(str(one.control.fields.get("reason")).startswith("silent") for one in controls) - sum(
            str(one.control.fields.get("reason")).startswith("silent") for one in self.gaps
        )

    def check_runs(self) -> None:
        """Every run that is missing must stand as one gap, from the last record before it to the first behind it."""
        mine = [one for one in self._records if one.socket == self.socket]
        whole_ns = data_ns = None  # receive times of the last payload, and of the last frame, with nothing missing
        connected = broken = False
        for record in mine:
            if not record.is_payload:
                if record.control.type is ControlType.CONNECTED:
                    broken, connected = broken or connected, True
                    whole_ns = record.received_ns if whole_ns is None else whole_ns
                elif record.control.type is ControlType.GAP:
                    if not broken and record not in self._closing:
                        self._complain(f"gap {record.number} stands where no connection was made")
                    self._check_gap(record, whole_ns, whole_ns if data_ns is None else data_ns)
                    broken = False
            elif broken and record.is_data:
                self._complain(f"record {record.number} comes from another connection, and no gap stands before it")
                broken = False
            if record.is_payload and not broken:
                whole_ns, data_ns = record.received_ns, record.received_ns if record.is_data else data_ns
        for life in self.lives[-1:]:
            if len(life.payloads) != len(life.sent):
                self._complain(f"{len(life.sent) - len(life.payloads)} messages of the last connection are missing")

    def missing(self, witness: list[Packet]) -> list[Packet]:
        """Return the packets that a client which never died got and this socket did not."""
        if not self.lives or not all(life.sent for life in self.lives):
            return []
        begun = self.lives[0].joined_second
        # each socket has its own place in time: where this one ended, another may have been further
        ended = max((one.exchange_time for one in full_packets(self.lives[-1].sent)), default=0)
        kept = {body for life in self.lives for one in life.payloads if one.is_data for body in packets_in(one.body)}
        return [
            one
            for one in witness
            if one.token in self.tokens and begun <= one.exchange_time < ended and one.body not in kept
        ]

    def is_in_gap(self, packet: Packet) -> bool:
        """Tell whether the packet's exchange time lies in a gap, or so shortly before it that it was under way.

        On a machine that stands still packets are under way for longer, and an exchange there begins to send a while
        after a gap has ended.
        """
        return any(
            gap.control.fields["from_ns"] // NS_PER_SECOND - UNDER_WAY_SECONDS
            <= packet.exchange_time
            <= gap.control.fields["until_ns"] // NS_PER_SECOND
            for gap in self.gaps
        )

    def bars_that_may_be_flagged(self, bars: Rows) -> set[Bar]:
        """Return those whose minutes a gap meets (its first frames may have been under way), or follow it."""
        spans = []
        for gap in self.gaps:
            first = self._first_behind(gap)
            since = gap.control.fields["from_ns"] // NS_PER_SECOND - UNDER_WAY_SECONDS
            spans.append((since, gap.control.fields["until_ns"] // NS_PER_SECOND, first))
        if self.lives:  # behind its last connection a socket is away for good
            spans.append((self.lives[-1].payloads[-1].received_ns // NS_PER_SECOND - UNDER_WAY_SECONDS, _NEVER, {}))
        found = set()
        for token, minutes, start in bars[["token", "interval", "start"]].tolist():
            end = start + 60 * minutes
            if token in self.tokens and any(
                (since < end and until >= start) or start <= first.get(token, 0) < end for since, until, first in spans
            ):
                found.add((token, minutes, start))
        return found

    def _first_behind(self, gap: Kept) -> dict[int, int]:
        """Return to which second the first packet of each token behind a gap belongs."""
        firsts: dict[int, int] = {}
        behind = (one for one in self._records[gap.number :] if one.socket == self.socket and one.is_data)
        for record in behind:
            for body in packets_in(record.body):
                firsts.setdefault(
                    int.from_bytes(body[:4], "big"), _second_of(body) or record.received_ns // NS_PER_SECOND
                )
            if len(firsts) == len(self.tokens):
                break
        return firsts

    def _check_gap(self, gap: Kept, whole_ns: int, data_ns: int) -> None:
        fields, follower = gap.control.fields, self._records[gap.number]
        if not data_ns <= fields["from_ns"] <= whole_ns:
            self._complain(f"gap {gap.number} begins at {fields['from_ns']}, not with the last record before it")
        is_first = follower.socket == self.socket and follower.is_payload
        if gap not in self._closing and not (is_first and fields["until_ns"] == follower.received_ns):
            self._complain(f"gap {gap.number} does not end with the first payload behind it")
        if set(fields["tokens"]) != self.tokens:
            self._complain(f"gap {gap.number} names other instruments")

    def _complain(self, what: str) -> None:
        self.faults.append(f"socket {self.socket}: {what}")


def flag_faults(bars: Rows, lost: list[Packet], may: set[Bar], *, unflagged_minutes: int) -> list[str]:
    """Name bars that lack a packet without saying so, and bars that say so for nothing.

    Minutes whose bars are not kept any more when their gap is named may not say so, but are counted.
    """
    last: dict[Bar, int] = {}
    for token, interval, start, flags in bars[["token", "interval", "start", "flags"]].tolist():
        last[token, interval, start] = flags
    by_bar: dict[Bar, list[Packet]] = defaultdict(list)
    for packet in lost:
        for bar in packet.bars:
            by_bar[bar].append(packet)
    silent = [bar for bar in by_bar if bar in last and not last[bar] & BarFlag.GAP]
    wrong = [bar for bar, flags in last.items() if flags & BarFlag.GAP and bar not in may]
    faults = [f"bar {bar} is flagged though no gap touches it" for bar in wrong]
    if sum(minutes == 1 for _, minutes, _ in silent) > unflagged_minutes or (silent and not unflagged_minutes):
        faults += [f"bar {bar} lacks {len(by_bar[bar])} packets, first {by_bar[bar][0]}" for bar in silent]
    return faults


def _tokens_in(sent: list[Sent]) -> set[int]:
    """Return the tokens of the first frame that a socket was sent."""
    for one in sent:
        if not one.is_text and len(one.body) > 1:
            return {int.from_bytes(body[:4], "big") for body in packets_in(one.body)}
    return set()
