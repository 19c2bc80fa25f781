"""What the simulated exchange says it sent, beside what the journal holds and what the feed says of itself."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from trading_platform.ports import RecordHistory
from trading_platform.wire.journal_records import RecordKind
from trading_platform.wire.kite_packets import HEARTBEAT

_READ_BYTES = 8_000_000


@dataclass(frozen=True, slots=True)
class FeedAccount:
    """The way of a session from the exchange into the journal; latencies in milliseconds, from socket to stream."""

    sent: int
    kept: int
    same_bytes: bool
    packets: int
    sockets: int
    reconnects: int
    gaps: int
    lost: int
    p50: float | None
    p99: float | None
    speed: float | None


def account_of(
    sent: Iterable[dict[str, Any]], said: dict[str, Any], journal: RecordHistory, *, speed: float | None
) -> FeedAccount:
    """Compare the exchange's account of its sockets with a journal; add what the feed's snapshot says."""
    carried = [one for one in sent if one["frames"]]
    kept, digests = frames_of(journal)
    return FeedAccount(
        sent=sum(one["frames"] for one in carried),
        kept=kept,
        same_bytes=sorted(one["frames_sha256"] for one in carried) == sorted(digests),
        packets=sum(one["packets"] for one in carried),
        sockets=len(said["sockets"]),
        reconnects=said["since_start"]["reconnects"],
        gaps=said["since_start"]["gaps"],
        lost=said["since_start"]["lost_payloads"],
        p50=said["latency_ms"]["stream"]["p50"],
        p99=said["latency_ms"]["stream"]["p99"],
        speed=speed,
    )


def frames_of(journal: RecordHistory) -> tuple[int, list[str]]:
    """Return how many frames with data a journal holds, and a digest of them for each socket.

    A digest chains length (4 bytes, big-endian) and payload of each frame, as the exchange's does.
    """
    count = after = 0
    chains: dict[int, hashlib._Hash] = {}
    while len(batch := journal.read(after, _READ_BYTES)):
        for row in (batch.table["kind"] == RecordKind.FRAME).nonzero()[0].tolist():
            if (body := batch.body(row)) != HEARTBEAT:
                count += 1
                chain = chains.setdefault(int(batch.table["socket"][row]), hashlib.sha256())
                chain.update(len(body).to_bytes(4, "big"))
                chain.update(body)
        after = batch.last_number
    return count, [chain.hexdigest() for chain in chains.values()]


def add_rows(table: Table, account: FeedAccount) -> None:
    """Show the account."""
    table.add_row("frames sent by the exchange", f"{account.sent:,}")
    table.add_row("frames in the journal", f"{account.kept:,}")
    table.add_row("the same bytes", "yes" if account.same_bytes else "[red]NO[/red]")
    table.add_row("sockets", f"{account.sockets}")
    table.add_row("reconnects, gaps, losses", f"{account.reconnects}, {account.gaps}, {account.lost}")
    table.add_row("socket to stream, p50 and p99", f"{_ms(account.p50)}, {_ms(account.p99)}")
    table.add_row("simulated seconds a second", "-" if account.speed is None else f"{account.speed:,.0f}")


def faults_of(account: FeedAccount, packets: int) -> list[str]:
    """Return what is not as it has to be on the way into the journal, and of the packets that replay decoded."""
    faults = []
    if (account.sent, True) != (account.kept, account.same_bytes):
        faults.append(f"the exchange sent {account.sent} frames, the journal holds {account.kept} or other bytes")
    if account.packets != packets:
        faults.append(f"the exchange sent {account.packets} packets, replay decoded {packets}")
    if not account.sent:
        faults.append("the exchange sent nothing")
    for what, count in (("gaps", account.gaps), ("losses", account.lost), ("reconnects", account.reconnects)):
        if count:
            faults.append(f"the feed had {count} {what}; its log says why")
    return faults


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} ms"
