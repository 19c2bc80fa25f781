import dataclasses
from datetime import date

import numpy as np
import pytest

from trading_platform.calc.live_forecast import LIVE_FIELDS
from trading_platform.calc.relative_volume import DAY_FIELDS, HISTORY_FLAGS, VolumeFlag
from trading_platform.calc.volume_baseline import (
    BARS_ONLY,
    KIND,
    NO_MODEL,
    VERSION,
    BaselineBlock,
    UsualDay,
    baseline_version,
    expand_day,
    expand_live,
    expand_to_minutes,
)
from trading_platform.errors import BlockFormatError
from trading_platform.wire.blocks import decode_block, encode_block


def block(first_minute: int = 555, width: int = 375, tokens: int = 2) -> BaselineBlock:
    random = np.random.default_rng(1)
    return BaselineBlock(
        date(2026, 7, 31),
        np.arange(1, tokens + 1, dtype=np.uint32) * 256,
        first_minute,
        {interval: random.uniform(1, 9, (tokens, width // interval)) for interval in (1, 5)},
        (date(2026, 7, 29), date(2026, 7, 30)),
        UsualDay(
            random.uniform(1, 9, (tokens, width)).cumsum(axis=1),
            random.uniform(1, 9, (tokens, width // 5)).cumsum(axis=1),
            random.uniform(1, 9, (tokens, DAY_FIELDS)),
        ),
        {interval: random.uniform(1, 9, (tokens, LIVE_FIELDS)) for interval in (1, 5)},
    )


def test_a_block_comes_back() -> None:
    made = block()
    back = BaselineBlock.decode(made.encode())
    assert (back.session, back.first_minute, back.sessions_used) == (made.session, 555, made.sessions_used)
    for interval in (1, 5):
        np.testing.assert_array_equal(back.expected[interval], made.expected[interval])
        assert back.live is not None
        assert made.live is not None
        np.testing.assert_array_equal(back.live[interval], made.live[interval])
    assert made.usual is not None
    assert back.usual is not None
    np.testing.assert_array_equal(back.usual.cumulative, made.usual.cumulative)
    np.testing.assert_array_equal(back.usual.tradingview_mean, made.usual.tradingview_mean)
    np.testing.assert_array_equal(back.usual.day, made.usual.day)
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


def test_curves_stay_level_after_their_last_entry() -> None:
    made = block()
    assert made.usual is not None
    day = expand_day(made, [512, 999])
    np.testing.assert_array_equal(day.cumulative[0, 555:930], made.usual.cumulative[1])
    assert set(day.cumulative[0, 930:].tolist()) == {made.usual.cumulative[1, -1]}
    assert set(day.tradingview_mean[0, 186:].tolist()) == {made.usual.tradingview_mean[1, -1]}
    assert np.isnan(day.cumulative[0, :555]).all()
    assert np.isnan(day.cumulative[1]).all()
    np.testing.assert_array_equal(day.day[0], made.usual.day[1])
    assert day.day[1, HISTORY_FLAGS] == int(VolumeFlag.NO_BASELINE)


def test_a_block_of_bars_alone_is_of_the_first_version_and_says_nothing_of_the_day() -> None:
    made = dataclasses.replace(block(), usual=None, live=None)
    assert decode_block(made.encode(), KIND, BARS_ONLY).version == BARS_ONLY
    back = BaselineBlock.decode(made.encode())
    assert back.usual is None
    np.testing.assert_array_equal(back.expected[1], made.expected[1])
    day = expand_day(back, [512])
    assert np.isnan(day.cumulative).all()
    assert day.day[0, HISTORY_FLAGS] == int(VolumeFlag.NO_BASELINE)


def test_a_block_without_a_model_is_of_the_second_version_and_has_no_filter() -> None:
    made = dataclasses.replace(block(), live=None)
    read = decode_block(made.encode(), KIND, NO_MODEL)
    assert (read.version, read.meta["model"]) == (NO_MODEL, "median")
    assert not [name for name in read.arrays if name.startswith("live")]
    back = BaselineBlock.decode(made.encode())
    assert back.live is None
    assert np.isnan(expand_live(back, 1, [512])).all()
    assert decode_block(block().encode(), KIND, VERSION).meta["model"] == "published"


def test_the_filter_of_each_token_stands_in_its_row() -> None:
    made = block()
    assert made.live is not None
    live = expand_live(made, 5, [512, 999, 256])
    np.testing.assert_array_equal(live[0], made.live[5][1])
    np.testing.assert_array_equal(live[2], made.live[5][0])
    assert np.isnan(live[1]).all()


def _with_usual(**arrays: np.ndarray) -> BaselineBlock:
    made = block()
    assert made.usual is not None
    return dataclasses.replace(made, usual=dataclasses.replace(made.usual, **arrays))


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (block(first_minute=1200), "beyond the end of the day"),
        (block(first_minute=557), "no bar begins there"),
        (block(first_minute=-5), "no bar begins there"),
        (dataclasses.replace(block(), tokens=np.zeros(3, np.uint32)), "another layout"),
        (dataclasses.replace(block(), expected={1: np.zeros(4), 5: np.zeros(4)}), "another layout"),
        (_with_usual(cumulative=np.zeros((2, 374))), "cumulative of baselines of .* has another layout"),
        (_with_usual(tradingview_mean=np.zeros((1, 75))), "tradingview_mean of baselines"),
        (_with_usual(day=np.zeros((2, 3))), "day of baselines"),
        (
            dataclasses.replace(block(), live={1: np.zeros((2, LIVE_FIELDS)), 5: np.zeros((2, 7))}),
            "live_5 of baselines",
        ),
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
