"""Relative volume: what was traded over what is usual by then; each number with one meaning, for live bars and history.

Unknown is NaN, never 0 or 1: without ten sessions, with nothing expected, for an index. `traded` is what continuous
trading gave since the open, in bars; auctions stand apart, out of every ratio but those of the whole day.
"""

import math
from enum import IntEnum, IntFlag

import numpy as np
from numpy.typing import NDArray

from trading_platform.calc.kernel import Matrix, Row, kernel


class VolumeFlag(IntFlag):
    """What a reader must know before trusting the volume fields of a row."""

    PARTIAL = 1  # the bar is still running; its expected volume is that of the time elapsed
    STALE_BASELINE = 2  # the baseline in use was made for an earlier session
    FEW_SESSIONS = 4  # fewer past sessions than a baseline needs: fields are null
    CORPORATE_ACTION = 8  # past volumes were adjusted for a split or bonus
    GAP = 16  # a gap touched this bar or an earlier one of the session
    SNAPSHOT = 32  # counting began after the open: what was traded before came as one number
    NO_BASELINE = 64  # nothing is known of the instrument's past


class VixRegime(IntEnum):
    """How nervous the market is, by India VIX; a field beside volume, never a factor of it."""

    UNKNOWN = 0  # no fresh value
    LOW = 1  # below 15
    NORMAL = 2  # below 20
    HIGH = 3  # below 25
    PANIC = 4


# what a baseline says of an instrument's day beside its curves; *_EXPECTED are medians over past sessions
DAY_EXPECTED, CONTINUOUS_EXPECTED, CLOSING_EXPECTED, LEVEL, PRIOR, SESSIONS, HISTORY_FLAGS, DAY_FIELDS = range(8)
DAY_NAMES = (
    "day_expected",  # volume of the day, auctions included
    "continuous_expected",
    "closing_expected",  # of the closing auction, 0 when there was none
    "opening_level",  # factor by which the day is thought to trade more than usual before it has begun
    "prior_volume",  # what that weighs against what was traded
    "day_sessions",  # past sessions
    "history_flags",  # VolumeFlag of the past
)

# what follows from a bar
RVOL_BAR, RVOL_CUM, TRADINGVIEW_RVOL, EOD_PROJECTION, EOD_RATIO, PARTICIPATION, VOLUME_FIELDS = range(7)
FIELD_NAMES = ("rvol_bar", "rvol_cum", "tradingview_rvol", "eod_projection", "eod_ratio", "participation")

TRADINGVIEW_MINUTES, TRADINGVIEW_SESSIONS = 5, 10
"""TradingView's "Relative Volume at Time": five-minute bars, mean of the ten sessions before."""

VIX_MINUTES = 2
"""India VIX is fresh when one of so many last minutes of the bar has a bar of it."""

_LOW, _NORMAL, _HIGH = 15.0, 20.0, 25.0
_R_UNKNOWN, _R_LOW, _R_NORMAL = int(VixRegime.UNKNOWN), int(VixRegime.LOW), int(VixRegime.NORMAL)
_R_HIGH, _R_PANIC = int(VixRegime.HIGH), int(VixRegime.PANIC)


def unknown_days(count: int) -> Matrix:
    """Return DAY_FIELDS of instruments of whose past nothing is known."""
    days = np.full((count, DAY_FIELDS), np.nan)
    days[:, SESSIONS] = 0.0
    days[:, HISTORY_FLAGS] = float(VolumeFlag.NO_BASELINE)
    return days


@kernel
def relative_volume(volume: float, expected: float) -> float:
    """Return volume over the volume that is usual; NaN when either is unknown, or nothing is expected.

    `rvol_bar`: a bar over the median of its bucket. `rvol_cum`: traded since the open over the median of that at the
    same minute. `tradingview_rvol`: the same at the end of a five-minute bar over the mean of ten sessions, as
    TradingView's screener defines "Relative Volume at Time". `rvol_adjusted`: a bar over its forecast one bar ahead.
    `participation`: the day's volume so far, auctions included, over the median of a whole day's.
    """
    return volume / expected if expected > 0.0 else np.nan


@kernel
def surprise_z(innovation: float, variance: float, scale: float) -> float:
    """Return how far a log volume lies above its forecast, in deviations times `scale`; NaN without a variance.

    `scale` says how far surprises usually come where this one does: see `calc/volume/surprises.py`.
    """
    return innovation / (scale * math.sqrt(variance)) if variance > 0.0 else np.nan


@kernel
def day_level(traded: float, expected: float, day: Row) -> float:
    """Return by what factor today trades more than usual: so far, shrunk to its level at the open by a prior weight."""
    weight = expected + day[PRIOR]
    return float((traded + day[LEVEL] * day[PRIOR]) / weight) if weight > 0.0 else np.nan


@kernel
def eod_projection(traded: float, auctioned: float, expected: float, day: Row) -> float:
    """Return the volume that the day will have: what it has, and the expected rest of it times the day's level."""
    rest = max(0.0, day[CONTINUOUS_EXPECTED] - expected) + day[CLOSING_EXPECTED]
    return float(auctioned + traded + day_level(traded, expected, day) * rest)


@kernel
def elapsed_fraction(curve: Row, first: int, minutes: int, seconds: float) -> float:
    """Return which share of its expected volume a running bar of so many minutes has after `seconds` of it.

    `curve[first + k]` is the volume expected of its k-th minute; NaN while one of them is unknown.
    """
    whole, past = 0.0, 0.0
    for k in range(minutes):
        expected = curve[first + k]
        whole += expected
        past += expected * min(max(seconds / 60.0 - k, 0.0), 1.0)
    return past / whole if whole > 0.0 else np.nan


@kernel
def vix_regime(vix: float) -> int:
    """Return the VixRegime of a fresh India VIX, UNKNOWN for NaN."""
    if vix != vix or vix <= 0.0:
        return _R_UNKNOWN
    if vix < _LOW:
        return _R_LOW
    if vix < _NORMAL:
        return _R_NORMAL
    return _R_HIGH if vix < _HIGH else _R_PANIC


@kernel
def volume_fields(
    fields: Row,
    volume: float,
    bar_expected: float,
    traded: float,
    auctioned: float,
    expected: float,
    tradingview_mean: float,
    day: Row,
) -> None:
    """Fill `fields` with what follows from a closed bar: see `relative_volume`, `eod_projection`.

    `traded` and `expected` reach to the end of the bar; `tradingview_mean` is NaN but for five-minute bars.
    """
    fields[RVOL_BAR] = relative_volume(volume, bar_expected)
    fields[RVOL_CUM] = relative_volume(traded, expected)
    fields[TRADINGVIEW_RVOL] = relative_volume(traded, tradingview_mean)
    projection = eod_projection(traded, auctioned, expected, day)
    fields[EOD_PROJECTION] = projection
    fields[EOD_RATIO] = relative_volume(projection, day[DAY_EXPECTED])
    fields[PARTICIPATION] = relative_volume(auctioned + traded, day[DAY_EXPECTED])


@kernel
def volume_scan(
    bars: NDArray[np.int64],
    volumes: Matrix,
    interval: int,
    bar_expected: Matrix,
    cumulative: Matrix,
    tradingview_mean: Matrix,
    days: Matrix,
) -> Matrix:
    """Return `volume_fields` after each bar, shape (bars, VOLUME_FIELDS).

    Row k of `bars` says of which instrument and of which bucket of `bar_expected` bar k is, row k of `volumes` what
    the bar, continuous trading up to its end and the auctions so far traded. `cumulative` has one entry a minute.
    """
    rows = np.empty((len(bars), VOLUME_FIELDS))
    for k in range(len(bars)):
        index, bucket = bars[k]
        volume_fields(
            rows[k],
            volumes[k, 0],
            bar_expected[index, bucket],
            volumes[k, 1],
            volumes[k, 2],
            cumulative[index, (bucket + 1) * interval - 1],
            tradingview_mean[index, bucket] if interval == TRADINGVIEW_MINUTES else np.nan,
            days[index],
        )
    return rows
