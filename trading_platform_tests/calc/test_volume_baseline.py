import dataclasses
import statistics
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_platform.calc.volume_baseline import (
    KIND,
    VERSION,
    BaselineBlock,
    baseline_version,
    expand_to_minutes,
    median_by_bucket,
)
from trading_platform.errors import BlockFormatError
from trading_platform.wire.blocks import decode_block, encode_block

VOLUMES = st.one_of(st.none(), st.integers(0, 5).map(float), st.integers(0, 10**9).map(float))


@settings(deadline=None)
@given(st.data(), st.integers(0, 8), st.integers(1, 3), st.integers(1, 4), st.integers(0, 6))
def test_medians_are_those_of_plain_python(
    data: st.DataObject, sessions: int, names: int, buckets: int, least: int
) -> None:
    size = sessions * names * buckets
    flat = data.draw(st.lists(VOLUMES, min_size=size, max_size=size))
    volumes = np.array([np.nan if v is None else v for v in flat]).reshape(sessions, names, buckets)
    medians = median_by_bucket(volumes, least)
    for name in range(names):
        for bucket in range(buckets):
            known = [v for v in volumes[:, name, bucket].tolist() if not np.isnan(v)]
            expected = statistics.median(known) if len(known) >= max(least, 1) else 0.0
            assert medians[name, bucket] == expected or (expected == 0.0 and np.isnan(medians[name, bucket]))


def block(first_minute: int = 555, width: int = 375, tokens: int = 2) -> BaselineBlock:
    random = np.random.default_rng(1)
    return BaselineBlock(
        date(2026, 7, 31),
        np.arange(1, tokens + 1, dtype=np.uint32) * 256,
        first_minute,
        {interval: random.uniform(1, 9, (tokens, width // interval)) for interval in (1, 5)},
        (date(2026, 7, 29), date(2026, 7, 30)),
    )


def test_a_block_comes_back() -> None:
    made = block()
    back = BaselineBlock.decode(made.encode())
    assert (back.session, back.first_minute, back.sessions_used) == (made.session, 555, made.sessions_used)
    for interval in (1, 5):
        np.testing.assert_array_equal(back.expected[interval], made.expected[interval])
    assert baseline_version(made.encode()) == baseline_version(back.encode()) != baseline_version(block(560).encode())


def test_expected_volume_stands_in_its_minute() -> None:
    made = block()
    minutes = expand_to_minutes(made, 1, [512, 999, 256])
    assert minutes.shape == (3, 1440)
    np.testing.assert_array_equal(minutes[0, 555:930], made.expected[1][1])
    np.testing.assert_array_equal(minutes[2, 555:930], made.expected[1][0])
    assert np.isnan(minutes[1]).all()
    assert np.isnan(minutes[0, :555]).all()
    assert np.isnan(minutes[0, 930:]).all()
    fives = expand_to_minutes(made, 5, [512])
    np.testing.assert_array_equal(fives[0, 111:186], made.expected[5][1])


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (block(first_minute=1200), "beyond the end of the day"),
        (block(first_minute=557), "no bar begins there"),
        (block(first_minute=-5), "no bar begins there"),
        (dataclasses.replace(block(), tokens=np.zeros(3, np.uint32)), "another layout"),
        (dataclasses.replace(block(), expected={1: np.zeros(4), 5: np.zeros(4)}), "another layout"),
    ],
)
def test_a_block_that_fits_no_day_is_refused(made: BaselineBlock, words: str) -> None:
    with pytest.raises(BlockFormatError, match=words):
        expand_to_minutes(made, 1, [256])
    with pytest.raises(BlockFormatError, match=words):
        BaselineBlock.decode(made.encode())


@pytest.mark.parametrize("lost", ["session", "first_minute", "sessions_used"])
def test_a_header_that_lacks_something_is_refused(lost: str) -> None:
    good = decode_block(block().encode(), KIND, VERSION)
    meta = {name: value for name, value in good.meta.items() if name != lost}
    with pytest.raises(BlockFormatError, match="baselines"):
        BaselineBlock.decode(encode_block(KIND, VERSION, meta, good.arrays))


def test_another_kind_of_block_is_refused() -> None:
    with pytest.raises(BlockFormatError):
        BaselineBlock.decode(encode_block("else", 1, {}, {}))
