"""What follows from a closed bar: its row, its indicators, its relative volume, its patterns."""

from typing import Any

import numpy as np

from trading_platform.calc.bar_indicators import INDICATOR_FIELDS, indicators_step
from trading_platform.calc.bar_volume import fill_volume
from trading_platform.calc.kernel import Row, borrowing_kernel, kernel
from trading_platform.calc.pass_layout import (
    ATR_OUT,
    BAR_TRADED,
    BAR_VALUE,
    BARS,
    BARS_CLOSED_AT,
    BASELINE_VERSION,
    CLOSE,
    EMA_OUT,
    EXPECTED,
    FIVE_AT,
    FLAGS,
    HIGH,
    INDICATORS,
    INDICATORS_AT,
    INTERVAL_FIELDS,
    KIND,
    LAST_RECEIVED,
    LONG_MINUTES,
    LOW,
    MIDNIGHT,
    MINUTE,
    MINUTE_AT,
    OPEN,
    OUTPUTS_AT,
    PATTERN_COUNT,
    PHASES,
    RECORD,
    REVISION,
    RSI_OUT,
    RUN_1,
    RUN_5,
    RUNNING,
    RVOL_OUT,
    SIGNALS,
    SLOTS,
    STATUS,
    TICKS,
    VALUE_SUM,
    VOLUME,
    VOLUME_SUM,
    Memory,
    Outputs,
    minute_at,
)
from trading_platform.calc.pattern_decision import decide
from trading_platform.calc.patterns import inputs
from trading_platform.calc.relative_volume import relative_volume

HORIZON_SECONDS = 3600
# a plain 1 or 5 as an argument would compile everything below once for each of them
ONE_MINUTE: Any = np.int64(1)
FIVE_MINUTES: Any = np.int64(LONG_MINUTES)
_BAR_COLUMNS, _VERDICT_COLUMNS, _SILENT = inputs.BAR_COLUMNS, inputs.VERDICT_COLUMNS, inputs.SILENT
_B_OPEN, _B_HIGH, _B_LOW, _B_CLOSE, _B_VOLUME = inputs.OPEN, inputs.HIGH, inputs.LOW, inputs.CLOSE, inputs.VOLUME
_B_VWAP, _B_RVOL, _B_EMA, _B_RSI, _B_ATR = inputs.VWAP, inputs.RVOL, inputs.EMA, inputs.RSI, inputs.ATR
_V_STOP, _V_TARGET, _V_FEATURE = inputs.STOP, inputs.TARGET, inputs.FEATURE_0


@borrowing_kernel
def emit_bar(memory: Memory, out: Outputs, index: int, slot: Row, interval: int) -> None:
    """Write the row of a bar that closed or was revised."""
    at = out.counts[BARS]
    row = out.bars[at]
    row.record = memory.scalars[RECORD]
    row.token = memory.tokens[index]
    row.interval = interval
    row.kind = int(slot[KIND])
    row.revision = int(slot[REVISION])
    row.start = int(slot[MINUTE]) * 60
    row.open, row.high, row.low, row.close = slot[OPEN], slot[HIGH], slot[LOW], slot[CLOSE]
    row.volume = slot[VOLUME]
    row.ticks = int(slot[TICKS])
    row.flags = int(slot[FLAGS])
    out.counts[BARS] = at + 1


@kernel
def session_vwap(row: Row) -> float:
    """Return the volume-weighted mean price of the session up to the last closed minute, NaN before any volume."""
    return row[VALUE_SUM] / row[VOLUME_SUM] if row[VOLUME_SUM] > 0.0 else np.nan


@kernel
def running_vwap(row: Row) -> float:
    """Return the same up to now: what open bars of continuous trading hold is added."""
    value, volume = row[VALUE_SUM], row[VOLUME_SUM]
    for k in range(SLOTS):
        at = minute_at(k)
        if row[at + STATUS] == RUNNING and row[at + KIND] == 0.0:
            value += row[at + BAR_VALUE]
            volume += row[at + BAR_TRADED]
    return value / volume if volume > 0.0 else np.nan


@borrowing_kernel
def after_close(memory: Memory, out: Outputs, index: int, slot: Row, interval: int) -> None:
    """Step the indicators and patterns of one interval with a continuous bar at its first closing."""
    if slot[KIND] != 0.0:
        return
    row = memory.state[index]
    base = MINUTE_AT if interval == 1 else FIVE_AT
    part = row[base : base + INTERVAL_FIELDS]
    bucket = int((slot[MINUTE] * 60.0 - memory.scalars[MIDNIGHT]) / 60.0) // interval
    expected = memory.by_minute[index, EXPECTED, bucket] if interval == 1 else memory.by_five[index, EXPECTED, bucket]
    ema, rsi, atr = indicators_step(
        part[INDICATORS_AT : INDICATORS_AT + INDICATOR_FIELDS], slot[HIGH], slot[LOW], slot[CLOSE]
    )
    rvol = relative_volume(slot[VOLUME], expected)
    part[OUTPUTS_AT + EMA_OUT] = ema
    part[OUTPUTS_AT + RSI_OUT] = rsi
    part[OUTPUTS_AT + ATR_OUT] = atr
    part[OUTPUTS_AT + RVOL_OUT] = rvol
    part[BARS_CLOSED_AT] += 1.0
    _emit_indicators(memory, out, index, slot, interval, part, expected)
    if memory.parameters[RUN_1 if interval == 1 else RUN_5] == 1.0:
        _patterns(memory, out, index, slot, interval, part)


@borrowing_kernel
def _emit_indicators(
    memory: Memory, out: Outputs, index: int, slot: Row, interval: int, part: Row, expected: float
) -> None:
    at = out.counts[INDICATORS]
    line = out.indicators[at]
    line.record = memory.scalars[RECORD]
    line.token = memory.tokens[index]
    line.interval = interval
    line.revision = int(slot[REVISION])
    line.start = int(slot[MINUTE]) * 60
    line.ema_20 = part[OUTPUTS_AT + EMA_OUT]
    line.rsi_14 = part[OUTPUTS_AT + RSI_OUT]
    line.atr_14 = part[OUTPUTS_AT + ATR_OUT]
    line.vwap = session_vwap(memory.state[index])
    line.rvol_bar = part[OUTPUTS_AT + RVOL_OUT]
    line.expected_volume = expected
    line.baseline_version = np.uint64(memory.scalars[BASELINE_VERSION])
    fill_volume(memory, index, slot, interval, line, out.volume_fields)
    out.counts[INDICATORS] = at + 1


@borrowing_kernel
def _patterns(memory: Memory, out: Outputs, index: int, slot: Row, interval: int, part: Row) -> None:
    bar, said = out.bar, out.said
    bar[_B_OPEN], bar[_B_HIGH], bar[_B_LOW], bar[_B_CLOSE] = slot[OPEN], slot[HIGH], slot[LOW], slot[CLOSE]
    bar[_B_VOLUME] = slot[VOLUME]
    bar[_B_VWAP] = session_vwap(memory.state[index])
    bar[_B_RVOL] = part[OUTPUTS_AT + RVOL_OUT]
    bar[_B_EMA] = part[OUTPUTS_AT + EMA_OUT]
    bar[_B_RSI] = part[OUTPUTS_AT + RSI_OUT]
    bar[_B_ATR] = part[OUTPUTS_AT + ATR_OUT]
    # one place that emits, so that it is compiled once
    for pattern in range(1, PATTERN_COUNT + 1):
        for column in range(_VERDICT_COLUMNS):
            said[column] = np.nan
        side, version = decide(part, pattern, bar, said, memory.parameters)
        if side != _SILENT:
            _emit_signal(memory, out, index, slot, interval, pattern, version, side, said)


@borrowing_kernel
def _emit_signal(
    memory: Memory,
    out: Outputs,
    index: int,
    slot: Row,
    interval: int,
    pattern: int,
    version: int,
    side: int,
    said: Row,
) -> None:
    at = out.counts[SIGNALS]
    line = out.signals[at]
    line.record = memory.scalars[RECORD]
    line.token = memory.tokens[index]
    line.interval = interval
    line.pattern = pattern
    line.version = version
    line.direction = side
    line.bar_flags = int(slot[FLAGS])
    line.formed_at = int(slot[MINUTE]) * 60
    confirmed = (int(slot[MINUTE]) + interval) * 60
    line.confirmed_at = confirmed
    line.known_at_ns = memory.scalars[LAST_RECEIVED]
    line.horizon_seconds = _horizon(memory, index, confirmed)
    line.entry_ref = slot[CLOSE]
    line.stop = said[_V_STOP]
    line.target = said[_V_TARGET]
    line.feature_0 = said[_V_FEATURE]
    line.feature_1 = said[_V_FEATURE + 1]
    line.feature_2 = said[_V_FEATURE + 2]
    line.feature_3 = said[_V_FEATURE + 3]
    line.baseline_version = np.uint64(memory.scalars[BASELINE_VERSION])
    out.counts[SIGNALS] = at + 1


@borrowing_kernel
def _horizon(memory: Memory, index: int, confirmed: int) -> int:
    """Return seconds: an hour, or what is left of continuous trading."""
    hours = memory.phases[int(memory.state[index, PHASES])]
    last = 0
    for k in range(len(hours)):
        if hours[k, 0] == 0:
            last = max(last, hours[k, 2])
    return max(0, min(HORIZON_SECONDS, last - confirmed))
