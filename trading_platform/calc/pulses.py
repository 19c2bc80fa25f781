"""What readers see of running state: `latest` rows as packets come, a block of features once a second."""

from typing import Any

import numpy as np

from trading_platform.calc.bar_volume import begin_minute, fill_running_volume
from trading_platform.calc.closed_bar import running_vwap
from trading_platform.calc.kernel import Row, borrowing_kernel, inlined_kernel
from trading_platform.calc.pass_layout import (
    ATR_OUT,
    BASELINE_FLAGS,
    DAY_VOLUME,
    DIRTY,
    EMA_OUT,
    EXCHANGE_TIME,
    FEATURES,
    FIVE_AT,
    HAS_VOLUME,
    IS_DIRTY,
    IS_LATEST_DIRTY,
    LAST_RECEIVED,
    LATEST_DIRTY,
    MIDNIGHT,
    MINUTE_AT,
    OUTPUTS_AT,
    PRICE,
    PULSE_SECOND,
    PULSES,
    RECORD,
    RSI_OUT,
    RUNNING_FLAGS,
    RVOL_OUT,
    UNDER_WAY,
    Memory,
    Outputs,
)


@inlined_kernel
def mark_dirty(memory: Memory, index: int) -> None:
    """Note that this row belongs into the next block of features."""
    row = memory.state[index]
    if row[IS_DIRTY] == 0.0:
        row[IS_DIRTY] = 1.0
        memory.dirty[memory.scalars[DIRTY]] = index
        memory.scalars[DIRTY] += 1


@borrowing_kernel
def pulse_features(memory: Memory, out: Outputs) -> None:
    """Write one block with the rows that changed since the last, in the order in which they changed."""
    count, second = memory.scalars[DIRTY], memory.scalars[PULSE_SECOND]
    minute, midnight = second // 60, memory.scalars[MIDNIGHT] // 60
    block_flags = memory.scalars[BASELINE_FLAGS]
    pulse = out.pulses[out.counts[PULSES]]
    pulse.record = memory.scalars[RECORD]
    pulse.first = out.counts[FEATURES]
    pulse.count = count
    for k in range(count):
        index = memory.dirty[k]
        row, usual = memory.state[index], memory.usual[index]
        row[IS_DIRTY] = 0.0
        if usual[UNDER_WAY] != minute:
            begin_minute(usual, memory.by_minute[index], memory.by_five[index], minute, midnight)
        line = out.features[out.counts[FEATURES] + k]
        _feature(line, memory.tokens[index], row)
        fill_running_volume(line, row, usual, second)
        line.volume_flags |= block_flags
    out.counts[FEATURES] += count
    if count > 0:
        out.counts[PULSES] += 1
    memory.scalars[DIRTY] = 0


@borrowing_kernel
def _feature(line: Any, token: int, row: Row) -> None:
    line.token = token
    line.flags = int(row[RUNNING_FLAGS])
    line.exchange_time = int(row[EXCHANGE_TIME])
    line.last_price = row[PRICE]
    line.day_volume = row[DAY_VOLUME] if row[HAS_VOLUME] == 1.0 else np.nan
    line.vwap = running_vwap(row)
    one, five = MINUTE_AT + OUTPUTS_AT, FIVE_AT + OUTPUTS_AT
    line.ema_20_1m, line.rsi_14_1m = row[one + EMA_OUT], row[one + RSI_OUT]
    line.atr_14_1m, line.rvol_bar_1m = row[one + ATR_OUT], row[one + RVOL_OUT]
    line.ema_20_5m, line.rsi_14_5m = row[five + EMA_OUT], row[five + RSI_OUT]
    line.atr_14_5m, line.rvol_bar_5m = row[five + ATR_OUT], row[five + RVOL_OUT]


@inlined_kernel
def keep_latest(memory: Memory, index: int, tick: Any) -> None:
    """Remember the packet as the instrument's latest, whatever may be wrong with its time or price."""
    line = memory.latest[index]
    line.record = memory.scalars[RECORD]
    line.token = tick.token
    line.mode = tick.mode
    line.received_ns = memory.scalars[LAST_RECEIVED]
    line.exchange_time = tick.exchange_time
    line.last_price = tick.last_price
    line.last_quantity = _or_nan(tick.last_quantity)
    line.average_price = tick.average_price
    line.day_volume = _or_nan(tick.volume)
    line.open, line.high, line.low, line.close = tick.open, tick.high, tick.low, tick.close
    line.open_interest = _or_nan(tick.open_interest)
    line.bid_price, line.bid_quantity = tick.depth_price[0], _or_nan(tick.depth_quantity[0])
    line.ask_price, line.ask_quantity = tick.depth_price[5], _or_nan(tick.depth_quantity[5])
    row = memory.state[index]
    if row[IS_LATEST_DIRTY] == 0.0:
        row[IS_LATEST_DIRTY] = 1.0
        memory.latest_dirty[memory.scalars[LATEST_DIRTY]] = index
        memory.scalars[LATEST_DIRTY] += 1


@borrowing_kernel
def _or_nan(value: int) -> float:
    return float(value) if value >= 0 else np.nan
