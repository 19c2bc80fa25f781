"""What past sessions say of a day's volume: medians by bar, curves of the day, its total, its level at the open.

Only sessions before the one they are used in go in; that is the caller's business. Medians, because a mean reads a
normal bar as thin. Each curve comes from its own sums: a sum of medians is not the median of sums.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trading_platform.calc.kernel import kernel
from trading_platform.calc.relative_volume import (
    CLOSING_EXPECTED,
    CONTINUOUS_EXPECTED,
    DAY_EXPECTED,
    DAY_FIELDS,
    HISTORY_FLAGS,
    LEVEL,
    PRIOR,
    SESSIONS,
    TRADINGVIEW_MINUTES,
    TRADINGVIEW_SESSIONS,
    VolumeFlag,
)

Cube = NDArray[np.float64]

PRIOR_MINUTES = 30.0
"""How many minutes of usual volume the level at the open weighs against what today has shown."""
LEVEL_RANGE = (0.25, 4.0)
"""Yesterday's volume over the usual one is not believed beyond this."""


@dataclass(frozen=True, slots=True)
class VolumeHistory:
    """Past sessions, oldest first: `minutes` (sessions, instruments, minutes), auctions (sessions, instruments).

    NaN where there was no bar, or none with a volume. The first minute is one in which a five-minute bar begins.
    `whole` tells which sessions were seen from their open on: only they have a say in curves and totals. `adjusted`
    names the instruments whose past a split or bonus changed.
    """

    minutes: Cube
    opening_auction: NDArray[np.float64]
    closing_auction: NDArray[np.float64]
    whole: NDArray[np.bool_]
    adjusted: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class DayExpectations:
    """What is usual in a session: `bars[interval]` and curves (instruments, buckets), `day` (instruments, DAY_FIELDS).

    `cumulative` is the median of what was traded from the open to the end of each minute, `tradingview_mean` the mean
    of that over ten sessions at the end of each five-minute bar. NaN where unknown.
    """

    bars: dict[int, NDArray[np.float64]]
    known: dict[int, NDArray[np.int64]]
    cumulative: NDArray[np.float64]
    tradingview_mean: NDArray[np.float64]
    day: NDArray[np.float64]


@kernel
def medians_known(values: Cube, least: int) -> NDArray[np.float64]:
    """Return the median over the first axis of what is known, NaN with fewer than `least` values."""
    sessions, instruments, buckets = values.shape
    medians = np.full((instruments, buckets), np.nan)
    kept = np.empty(sessions)
    for row in range(instruments):
        for bucket in range(buckets):
            count = 0
            for session in range(sessions):
                value = values[session, row, bucket]
                if value == value:
                    # kept in order: there are few, and most come from one instrument's narrow range
                    at = count
                    while at > 0 and kept[at - 1] > value:
                        kept[at] = kept[at - 1]
                        at -= 1
                    kept[at] = value
                    count += 1
            if count >= max(least, 1):
                middle = count // 2
                medians[row, bucket] = kept[middle] if count % 2 else (kept[middle - 1] + kept[middle]) / 2.0
    return medians


def longer_volumes(minutes: Cube, interval: int) -> Cube:
    """Return the volume of bars of `interval` minutes, NaN where no minute of it has one."""
    sessions, instruments, count = minutes.shape
    bars = -(-count // interval)
    padded = np.full((sessions, instruments, bars * interval), np.nan)
    padded[:, :, :count] = minutes
    parts = padded.reshape(sessions, instruments, bars, interval)
    known = ~np.isnan(parts)
    return np.where(known.any(axis=3), np.where(known, parts, 0.0).sum(axis=3), np.nan)


def expectations(history: VolumeHistory, intervals: tuple[int, ...], min_sessions: int) -> DayExpectations:
    """Return what is usual after these sessions; NaN with fewer than `min_sessions` of them.

    A median of 0 is unknown: nothing can be divided by it. A whole session counts for the curves of an instrument when
    any of its bars has a volume; minutes without a bar then traded nothing.
    """
    bars, known = {}, {}
    for interval in intervals:
        volumes = longer_volumes(history.minutes, interval) if interval > 1 else history.minutes
        medians = medians_known(volumes, min_sessions)
        bars[interval] = np.where(medians > 0.0, medians, np.nan)
        known[interval] = (~np.isnan(volumes)).sum(axis=0)
    valid: NDArray[np.bool_] = history.whole & np.any(~np.isnan(history.minutes), axis=2)
    running = np.where(np.isnan(history.minutes), 0.0, history.minutes).cumsum(axis=2)
    running[~valid] = np.nan
    return DayExpectations(
        bars=bars,
        known=known,
        cumulative=medians_known(running, min_sessions),
        tradingview_mean=_tradingview_mean(running, valid),
        day=_day(history, running[:, :, -1], valid, min_sessions),
    )


def joined(parts: Sequence[DayExpectations]) -> DayExpectations:
    """Return the expectations of all instruments, in the order of the parts."""
    first = parts[0]
    return DayExpectations(
        bars={interval: np.concatenate([part.bars[interval] for part in parts]) for interval in first.bars},
        known={interval: np.concatenate([part.known[interval] for part in parts]) for interval in first.known},
        cumulative=np.concatenate([part.cumulative for part in parts]),
        tradingview_mean=np.concatenate([part.tradingview_mean for part in parts]),
        day=np.concatenate([part.day for part in parts]),
    )


def _tradingview_mean(running: Cube, valid: NDArray[np.bool_]) -> NDArray[np.float64]:
    ends = np.arange(TRADINGVIEW_MINUTES - 1, running.shape[2] + TRADINGVIEW_MINUTES - 1, TRADINGVIEW_MINUTES)
    at_ends = running[:, :, np.minimum(ends, running.shape[2] - 1)]
    # of each instrument its own last ten sessions
    recent = valid & (valid[::-1].cumsum(axis=0)[::-1] <= TRADINGVIEW_SESSIONS)
    sums = np.where(recent[:, :, None], at_ends, 0.0).sum(axis=0)
    enough = recent.sum(axis=0) == TRADINGVIEW_SESSIONS
    return np.where(enough[:, None], sums / TRADINGVIEW_SESSIONS, np.nan)


def _day(
    history: VolumeHistory, continuous: NDArray[np.float64], valid: NDArray[np.bool_], min_sessions: int
) -> NDArray[np.float64]:
    """Return the rows of DAY_FIELDS; `continuous` is the volume of each session's continuous trading."""
    auctions = np.nan_to_num(history.opening_auction) + np.nan_to_num(history.closing_auction)
    day = np.full((valid.shape[1], DAY_FIELDS), np.nan)
    day[:, DAY_EXPECTED] = _medians(continuous + auctions, min_sessions)
    day[:, CONTINUOUS_EXPECTED] = _medians(continuous, min_sessions)
    day[:, CLOSING_EXPECTED] = np.nan_to_num(_medians(history.closing_auction, min_sessions))
    day[:, LEVEL] = _opening_level(continuous, valid, day[:, CONTINUOUS_EXPECTED])
    day[:, PRIOR] = PRIOR_MINUTES * day[:, CONTINUOUS_EXPECTED] / _minutes_traded(history.minutes)
    day[:, SESSIONS] = valid.sum(axis=0)
    flags = np.where(day[:, SESSIONS] < min_sessions, int(VolumeFlag.FEW_SESSIONS), 0)
    flags = np.where(day[:, SESSIONS] == 0, int(VolumeFlag.NO_BASELINE), flags)
    day[:, HISTORY_FLAGS] = flags | np.where(history.adjusted, int(VolumeFlag.CORPORATE_ACTION), 0)
    return day


def _medians(values: NDArray[np.float64], min_sessions: int) -> NDArray[np.float64]:
    return medians_known(np.ascontiguousarray(values)[:, :, None], min_sessions)[:, 0]


def _opening_level(
    continuous: NDArray[np.float64], valid: NDArray[np.bool_], usual: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the root of the last session's volume over the usual one: half of a day's surprise stays overnight."""
    if not len(valid):
        return np.full(valid.shape[1], np.nan)
    last = len(valid) - 1 - valid[::-1].argmax(axis=0)
    volume = continuous[last, np.arange(valid.shape[1])]
    with np.errstate(invalid="ignore", divide="ignore"):
        level: NDArray[np.float64] = np.sqrt(np.clip(volume / np.where(usual > 0.0, usual, np.nan), *LEVEL_RANGE))
    return level


def _minutes_traded(minutes: Cube) -> NDArray[np.float64]:
    """Return how many minutes lie between the first and the last one that had a bar in any session; NaN for none."""
    seen: NDArray[np.bool_] = np.any(~np.isnan(minutes), axis=0)
    span = seen.shape[1] - seen[:, ::-1].argmax(axis=1) - seen.argmax(axis=1)
    return np.where(seen.any(axis=1), span, np.nan)
