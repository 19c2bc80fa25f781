import hashlib
import struct
from pathlib import Path

from trading_platform.simulator.exchange.sent import BINARY, TEXT, SentLedger, read_sent

FRAME = struct.pack(">HH8sH8s", 2, 8, b"a" * 8, 8, b"b" * 8)


def test_what_was_sent_is_counted_digested_and_kept(tmp_path: Path) -> None:
    ledger = SentLedger(tmp_path / "kept")
    sent = ledger.open("key")
    sent.binary(FRAME, 5)
    sent.binary(b"\x00", 6)
    sent.text(b'{"type":"message"}', 7)
    (told,) = ledger.published()
    wanted = hashlib.sha256(len(FRAME).to_bytes(4, "big") + FRAME + (1).to_bytes(4, "big") + b"\x00")
    assert (told["frames"], told["packets"], told["heartbeats"], told["texts"]) == (1, 2, 1, 1)
    assert told["bytes"] == len(FRAME) + 1
    assert told["sha256"] == wanted.hexdigest()
    assert told["frames_sha256"] == hashlib.sha256(len(FRAME).to_bytes(4, "big") + FRAME).hexdigest()
    assert read_sent(Path(told["file"])) == [(BINARY, 5, FRAME), (BINARY, 6, b"\x00"), (TEXT, 7, b'{"type":"message"}')]
    for number in range(150):
        sent.asks(f"subscribe {number}")
    (told,) = ledger.published()
    assert (told["asked"], told["asked_last"]) == (150, [f"subscribe {number}" for number in range(50, 150)])
    sent.close()
    assert ledger.published()[0]["open"] is False


def test_sockets_are_numbered_as_they_come() -> None:
    ledger = SentLedger()
    assert [ledger.open("a").number, ledger.open("b").number] == [0, 1]
    assert ledger.published()[1]["file"] is None
