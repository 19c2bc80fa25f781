"""What happened to the socket of an instrument: subscribed, away, back, gaps and the candles that were fetched."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from trading_platform.inspection.trace import ControlSeen, Trace
from trading_platform.market.clock import from_ns
from trading_platform.wire.journal_records import ControlType

_TOLD = (ControlType.CONNECTED, ControlType.DISCONNECTED, ControlType.GAP, ControlType.CANDLES, ControlType.CLOCK_STEP)


@dataclass(frozen=True, slots=True)
class Event:
    """A control record that may explain a bar."""

    record: int
    at: datetime
    says: str


def events_of(found: Trace) -> tuple[Event, ...]:
    """Return what concerns the instrument, or a socket or the shard as a whole."""
    return tuple(_event(seen) for seen in found.controls if _concerns(seen, found.token))


def _concerns(seen: ControlSeen, token: int) -> bool:
    if seen.control.type not in _TOLD:
        return False
    tokens = seen.control.fields.get("tokens")
    return not isinstance(tokens, list) or token in tokens


def _event(seen: ControlSeen) -> Event:
    fields = seen.control.fields
    says = str(seen.control.type).replace("_", " ")
    if seen.control.type is ControlType.GAP and {"from_ns", "until_ns"} <= fields.keys():
        says = f"gap from {_hour(fields['from_ns'])} to {_hour(fields['until_ns'])}"
    if reason := fields.get("reason"):
        says += f": {reason}"
    return Event(seen.record, from_ns(seen.received_ns), says)


def _hour(moment_ns: Any) -> str:
    return f"{from_ns(moment_ns):%H:%M:%S}" if isinstance(moment_ns, int) else "?"
