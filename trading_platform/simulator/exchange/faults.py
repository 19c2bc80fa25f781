"""What can go wrong on purpose, on a socket or behind REST; every time it does it is counted."""

from collections import Counter, deque
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from trading_platform.errors import ExchangeRefusal
from trading_platform.market.clock import NS_PER_SECOND, elapsed_ns

_UNTIL_CLEARED_SECONDS = 1e9
_DEFAULT_BYTES_PER_SECOND = 1000
_DEFAULT_LENGTH = 45


class FaultKind(StrEnum):
    """Silence loses what would have been sent, a stall and a slow drain only delay it."""

    DROP = "drop"
    SILENCE = "silence"
    TRUNCATE = "truncate"
    DUPLICATE = "duplicate"
    REORDER = "reorder"
    STALL = "stall"
    SLOW_DRAIN = "slow_drain"
    REFUSE_TOKEN = "refuse_token"  # noqa: S105
    WRONG_LENGTH = "wrong_length"
    BAD_UPSTREAM = "bad_upstream"


_DAMAGE = (FaultKind.TRUNCATE, FaultKind.DUPLICATE, FaultKind.REORDER, FaultKind.WRONG_LENGTH)


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault as asked for: on one socket or all, for so many frames (or REST calls), or for so many real seconds.

    `value` is bytes per second of a slow drain, bytes kept of a truncated frame, or the wrong length of a packet.
    """

    kind: FaultKind
    socket: int | None = None
    count: int = 1
    seconds: float | None = None
    value: int | None = None

    @property
    def until_ns(self) -> int:
        """Return when it ends on the machine's monotonic clock."""
        seconds = _UNTIL_CLEARED_SECONDS if self.seconds is None else self.seconds
        return elapsed_ns() + int(seconds * NS_PER_SECOND)


def read_fault(body: Any) -> Fault:
    """Read a fault from a parsed JSON body; raise ExchangeRefusal naming what is wrong."""
    allowed = {"kind", "socket", "count", "seconds", "value"}
    if not isinstance(body, dict) or set(body) - allowed or body.get("kind") not in set(FaultKind):
        kinds = ", ".join(FaultKind)
        raise ExchangeRefusal(
            f"a fault is an object with kind ({kinds}) and socket, count, seconds, value where wanted",
            status=400,
            error_type="InputException",
        )
    whole = {name: body[name] for name in ("socket", "count", "value") if body.get(name) is not None}
    seconds = body.get("seconds")
    numeric = seconds is None or (type(seconds) in {int, float} and seconds >= 0)
    if not numeric or any(type(number) is not int or number < 0 for number in whole.values()):
        raise ExchangeRefusal("socket, count, seconds, value are numbers", status=400, error_type="InputException")
    return Fault(FaultKind(body["kind"]), seconds=seconds, **whole)


class Upstream:
    """What stands behind REST; while it is bad every call is answered as Kite does when it cannot read its answer."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._calls = self._until_ns = 0

    def turn_bad(self, fault: Fault) -> None:
        """Answer so many calls badly, or all of so many seconds."""
        if fault.seconds is None:
            self._calls += fault.count
        else:
            self._until_ns = fault.until_ns

    def clear(self) -> None:
        """Answer well again."""
        self._calls = self._until_ns = 0

    def ask(self) -> None:
        """Raise the refusal of a call that is answered badly."""
        if self._calls or elapsed_ns() < self._until_ns:
            self._calls = max(0, self._calls - 1)
            self.counts[str(FaultKind.BAD_UPSTREAM)] += 1
            raise ExchangeRefusal("Gateway returned no usable answer.", status=502, error_type="DataException")


@dataclass(slots=True)
class SocketFaults:
    """The faults that wait for, or hold on, one socket."""

    counts: Counter[str]
    silent_until: int = 0
    stalled_until: int = 0
    slow_until: int = 0
    bytes_per_second: int = _DEFAULT_BYTES_PER_SECOND
    _damage: deque[Fault] = field(default_factory=deque)
    _held: bytes | None = None

    def add(self, fault: Fault) -> None:
        """Take a fault that concerns what this socket sends."""
        if fault.kind in _DAMAGE:
            self._damage.extend([fault] * fault.count)
            return
        self.counts[fault.kind] += 1
        if fault.kind is FaultKind.SILENCE:
            self.silent_until = fault.until_ns
        elif fault.kind is FaultKind.STALL:
            self.stalled_until = fault.until_ns
        elif fault.kind is FaultKind.SLOW_DRAIN:
            self.slow_until = fault.until_ns
            self.bytes_per_second = max(1, fault.value or _DEFAULT_BYTES_PER_SECOND)

    def clear(self) -> None:
        """End everything; a frame that is held back comes with the next one."""
        self.silent_until = self.stalled_until = self.slow_until = 0
        self._damage.clear()

    def is_silent(self) -> bool:
        """Tell whether what would be sent now is lost, and count it."""
        silent = elapsed_ns() < self.silent_until
        self.counts["silenced_messages"] += silent
        return silent

    def delay_seconds(self, size: int) -> float:
        """Return how long a message of this size has to wait before it is sent."""
        now = elapsed_ns()
        stalled = max(0, self.stalled_until - now) / NS_PER_SECOND
        return stalled + (size / self.bytes_per_second if now < self.slow_until else 0.0)

    def is_stalled(self) -> bool:
        """Tell whether nothing may be sent now."""
        return elapsed_ns() < self.stalled_until

    def shape(self, frame: bytes) -> list[bytes]:
        """Return what is sent in place of a data frame."""
        if self._held is not None:
            held, self._held = self._held, None
            return [frame, held]
        if not self._damage:
            return [frame]
        fault = self._damage.popleft()
        self.counts[fault.kind] += 1
        if fault.kind is FaultKind.REORDER:
            self._held = frame
            return []
        if fault.kind is FaultKind.DUPLICATE:
            return [frame, frame]
        if fault.kind is FaultKind.TRUNCATE:
            return [frame[: len(frame) // 2 if fault.value is None else fault.value]]
        length = _DEFAULT_LENGTH if fault.value is None else fault.value
        return [frame[:2] + (length & 0xFFFF).to_bytes(2, "big") + frame[4:]]
