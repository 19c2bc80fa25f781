"""What the beginning and the end of a journal tell a feed that continues it."""

from dataclasses import dataclass, field

from trading_platform.ports import RecordHistory
from trading_platform.wire.journal_records import ControlType, RecordBatch, RecordKind, decode_control

HEAD_RECORDS = 64
"""The opening records of a session stand among the first; a crash may have cut them short."""

TAIL_BYTES = 16 * 1024 * 1024
"""A few seconds at full load, and every connected socket gives a record each second."""

_READ_BYTES = 1024 * 1024


@dataclass(slots=True)
class JournalTail:
    """How a journal ends: whether the session is closed, each socket's last payload, sockets not said to be gone.

    Behind a disconnection payloads do not count until a gap stands there: what is missing begins before them.
    """

    closed: bool = False
    last_ns: int = 0
    last_by_socket: dict[int, int] = field(default_factory=dict)
    open_sockets: set[int] = field(default_factory=set)
    away_sockets: set[int] = field(default_factory=set)


def opening_records(history: RecordHistory) -> dict[ControlType, str | None]:
    """Return which control records stand at the beginning, with the sha256 of their content."""
    found: dict[ControlType, str | None] = {}
    after = 0
    while after < HEAD_RECORDS and len(batch := history.read(after, _READ_BYTES)):
        for row in range(len(batch)):
            if batch.table["kind"][row] != RecordKind.CONTROL:
                return found
            control = decode_control(batch.body(row))
            found[control.type] = control.sha256
        after = batch.last_number
    return found


def journal_tail(history: RecordHistory) -> JournalTail:
    """Read the last records."""
    tail = JournalTail()
    after = history.window_start(TAIL_BYTES) - 1
    while len(batch := history.read(after, _READ_BYTES)):
        for row in range(len(batch)):
            _note(tail, batch, row)
        after = batch.last_number
    return tail


def _note(tail: JournalTail, batch: RecordBatch, row: int) -> None:
    socket, at_ns = int(batch.table["socket"][row]), int(batch.table["received_ns"][row])
    tail.last_ns, tail.closed = at_ns, False
    if batch.table["kind"][row] != RecordKind.CONTROL:
        tail.open_sockets.add(socket)
        if socket not in tail.away_sockets:
            tail.last_by_socket[socket] = at_ns
        return
    control = decode_control(batch.body(row))
    if control.type in (ControlType.CONNECTED, ControlType.SUBSCRIBED):
        tail.open_sockets.add(socket)
        tail.last_by_socket.setdefault(socket, at_ns)
    elif control.type is ControlType.DISCONNECTED:
        tail.open_sockets.discard(socket)
        tail.away_sockets.add(socket)
        last_ns = control.fields.get("last_ns")
        tail.last_by_socket.setdefault(socket, last_ns if isinstance(last_ns, int) else at_ns)
    elif control.type is ControlType.GAP:
        tail.away_sockets.discard(socket)
    tail.closed = control.type is ControlType.SESSION_CLOSED
