"""The volume fields of a row that the pass writes: after a closed bar, and of bars that are still running.

The formulas are those of `calc/relative_volume.py`; here stands where the pass finds what goes into them.
"""

from typing import Any

import numpy as np

from trading_platform.calc.bars import long_slot, minute_slot, sum_known
from trading_platform.calc.kernel import Matrix, Row, borrowing_kernel
from trading_platform.calc.live_forecast import FILTER_FIELDS, forecast_step
from trading_platform.calc.pass_layout import (
    AUCTIONED,
    BASELINE_FLAGS,
    CLOSE,
    CLOSED_VOLUME,
    CUMULATIVE,
    CUMULATIVE_BEFORE,
    CUMULATIVE_RATE,
    DAY_VOLUME,
    EMPTY,
    EXPECTED,
    FILTER_AT,
    FIVE_AT,
    FIVE_BEFORE,
    FIVE_RATE,
    FLAGS,
    HAS_VOLUME,
    KIND,
    LONG_MINUTES,
    MIDNIGHT,
    MINUTE,
    MINUTE_AT,
    ONE_RATE,
    OTHER_LEG,
    RUNNING,
    STATUS,
    TOP_VOLUME,
    TRADED,
    TRADINGVIEW,
    UNDER_WAY,
    USUAL_AT,
    VIX_ROW,
    VOLUME,
    VOLUME_DOUBT,
    BarFlag,
    Memory,
)
from trading_platform.calc.relative_volume import (
    DAY_EXPECTED,
    EOD_PROJECTION,
    EOD_RATIO,
    HISTORY_FLAGS,
    PARTICIPATION,
    RVOL_CUM,
    TRADINGVIEW_RVOL,
    VIX_MINUTES,
    VolumeFlag,
    elapsed_fraction,
    eod_projection,
    relative_volume,
    vix_regime,
    volume_fields,
)

_BAR_GAP, _BAR_SNAPSHOT = int(BarFlag.GAP), int(BarFlag.SNAPSHOT)
_GAP, _SNAPSHOT, _PARTIAL = int(VolumeFlag.GAP), int(VolumeFlag.SNAPSHOT), int(VolumeFlag.PARTIAL)


@borrowing_kernel
def fill_volume(memory: Memory, index: int, slot: Row, interval: int, line: Any, fields: Row) -> None:
    """Put what follows from the volume of a closed bar of continuous trading into its row of indicators."""
    row = memory.state[index]
    _note_doubt(row, int(slot[FLAGS]))
    first = int(slot[MINUTE]) - memory.scalars[MIDNIGHT] // 60
    last = first + interval - 1
    volume_fields(
        fields,
        slot[VOLUME],
        line.expected_volume,
        row[TRADED],
        row[AUCTIONED],
        memory.by_minute[index, CUMULATIVE, last],
        memory.by_five[index, TRADINGVIEW, first // LONG_MINUTES] if interval == LONG_MINUTES else np.nan,
        memory.usual[index, USUAL_AT:],
    )
    line.rvol_cum = fields[RVOL_CUM]
    line.tradingview_rvol = fields[TRADINGVIEW_RVOL]
    base = (MINUTE_AT if interval == 1 else FIVE_AT) + FILTER_AT
    line.rvol_adjusted, line.surprise_z = forecast_step(
        row[base : base + FILTER_FIELDS], first // interval, slot[VOLUME], line.expected_volume
    )
    line.eod_projection = fields[EOD_PROJECTION]
    line.eod_ratio = fields[EOD_RATIO]
    line.participation = fields[PARTICIPATION]
    line.straddle_volume = _straddle_volume(memory, row, int(slot[MINUTE]) + interval - 1)
    line.volume_flags = _flags(memory, index)
    line.vix_regime = _regime(memory, int(slot[MINUTE]) + interval - 1)


@borrowing_kernel
def fill_running_volume(line: Any, row: Row, usual: Row, second: int) -> None:
    """Put what follows from the volume up to the second of a pulse into its row of features.

    What is usual of a minute under way is the share of it that has passed; `begin_minute` has noted it.
    """
    minute = second // 60
    elapsed = float(second - minute * 60)
    one, five = _running_volumes(row, minute)
    line.rvol_running_1m = relative_volume(one, usual[ONE_RATE] * elapsed)
    line.rvol_running_5m = relative_volume(five, usual[FIVE_BEFORE] + usual[FIVE_RATE] * elapsed)
    traded = row[TRADED]
    if row[HAS_VOLUME] == 1.0:
        traded = sum_known(traded, row[DAY_VOLUME] - row[CLOSED_VOLUME])
    expected = usual[CUMULATIVE_BEFORE] + usual[CUMULATIVE_RATE] * elapsed
    line.rvol_cum = relative_volume(traded, expected)
    line.eod_projection = eod_projection(traded, row[AUCTIONED], expected, usual[USUAL_AT:])
    line.participation = relative_volume(row[AUCTIONED] + traded, usual[USUAL_AT + DAY_EXPECTED])
    line.volume_flags = int(usual[USUAL_AT + HISTORY_FLAGS]) | int(row[VOLUME_DOUBT]) | _PARTIAL


@borrowing_kernel
def begin_minute(usual: Row, by_minute: Matrix, by_five: Matrix, minute: int, midnight: int) -> None:
    """Note what is usual of a minute (since the epoch, as `midnight`), once for all of its seconds."""
    for field in range(USUAL_AT):
        usual[field] = np.nan
    usual[UNDER_WAY] = minute
    today = minute - midnight
    if not 0 <= today < by_minute.shape[1]:
        return
    first, passed = today - minute % LONG_MINUTES, 60.0 * (minute % LONG_MINUTES)
    minutes, five = by_minute[EXPECTED], by_five[EXPECTED, first // LONG_MINUTES]
    usual[ONE_RATE] = minutes[today] / 60.0
    usual[FIVE_BEFORE] = five * elapsed_fraction(minutes, first, LONG_MINUTES, passed)
    after = five * elapsed_fraction(minutes, first, LONG_MINUTES, passed + 60.0)
    usual[FIVE_RATE] = (after - usual[FIVE_BEFORE]) / 60.0
    before = by_minute[CUMULATIVE, today - 1] if today > 0 else np.nan
    # before the first minute of the curve nothing is traded
    usual[CUMULATIVE_BEFORE] = 0.0 if before != before else before
    usual[CUMULATIVE_RATE] = (by_minute[CUMULATIVE, today] - usual[CUMULATIVE_BEFORE]) / 60.0


@borrowing_kernel
def _running_volumes(row: Row, minute: int) -> tuple[float, float]:
    """Return what the open bar of a minute and that of its five minutes have traded, NaN while not known.

    The minute before may be open still: its packets are waited for.
    """
    placed, before, one = row[CLOSED_VOLUME], 0.0, np.nan
    earlier, slot, longer = row[minute_slot(minute - 1)], row[minute_slot(minute)], row[long_slot(minute)]
    if earlier[STATUS] == RUNNING and earlier[MINUTE] == minute - 1 and earlier[TOP_VOLUME] > placed:
        before = earlier[TOP_VOLUME] - placed
        placed = earlier[TOP_VOLUME]
    if slot[STATUS] == RUNNING and slot[MINUTE] == minute and slot[KIND] == 0.0:
        one = max(0.0, slot[TOP_VOLUME] - placed) if slot[TOP_VOLUME] == slot[TOP_VOLUME] else np.nan
    five = one
    if minute % LONG_MINUTES != 0:
        five = sum_known(five, before)
    if longer[STATUS] == RUNNING and longer[MINUTE] == minute - minute % LONG_MINUTES:
        five = sum_known(longer[VOLUME], five)
    return one, five


@borrowing_kernel
def _straddle_volume(memory: Memory, row: Row, minute: int) -> float:
    """Return what both options of the strike have traded up to the end of a minute; NaN while either is unknown."""
    if row[OTHER_LEG] < 0.0:
        return np.nan
    other = memory.state[int(row[OTHER_LEG])]
    slot = other[minute_slot(minute)]
    traded = other[TRADED]
    # its bar of this minute may close after ours
    top = slot[TOP_VOLUME]
    if slot[STATUS] == RUNNING and slot[MINUTE] == minute and slot[KIND] == 0.0 and top == top:
        traded = sum_known(traded, max(0.0, top - other[CLOSED_VOLUME]))
    return float(row[TRADED] + traded)


@borrowing_kernel
def _regime(memory: Memory, minute: int) -> int:
    if memory.scalars[VIX_ROW] < 0:
        return vix_regime(np.nan)
    row = memory.state[memory.scalars[VIX_ROW]]
    for back in range(VIX_MINUTES):
        slot = row[minute_slot(minute - back)]
        if slot[STATUS] != EMPTY and slot[MINUTE] == minute - back:
            return vix_regime(slot[CLOSE])
    return vix_regime(np.nan)


@borrowing_kernel
def _note_doubt(row: Row, flags: int) -> None:
    doubt = int(row[VOLUME_DOUBT])
    if flags & _BAR_GAP:
        doubt |= _GAP
    if flags & _BAR_SNAPSHOT:
        doubt |= _SNAPSHOT
    row[VOLUME_DOUBT] = float(doubt)


@borrowing_kernel
def _flags(memory: Memory, index: int) -> int:
    history = int(memory.usual[index, USUAL_AT + HISTORY_FLAGS])
    return history | int(memory.state[index, VOLUME_DOUBT]) | int(memory.scalars[BASELINE_FLAGS])
