import os
import random
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_platform.errors import JournalDamaged, MissingBlob
from trading_platform.storage.journal import JournalReader, JournalWriter
from trading_platform.wire.journal_records import RecordKind
from trading_platform_tests.storage.journals import SESSION, SHARD, open_reader, open_writer, read_all, write

FOLDER = Path(SHARD) / "20260701"


def test_a_journal_that_is_not_there_is_empty_until_it_is(tmp_path: Path) -> None:
    reader = open_reader(tmp_path)
    assert not len(reader.read(0, 100))
    assert reader.last_number() == 0
    assert reader.blobs() == []
    assert list(tmp_path.iterdir()) == []
    records = write(tmp_path, [b"now"])
    assert read_all(reader) == records


@pytest.mark.parametrize("compress", [True, False])
@pytest.mark.parametrize("max_bytes", [0, 1, 500, 1 << 20])
def test_reading_starts_anywhere_and_keeps_to_its_size(tmp_path: Path, max_bytes: int, *, compress: bool) -> None:
    records = write(tmp_path, [os.urandom(i % 90) for i in range(200)], segment_bytes=3000, compress=compress)
    assert len(list((tmp_path / FOLDER).glob("0*"))) > 4
    for after in (0, 1, 57, 198, 199, 200, 500):
        reader = open_reader(tmp_path)
        batch = reader.read(after, max_bytes)
        assert len(batch) <= 1 or int(batch.table["length"].sum()) <= max_bytes
        assert read_all(reader, after, max_bytes) == records[after:]
    reader = open_reader(tmp_path)
    for after in random.Random(5).sample(range(200), 60):
        assert reader.read(after, 1).encoded(0) == records[after]
    assert reader.last_number() == 200


def test_the_same_place_may_be_read_again(tmp_path: Path) -> None:
    records = write(tmp_path, [bytes([i]) for i in range(50)])
    reader = open_reader(tmp_path)
    for _ in range(3):
        assert reader.read(10, 1).encoded(0) == records[10]
    assert read_all(reader, 11) == records[11:]
    assert read_all(reader, 3) == records[3:]
    reader.close()
    assert read_all(reader, 48) == records[48:]


def test_records_longer_than_a_chunk_are_read(tmp_path: Path) -> None:
    bodies = [b"a", os.urandom(3 << 20), b"b", os.urandom((1 << 20) - 32), os.urandom(1 << 20), b"c"]
    for compress in (False, True):
        root = tmp_path / str(compress)
        root.mkdir()
        records = write(root, bodies, segment_bytes=1 << 22, compress=compress)
        assert read_all(open_reader(root), max_bytes=10) == records


def test_a_reader_follows_a_writer_in_another_thread_while_segments_are_packed(tmp_path: Path) -> None:
    total = 6000
    generator = random.Random(11)
    written: list[bytes] = []
    finished = threading.Event()

    def record() -> None:
        with open_writer(tmp_path, segment_bytes=40_000) as writer:
            for number in range(total):
                written.append(writer.append(RecordKind.FRAME, generator.randbytes(generator.randrange(400)), number))
                if generator.random() < 0.1:
                    writer.flush()
        finished.set()

    thread = threading.Thread(target=record)
    thread.start()
    readers = [open_reader(tmp_path) for _ in range(3)]
    seen: list[list[bytes]] = [[], [], []]
    limits = [300, 5000, 1 << 20]
    while not finished.is_set() or any(len(one) < total for one in seen):
        ended = finished.is_set()
        for reader, one, limit in zip(readers, seen, limits, strict=True):
            batch = reader.read(len(one), limit)
            one += [batch.encoded(row) for row in range(len(batch))]
            assert len(batch) or len(one) == total or not ended, "the writer is done, but not all was read"
    thread.join()
    assert not list((tmp_path / FOLDER).glob("*.journal"))
    assert all(one == written for one in seen)


def damaged_journal(root: Path, *, compress: bool) -> tuple[list[bytes], list[Path]]:
    generator = random.Random(3)
    records = write(
        root, [generator.randbytes(generator.randrange(120)) for _ in range(60)], segment_bytes=1500, compress=compress
    )
    files = sorted((root / FOLDER).glob("0*"))
    assert len(files) > 3
    return records, files


@settings(deadline=None, max_examples=60)
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), compress=st.booleans(), data=st.data())
def test_any_flipped_bit_is_noticed_and_good_neighbours_survive(
    tmp_path_factory: pytest.TempPathFactory, place: float, bit: int, compress: bool, data: st.DataObject
) -> None:
    root = tmp_path_factory.mktemp("j")
    records, files = damaged_journal(root, compress=compress)
    path = data.draw(st.sampled_from(files))
    raw = bytearray(path.read_bytes())
    at = int(place * len(raw))
    raw[at] ^= 1 << bit
    path.write_bytes(raw)

    strict, seen = open_reader(root), []
    try:
        seen = read_all(strict)
    except JournalDamaged:
        torn = 0
    else:
        torn = strict.torn_tail
        assert torn > 0, "the damage went unnoticed"
        assert path == files[-1]
        assert not compress
        assert seen == records[: len(seen)]

    tolerant = open_reader(root, tolerant=True)
    survived = read_all(tolerant)
    missing = [number for number, record in enumerate(records, 1) if record not in survived]
    if torn:
        assert missing == [60]
        return
    (damage,) = tolerant.damages
    assert damage.segment == int(path.name[:6])
    assert damage.offset <= at < damage.offset + damage.length
    last = damage.last_missing if damage.last_missing is not None else 60
    assert missing == list(range(damage.first_missing, last + 1))
    if not compress:
        assert len(missing) <= 1
    in_order = iter(records)
    assert all(record in in_order for record in survived)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 3), st.integers(1, 200), st.booleans(), st.data())
def test_bytes_that_are_cut_out_of_a_closed_segment_are_noticed(
    tmp_path_factory: pytest.TempPathFactory, which: int, length: int, compress: bool, data: st.DataObject
) -> None:
    root = tmp_path_factory.mktemp("j")
    records, files = damaged_journal(root, compress=compress)
    path = files[which if compress else min(which, len(files) - 2)]
    raw = path.read_bytes()
    at = data.draw(st.integers(0, len(raw) - 1))
    path.write_bytes(raw[:at] + raw[at + length :])
    with pytest.raises(JournalDamaged):
        read_all(open_reader(root))
    reader = open_reader(root, tolerant=True)
    survived = read_all(reader)
    assert reader.damages
    lost = {n for n, record in enumerate(records, 1) if record not in survived}
    named = set()
    for damage in reader.damages:
        named |= set(range(damage.first_missing, (damage.last_missing or 60) + 1 if damage.last_missing != 0 else 0))
    assert lost <= named


def test_a_missing_segment_is_a_gap(tmp_path: Path) -> None:
    records, files = damaged_journal(tmp_path, compress=True)
    files[1].unlink()
    reader = open_reader(tmp_path)
    with pytest.raises(JournalDamaged, match="gap in the record numbers") as raised:
        read_all(reader)
    with pytest.raises(JournalDamaged) as again:
        read_all(reader, len(records[:1]))
    assert "records" in str(raised.value)
    assert "records" in str(again.value)
    tolerant = open_reader(tmp_path, tolerant=True)
    survived = read_all(tolerant)
    (damage,) = tolerant.damages
    assert damage.last_missing is not None
    assert survived == records[: damage.first_missing - 1] + records[damage.last_missing :]


def test_damage_stops_a_strict_reader_for_good_but_records_before_it_are_given(tmp_path: Path) -> None:
    records, files = damaged_journal(tmp_path, compress=False)
    raw = bytearray(files[0].read_bytes())
    raw[64 + len(records[0]) + len(records[1])] ^= 1
    files[0].write_bytes(raw)
    reader = open_reader(tmp_path)
    assert len(reader.read(0, 1 << 20)) == 2
    for _ in range(3):
        with pytest.raises(JournalDamaged, match="records 3 to 3 are missing"):
            reader.read(2, 1 << 20)
    assert reader.read(3, 1).encoded(0) == records[3]  # who knows what is missing may go on behind it


def test_a_header_of_another_journal_is_noticed(tmp_path: Path) -> None:
    write(tmp_path, [b"mine"])
    other = tmp_path / "other"
    other.mkdir()
    with JournalWriter.open(other, "t2", SESSION) as writer:
        writer.append(RecordKind.FRAME, b"theirs", 1)
        writer.close(compress=False)
    path = tmp_path / FOLDER / "000001.journal"
    path.write_bytes((writer.folder / "000001.journal").read_bytes())
    with pytest.raises(JournalDamaged, match="belongs to segment 1 of t2"):
        open_reader(tmp_path).read(0, 100)


def test_content_that_is_missing_or_changed_is_named(tmp_path: Path) -> None:
    with open_writer(tmp_path) as writer:
        sha256 = writer.put_blob(b"content")
    reader = JournalReader(tmp_path, SHARD, SESSION)
    assert reader.blob(sha256) == b"content"
    assert reader.blobs() == [sha256]
    (writer.folder / "blobs" / sha256).write_bytes(b"changed")
    with pytest.raises(MissingBlob, match="does not hold what its name says"):
        reader.blob(sha256)
    for name in ("0" * 64, "../lock", ""):
        with pytest.raises(MissingBlob, match="missing"):
            reader.blob(name)
