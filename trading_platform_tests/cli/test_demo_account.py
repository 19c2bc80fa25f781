import dataclasses
import hashlib
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

from trading_platform.cli.demo_account import FeedAccount, account_of, add_rows, faults_of, frames_of
from trading_platform.storage.journal import JournalReader, JournalWriter
from trading_platform.wire.journal_records import ControlType, RecordKind, encode_control

DAY = date(2026, 7, 31)
FIRST, SECOND, OTHER = b"\x00\x01first", b"\x00\x01second", b"\x00\x02other"
RIGHT = FeedAccount(
    sent=3, kept=3, same_bytes=True, packets=4, sockets=2, reconnects=0, gaps=0, lost=0, p50=1.25, p99=20.0, speed=598.7
)
SAID: dict[str, Any] = {
    "sockets": [{}, {}],
    "since_start": {"gaps": 0, "lost_payloads": 0, "reconnects": 0},
    "latency_ms": {"stream": {"p50": 1.25, "p99": 20.0}},
}


def chained(*payloads: bytes) -> str:
    return hashlib.sha256(b"".join(len(one).to_bytes(4, "big") + one for one in payloads)).hexdigest()


def sent(*, second: bytes = SECOND) -> list[dict[str, Any]]:
    return [
        {"frames": 1, "packets": 2, "frames_sha256": chained(OTHER)},
        {"frames": 0, "packets": 0, "frames_sha256": chained()},
        {"frames": 2, "packets": 2, "frames_sha256": chained(FIRST, second)},
    ]


@pytest.fixture
def journal(tmp_path: Path) -> JournalReader:
    """Two sockets whose frames lie between each other, heartbeats, a text and a control record."""
    with JournalWriter.open(tmp_path, "k1", DAY) as writer:
        writer.append(RecordKind.CONTROL, encode_control(ControlType.CONNECTED), 1)
        for socket, body in ((0, FIRST), (1, b"\x00"), (1, OTHER), (0, b"\x00"), (0, SECOND)):
            writer.append(RecordKind.FRAME, body, 2, socket=socket)
        writer.append(RecordKind.TEXT, b"{}", 3)
    return JournalReader(tmp_path, "k1", DAY)


def test_frames_are_counted_and_digested_by_socket_heartbeats_left_out(journal: JournalReader) -> None:
    count, digests = frames_of(journal)
    assert count == 3
    assert sorted(digests) == sorted([chained(FIRST, SECOND), chained(OTHER)])


def test_what_was_sent_and_kept_is_compared_in_every_byte(journal: JournalReader) -> None:
    assert account_of(sent(), SAID, journal, speed=598.7) == RIGHT
    changed = account_of(sent(second=b"\x00\x01secomd"), SAID, journal, speed=598.7)
    assert changed == dataclasses.replace(RIGHT, same_bytes=False)


def test_nothing_wrong_is_no_fault() -> None:
    assert faults_of(RIGHT, 4) == []


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        ({"kept": 2}, "the exchange sent 3 frames, the journal holds 2 or other bytes"),
        ({"same_bytes": False}, "the exchange sent 3 frames, the journal holds 3 or other bytes"),
        ({"packets": 5}, "the exchange sent 5 packets, replay decoded 4"),
        ({"sent": 0, "kept": 0}, "the exchange sent nothing"),
        ({"gaps": 1}, "the feed had 1 gaps; its log says why"),
        ({"lost": 7}, "the feed had 7 losses; its log says why"),
        ({"reconnects": 2}, "the feed had 2 reconnects; its log says why"),
    ],
)
def test_each_thing_that_is_wrong_is_named(wrong: dict[str, Any], fault: str) -> None:
    assert faults_of(dataclasses.replace(RIGHT, **wrong), 4) == [fault]


def test_the_account_is_shown_and_what_is_not_known_is_a_dash() -> None:
    def shown(account: FeedAccount) -> str:
        console, table = Console(record=True, width=100), Table(show_header=False)
        add_rows(table, account)
        console.print(table)
        return console.export_text()

    for wanted in ("1.2 ms, 20.0 ms", "599", "yes", "0, 0, 0"):
        assert wanted in shown(RIGHT)
    unknown = shown(dataclasses.replace(RIGHT, p50=None, p99=None, speed=None, same_bytes=False))
    assert "-, -" in unknown
    assert "NO" in unknown
