from pathlib import Path

from trading_platform.storage.journal import verify_journal
from trading_platform.wire.journal_records import ControlType, RecordKind, encode_control
from trading_platform_tests.storage.journals import SESSION, SHARD, open_writer, write

FOLDER = Path(SHARD) / "20260701"


def test_a_whole_journal_is_counted(tmp_path: Path) -> None:
    write(tmp_path, [b"abc", b"de"], compress=True)
    write(tmp_path, [b"f"])
    report = verify_journal(tmp_path, SHARD, SESSION)
    assert (report.segments, report.records, report.bytes, report.first_number, report.last_number) == (2, 3, 6, 1, 3)
    assert report.is_whole


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
