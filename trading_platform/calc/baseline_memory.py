"""What a baseline block puts into the memory of a pass: what is usual of each instrument, and filters at the open."""

import numpy as np

from trading_platform.calc.live_forecast import FILTER_FIELDS, filters_at_open
from trading_platform.calc.pass_layout import (
    CUMULATIVE,
    EXPECTED,
    FILTER_AT,
    FIVE_AT,
    LONG_MINUTES,
    MINUTE_AT,
    TRADINGVIEW,
    UNDER_WAY,
    USUAL_AT,
    Memory,
)
from trading_platform.calc.volume_baseline import BaselineBlock, expand_day, expand_live, expand_to_minutes


def fill_expected(memory: Memory, block: BaselineBlock, first: int) -> None:
    """Put what the block says into the rows from `first` on; a filter that comes late catches up with its next bar."""
    tokens = memory.tokens[first:]
    day = expand_day(block, tokens)
    memory.by_minute[first:, EXPECTED] = expand_to_minutes(block, 1, tokens)
    memory.by_minute[first:, CUMULATIVE] = day.cumulative
    memory.by_five[first:, EXPECTED] = expand_to_minutes(block, LONG_MINUTES, tokens)
    memory.by_five[first:, TRADINGVIEW] = day.tradingview_mean
    memory.usual[first:, USUAL_AT:] = day.day
    memory.usual[first:, UNDER_WAY] = np.nan
    for interval, base, expected in ((1, MINUTE_AT, memory.by_minute), (LONG_MINUTES, FIVE_AT, memory.by_five)):
        at = base + FILTER_AT
        live = expand_live(block, interval, tokens)
        memory.state[first:, at : at + FILTER_FIELDS] = filters_at_open(live, expected[first:, EXPECTED])
