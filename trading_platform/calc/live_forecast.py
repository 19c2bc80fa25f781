"""The filter of volume within a session: where the evening before left it, and one step for each bar that closes.

Parameters and state are in logs relative to ln(expected median) of each bar: before the first bar, after the night. A
bar that did not trade is no observation, but the filter moves on by one bin for each bar that could have been. How far
surprises usually come, by time of day and behind another one, stands in the row too (`calc/volume/surprises.py`).
"""

import math

import numpy as np
from numpy.typing import NDArray

from trading_platform.calc.kernel import Matrix, Row, borrowing_kernel, kernel
from trading_platform.calc.relative_volume import relative_volume, surprise_z
from trading_platform.calc.volume import kalman_filter
from trading_platform.calc.volume.kalman_filter import advance_bin, forecast_variance, observe
from trading_platform.calc.volume.robust_kalman import CLIP
from trading_platform.calc.volume.surprises import PARTS_OF_DAY, STIRRED_Z, part_of_day

KEEP_DEVIATION, DEVIATION_NOISE, NOISE, LEVEL, DEVIATION, VAR_LL, VAR_LD, VAR_DD, STIRRED, SCALES = range(10)
LIVE_FIELDS = SCALES + PARTS_OF_DAY + 1
"""STIRRED and SCALES: what a surprise is divided by behind a bar that surprised, and at each time of day."""
AT, FIRST, BINS, CAME, FILTER_FIELDS = range(LIVE_FIELDS, LIVE_FIELDS + 5)
"""Bucket of the day at which the state stands; the first with a median, and from it to the last; z of the bar at AT."""

_STATE_END = LEVEL + kalman_filter.STATE_FIELDS
_LEVEL, _DEVIATION = kalman_filter.LEVEL, kalman_filter.DEVIATION


def filters_at_open(live: Matrix, expected: Matrix) -> Matrix:
    """Return the rows with which `forecast_step` begins the day: a filter stands at its first bucket with a median."""
    filters = np.empty((len(live), FILTER_FIELDS))
    filters[:, :LIVE_FIELDS] = live
    filters[:, AT:] = 0.0
    filters[:, CAME] = np.nan
    if expected.shape[1]:
        there = expected > 0.0
        filters[:, FIRST] = filters[:, AT] = there.argmax(axis=1)
        filters[:, BINS] = expected.shape[1] - there[:, ::-1].argmax(axis=1) - filters[:, FIRST]
    return filters


@borrowing_kernel
def forecast_step(filter_: Row, bucket: int, volume: float, expected: float) -> tuple[float, float]:
    """Fold the bar of a bucket, later than all before, into a filter; return `rvol_adjusted` and `surprise_z` of it.

    `expected` is its median as of the evening before. Both are NaN without a filter or a median, `surprise_z` also for
    a bar that did not trade.
    """
    if filter_[NOISE] != filter_[NOISE] or not expected > 0.0 or bucket < filter_[AT]:
        return np.nan, np.nan
    state = filter_[LEVEL:_STATE_END]
    steps = bucket - int(filter_[AT])
    for _ in range(steps):
        advance_bin(state, filter_[KEEP_DEVIATION], filter_[DEVIATION_NOISE])
    scale = filter_[SCALES + part_of_day(bucket - int(filter_[FIRST]), int(filter_[BINS]))]
    if steps == 1 and filter_[CAME] > STIRRED_Z:
        scale *= filter_[STIRRED]
    filter_[AT] = bucket
    filter_[CAME] = np.nan
    forecast = math.log(expected) + state[_LEVEL] + state[_DEVIATION]
    adjusted = relative_volume(volume, math.exp(forecast))
    if not volume > 0.0:
        return adjusted, np.nan
    error = math.log(volume) - forecast
    variance = forecast_variance(state, filter_[NOISE])
    observe(state, error, variance, CLIP)
    filter_[CAME] = surprise_z(error, variance, scale)
    return adjusted, filter_[CAME]


@kernel
def forecast_scan(bars: NDArray[np.int64], volumes: Row, expected: Matrix, filters: Matrix) -> Matrix:
    """Return `forecast_step` of each bar, shape (bars, 2); `filters` are left where the last bars put them.

    Row k of `bars` says of which instrument and of which bucket of `expected` bar k is; an instrument's bars ascend.
    """
    rows = np.empty((len(bars), 2))
    for k in range(len(bars)):
        index, bucket = bars[k]
        rows[k, 0], rows[k, 1] = forecast_step(filters[index], bucket, volumes[k], expected[index, bucket])
    return rows
