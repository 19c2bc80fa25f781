from pathlib import Path

import pytest

from trading_platform.storage.journal import verify_journal
from trading_platform.wire.journal_records import ControlType, RecordKind, encode_control
from trading_platform_tests.storage.journals import SESSION, SHARD, open_writer, write

FOLDER = Path(SHARD) / "20260701"


OPENED = encode_control(ControlType.SESSION_OPENED, session="2026-07-01")
CLOSED = encode_control(ControlType.SESSION_CLOSED)


def write_controls(root: Path, *bodies: bytes, compress: bool = False) -> None:
    """Append records: what is not JSON becomes a frame."""
    with open_writer(root) as writer:
        for body in bodies:
            kind = RecordKind.CONTROL if body.startswith(b"{") else RecordKind.FRAME
            writer.append(kind, body, 1000)
        writer.close(compress=compress)


def test_a_whole_journal_is_counted(tmp_path: Path) -> None:
    write_controls(tmp_path, OPENED, b"abc", b"de", compress=True)
    write_controls(tmp_path, b"f", CLOSED)
    report = verify_journal(tmp_path, SHARD, SESSION)
    assert (report.segments, report.records, report.first_number, report.last_number) == (2, 5, 1, 5)
    assert report.bytes == len(OPENED) + len(CLOSED) + 6
    assert report.is_whole


@pytest.mark.parametrize(
    ("bodies", "faults"),
    [
        ((OPENED, b"a"), []),  # still being written
        ((b"a", b"b"), ["record 1 does not open the session"]),
        ((CLOSED,), ["record 1 does not open the session"]),
        ((b"a", OPENED), ["record 1 does not open the session", "record 2 opens the session, which only record 1 may"]),
        ((OPENED, b"a", OPENED, b"b"), ["record 3 opens the session, which only record 1 may"]),
        ((OPENED, CLOSED, b"a", b"b"), ["records stand behind record 2, which closes the session"]),
        ((OPENED, CLOSED, b"a", CLOSED), ["records stand behind record 2, which closes the session"]),
    ],
)
def test_records_that_open_and_close_stand_at_the_ends(
    tmp_path: Path, bodies: tuple[bytes, ...], faults: list[str]
) -> None:
    write_controls(tmp_path, *bodies)
    report = verify_journal(tmp_path, SHARD, SESSION)
    assert list(report.disorder) == faults
    assert report.is_whole == (not faults)


def test_an_empty_journal_is_in_order(tmp_path: Path) -> None:
    write_controls(tmp_path)
    assert verify_journal(tmp_path, SHARD, SESSION).is_whole


def test_content_that_a_record_names_is_checked(tmp_path: Path) -> None:
    with open_writer(tmp_path) as writer:
        sha256 = writer.put_blob(b"settings")
        writer.append(RecordKind.CONTROL, encode_control(ControlType.SETTINGS, sha256=sha256), 1)
        writer.append(RecordKind.CONTROL, b"not json", 1)
        writer.append(RecordKind.CONTROL, encode_control(ControlType.SEEDS, sha256="0" * 64), 1)
        writer.close(compress=False)
    report = verify_journal(tmp_path, SHARD, SESSION)
    assert [fault.split(":")[0] for fault in report.bad_content] == ["record 2", "record 3"]
    assert not report.is_whole


def test_damage_is_listed_and_the_rest_counted(tmp_path: Path) -> None:
    write(tmp_path, [b"a", b"b", b"c"])
    path = tmp_path / FOLDER / "000001.journal"
    raw = bytearray(path.read_bytes())
    raw[0] ^= 1
    raw[64 + 33 + 20] ^= 1
    path.write_bytes(raw)
    report = verify_journal(tmp_path, SHARD, SESSION)
    assert report.records == 2
    assert [(one.offset, one.first_missing, one.last_missing) for one in report.damages] == [(0, 1, 0), (97, 2, 2)]
