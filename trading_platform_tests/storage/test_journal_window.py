from pathlib import Path

import pytest

from trading_platform_tests.storage.journals import open_reader, write

RECORD_BYTES = 100


@pytest.mark.parametrize("segment_bytes", [1 << 20, 1500])
def test_the_window_holds_the_last_bytes(tmp_path: Path, segment_bytes: int) -> None:
    write(tmp_path, [bytes(RECORD_BYTES - 32)] * 100, segment_bytes=segment_bytes, compress=segment_bytes == 1500)
    reader = open_reader(tmp_path)
    assert reader.window_start(10**9) == 1
    if segment_bytes > 1500:
        assert reader.window_start(1000) == 91
        assert reader.window_start(999) == 92
        assert reader.window_start(1) == 100  # one record at least
    else:
        # packed segments of 14 records are cut at blocks: never more than asked for, but for one block at least
        for size in (1, 200, 1000, 5000, 9999):
            begin = reader.window_start(size)
            assert begin == 99 or (101 - begin) * RECORD_BYTES <= size


def test_the_window_of_nothing_begins_with_the_first_record(tmp_path: Path) -> None:
    assert open_reader(tmp_path).window_start(1000) == 1
