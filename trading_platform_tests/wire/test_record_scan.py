import zlib

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from trading_platform.wire.journal_records import crc32
from trading_platform.wire.record_scan import CRC_TABLES, checksum


@settings(deadline=None)
@given(st.binary(max_size=300))
@example(b"")
@example(b"123456789")
def test_the_checksum_is_that_of_zlib(data: bytes) -> None:
    assert crc32(np.frombuffer(data, np.uint8)) == zlib.crc32(data)


def test_the_checksum_has_its_published_check_value() -> None:
    # CRC-32/ISO-HDLC of "123456789", as every catalogue of checksums lists it
    assert crc32(np.frombuffer(b"123456789", np.uint8)) == 0xCBF43926


@settings(deadline=None)
@given(st.binary(min_size=20, max_size=60), st.integers(0, 9), st.integers(0, 9))
def test_a_part_is_checked_wherever_it_stands(data: bytes, before: int, after: int) -> None:
    view = np.frombuffer(data, np.uint8)
    assert int(checksum(view, before, len(data) - after, CRC_TABLES)) == zlib.crc32(data[before : len(data) - after])
