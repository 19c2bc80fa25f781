"""What the beginning and the end of a journal tell a feed that continues it."""

from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from trading_platform.errors import JournalDamaged
from trading_platform.ports import RecordHistory
from trading_platform.wire.journal_records import Control, ControlType, RecordBatch, RecordKind, decode_control

HEAD_RECORDS = 64
"""The opening records of a session stand among the first; a crash may have cut them short."""

TAIL_BYTES = 16 * 1024 * 1024
"""A few seconds at full load, and every connected socket gives a record each second."""

_FARTHER = 8
_READ_BYTES = 1024 * 1024


@dataclass(slots=True)
class JournalTail:
    """How a journal ends: whether the session is closed, each socket's last payload, sockets not said to be gone.

    Behind a disconnection payloads do not count until a gap stands there: what is missing begins before them.
    `told` says of each socket whether what was read tells how it was before its last connection.
    """

    closed: bool = False
    last_ns: int = 0
    last_by_socket: dict[int, int] = field(default_factory=dict)
    open_sockets: set[int] = field(default_factory=set)
    away_sockets: set[int] = field(default_factory=set)
    told: dict[int, bool] = field(default_factory=dict, compare=False)


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


def journal_tail(history: RecordHistory, sockets: Collection[int], *, tail_bytes: int = TAIL_BYTES) -> JournalTail:
    """Read the last records, as many as tell how each of these sockets was left.

    A socket that was away left nothing while others went on: the longer it was, the farther back it was lost. Damage
    ends the search.
    """
    first = history.window_start(tail_bytes)
    tail = _read_from(history, first)
    while not all(tail.told.get(socket) for socket in sockets):
        tail_bytes *= _FARTHER
        farther = history.window_start(tail_bytes)
        if farther >= first:
            break
        try:
            first, tail = farther, _read_from(history, farther)
        except JournalDamaged:
            break
    return tail


def _read_from(history: RecordHistory, first: int) -> JournalTail:
    tail = JournalTail()
    after = first - 1
    while len(batch := history.read(after, _READ_BYTES)):
        _note(tail, batch)
        after = batch.last_number
    return tail


def _note(tail: JournalTail, batch: RecordBatch) -> None:
    begin = 0
    for row in np.flatnonzero(batch.table["kind"] == RecordKind.CONTROL).tolist():
        _note_payloads(tail, batch.table[begin:row])
        at = batch.table[row]
        _note_control(tail, decode_control(batch.body(row)), int(at["socket"]), int(at["received_ns"]))
        begin = row + 1
    _note_payloads(tail, batch.table[begin:])


def _note_payloads(tail: JournalTail, rows: NDArray[np.void]) -> None:
    if not len(rows):
        return
    tail.last_ns, tail.closed = int(rows["received_ns"][-1]), False
    for socket in np.unique(rows["socket"]).tolist():
        tail.open_sockets.add(socket)
        tail.told.setdefault(socket, True)
        if socket not in tail.away_sockets:
            tail.last_by_socket[socket] = int(rows["received_ns"][rows["socket"] == socket][-1])


def _note_control(tail: JournalTail, control: Control, socket: int, at_ns: int) -> None:
    tail.last_ns = at_ns
    if control.type in (ControlType.CONNECTED, ControlType.SUBSCRIBED):
        tail.open_sockets.add(socket)
        tail.told.setdefault(socket, False)
        tail.last_by_socket.setdefault(socket, at_ns)
    elif control.type is ControlType.DISCONNECTED:
        tail.open_sockets.discard(socket)
        tail.away_sockets.add(socket)
        tail.told.setdefault(socket, True)
        last_ns = control.fields.get("last_ns")
        tail.last_by_socket.setdefault(socket, last_ns if isinstance(last_ns, int) else at_ns)
    elif control.type is ControlType.GAP:
        tail.away_sockets.discard(socket)
    tail.closed = control.type is ControlType.SESSION_CLOSED
