"""The filter of volume within a session: where the evening before left it, and one step for each bar that closes.

Parameters and state are in logs relative to ln(expected median) of each bar: before the first bar, after the night. A
bar that did not trade is no observation, but the filter moves on by one bin for each bar that could have been.
"""

import math

import numpy as np
from numpy.typing import NDArray

from trading_platform.calc.kernel import Matrix, Row, borrowing_kernel, kernel
from trading_platform.calc.relative_volume import relative_volume, surprise_z
from trading_platform.calc.volume import kalman_filter
from trading_platform.calc.volume.kalman_filter import advance_bin, forecast_variance, observe
from trading_platform.calc.volume.robust_kalman import CLIP

KEEP_DEVIATION, DEVIATION_NOISE, NOISE, LEVEL, DEVIATION, VAR_LL, VAR_LD, VAR_DD, LIVE_FIELDS = range(9)
LIVE_NAMES = (
    "live_keep_deviation",
    "live_deviation_noise",
    "live_noise",
    "live_level",
    "live_deviation",
    "live_var_ll",
    "live_var_ld",
    "live_var_dd",
)

AT = LIVE_FIELDS
"""Bucket of the day at which the state stands."""
FILTER_FIELDS = AT + 1

_STATE_END = LEVEL + kalman_filter.STATE_FIELDS
_LEVEL, _DEVIATION = kalman_filter.LEVEL, kalman_filter.DEVIATION


def filters_at_open(live: Matrix, expected: Matrix) -> Matrix:
    """Return the rows with which `forecast_step` begins the day: a filter stands at its first bucket with a median."""
    filters = np.empty((len(live), FILTER_FIELDS))
    filters[:, :LIVE_FIELDS] = live
    filters[:, AT] = (expected > 0.0).argmax(axis=1) if expected.shape[1] else 0
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
    for _ in range(bucket - int(filter_[AT])):
        advance_bin(state, filter_[KEEP_DEVIATION], filter_[DEVIATION_NOISE])
    filter_[AT] = bucket
    forecast = math.log(expected) + state[_LEVEL] + state[_DEVIATION]
    adjusted = relative_volume(volume, math.exp(forecast))
    if not volume > 0.0:
        return adjusted, np.nan
    error = math.log(volume) - forecast
    variance = forecast_variance(state, filter_[NOISE])
    observe(state, error, variance, CLIP)
    return adjusted, surprise_z(error, variance)


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
