"""The last frames that held a packet of one instrument: their bytes, and what the bytes say."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from trading_platform.market.clock import NS_PER_SECOND
from trading_platform.wire.journal_records import RecordBatch, RecordKind
from trading_platform.wire.kite_layout import COUNT_BYTES, LENGTH_BYTES, TICK, Mode
from trading_platform.wire.kite_packets import decode
from trading_platform.wire.records import NULL_INT

_TOKEN_BYTES = 4
_ONE_PACKET = (1).to_bytes(COUNT_BYTES, "big")


@dataclass(frozen=True, slots=True)
class PacketSeen:
    """One packet: the record that brought it, where it stood in the frame, its bytes, and its fields by name.

    A field that the packet does not carry is None. Times are seconds since the epoch.
    """

    record: int
    socket: int
    received_ns: int
    frame_bytes: int
    offset: int
    body: bytes
    fields: dict[str, Any]

    @property
    def mode(self) -> str:
        """Return how much the packet tells, as the official clients name it."""
        return Mode(self.fields["mode"]).name.lower()

    @property
    def lag_seconds(self) -> float | None:
        """Return how long after the exchange's whole second it came, None without one."""
        exchange_time = self.fields["exchange_time"]
        return None if exchange_time is None else self.received_ns / NS_PER_SECOND - exchange_time


def last_packets(batch: RecordBatch, token: int, most: int) -> list[PacketSeen]:
    """Return at most so many of the last packets of an instrument in a batch, the oldest first.

    Only where the bytes of the token stand is anything decoded, from the end on.
    """
    if not len(batch):
        return []
    table, raw = batch.table, batch.buffer.tobytes()
    needle = token.to_bytes(_TOKEN_BYTES, "big")
    first = int(table["offset"][0])
    end = int(table["offset"][-1] + table["length"][-1])
    found: list[PacketSeen] = []
    while len(found) < most and (at := raw.rfind(needle, first, end)) >= 0:
        row = int(np.searchsorted(table["offset"], at, "right")) - 1
        end = int(table["offset"][row])
        if table["kind"][row] == RecordKind.FRAME:
            found += reversed(list(_of_token(batch, row, token)))
    return found[:most][::-1]


def _of_token(batch: RecordBatch, row: int, token: int) -> Iterator[PacketSeen]:
    payload, entry = batch.body(row), batch.table[row]
    for offset, body in _packets(payload):
        if int.from_bytes(body[:_TOKEN_BYTES], "big") != token:
            continue
        ticks, _ = decode(_ONE_PACKET + len(body).to_bytes(LENGTH_BYTES, "big") + body)
        for tick in ticks:
            yield PacketSeen(
                record=int(entry["number"]),
                socket=int(entry["socket"]),
                received_ns=int(entry["received_ns"]),
                frame_bytes=len(payload),
                offset=offset,
                body=body,
                fields=_fields(tick),
            )


def _packets(payload: bytes) -> Iterator[tuple[int, bytes]]:
    """Walk the packets of a frame that lie in it whole."""
    at = COUNT_BYTES
    for _ in range(int.from_bytes(payload[:COUNT_BYTES], "big")):
        begins = at + LENGTH_BYTES
        at = begins + int.from_bytes(payload[at:begins], "big")
        if at > len(payload) or begins > len(payload):
            return
        yield begins, payload[begins:at]


def _fields(tick: np.void) -> dict[str, Any]:
    values = {name: tick[name].tolist() for name in TICK.names or () if name != "pad"}
    return {name: _known(value) for name, value in values.items()}


def _known(value: Any) -> Any:
    if isinstance(value, list):
        return [_known(one) for one in value]
    return None if value == NULL_INT or (isinstance(value, float) and math.isnan(value)) else value
