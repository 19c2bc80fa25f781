from datetime import date

import numpy as np
import pytest

from trading_platform.calc.bar_indicators import INDICATOR_FIELDS, indicators_scan
from trading_platform.calc.indicator_seeds import KIND, VERSION, SeedBlock, seed_row
from trading_platform.errors import BlockFormatError
from trading_platform.wire.blocks import decode_block, encode_block
from trading_platform_tests.calc.series import walk

SESSION = date(2026, 7, 31)


def block() -> SeedBlock:
    states = np.random.default_rng(2).normal(size=(3, 2, INDICATOR_FIELDS))
    return SeedBlock(SESSION, np.array([1, 2, 3], dtype=np.uint32), states, (date(2026, 7, 30),))


def test_a_block_comes_back() -> None:
    made = block()
    back = SeedBlock.decode(made.encode())
    assert (back.session, back.sessions_used) == (made.session, made.sessions_used)
    np.testing.assert_array_equal(back.states, made.states)
    np.testing.assert_array_equal(back.tokens, made.tokens)


def test_a_seed_goes_on_where_history_ended() -> None:
    bars = walk(4, 300)
    whole = indicators_scan(np.zeros(INDICATOR_FIELDS), *bars)
    seeded = indicators_scan(seed_row(*(line[:200] for line in bars)), *(line[200:] for line in bars))
    np.testing.assert_array_equal(seeded, whole[200:])


@pytest.mark.parametrize("change", ["fewer tokens", "fewer fields", "other intervals", "no session"])
def test_another_layout_is_refused(change: str) -> None:
    good = decode_block(block().encode(), KIND, VERSION)
    meta, arrays = dict(good.meta), dict(good.arrays)
    if change == "fewer tokens":
        arrays["token"] = arrays["token"][:2]
    elif change == "fewer fields":
        arrays["state"] = arrays["state"][:, :, :-1]
    elif change == "other intervals":
        meta["intervals"] = [1, 15]
    else:
        del meta["session"]
    with pytest.raises(BlockFormatError):
        SeedBlock.decode(encode_block(KIND, VERSION, meta, arrays))
