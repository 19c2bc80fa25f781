"""What volume is expected of each bar of the next session, by whichever model serves the instrument, at every length.

Medians of each length come from a fit at that length: a sum of medians is not the median of sums. Means are those of
minutes and their sums, so that they add up. Who cannot be forecast falls back to the median of past sessions, or to
nothing, and it is said why.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from trading_platform.calc.live_forecast import LIVE_FIELDS
from trading_platform.calc.volume.bands import QUANTILES
from trading_platform.calc.volume.day_ahead import LEAST_SESSIONS, forecast_day
from trading_platform.calc.volume.models import logs_of
from trading_platform.calc.volume.panel_forecast import blocks_of
from trading_platform.calc.volume_baseline import INTERVALS
from trading_platform.calc.volume_history import Cube, longer_volumes, medians_known

Table = NDArray[np.float64]
Mask = NDArray[np.bool_]

LEAST_TRADED = 0.5
"""Share of its bars that must trade: below, the bars that do trade are not what a forecast of logs speaks of."""


PANEL_SYMBOLS = 500
"""Symbols that are fitted together at most: memory, while the mean of so many tells of the market what all would."""


class Server(IntEnum):
    """Which model a number comes from."""

    NONE = 0
    MEDIAN = 1  # of the past sessions
    FILTER = 2
    PANEL = 3


class Reason(IntEnum):
    """Why an instrument is not forecast by the published model."""

    SERVED = 0
    NO_VOLUME = 1  # in any past session
    FEW_SESSIONS = 2
    OPTION = 3
    THIN = 4
    NO_FIT = 5


@dataclass(frozen=True, slots=True)
class Outlook:
    """Bars of one length: `median`, `mean` (instruments, bars), `quantiles` (QUANTILES, instruments, bars), or NaN.

    By instrument: `server`, `reason`, `sessions` (with volume), `traded` (share of their bars that did), `filters`
    (LIVE_FIELDS, NaN without one). `known` counts past sessions with a bar.
    """

    median: Table
    mean: Table
    quantiles: Cube
    server: NDArray[np.int64]
    reason: NDArray[np.int64]
    sessions: NDArray[np.int64]
    traded: NDArray[np.float64]
    known: NDArray[np.int64]
    filters: Table


def outlooks(minutes: Cube, options: Mask, min_sessions: int, intervals: Sequence[int]) -> dict[int, Outlook]:
    """Return what is expected after these sessions by length of bar; `minutes` (sessions, instruments, minutes).

    NaN where there was no bar. `options` are not forecast. Bars of all lengths begin in the first minute; intervals
    begin with 1, whose means make those of the others. The order of instruments shows in last digits: keep it by name.
    """
    sessions: NDArray[np.int64] = np.any(minutes > 0.0, axis=2).sum(axis=0)
    found: dict[int, Outlook] = {}
    for interval in intervals:
        past = _past(minutes, interval, sessions, min_sessions)
        reason = _reasons(past, options, sessions, min_sessions)
        found[interval] = _forecast(minutes, interval, past, reason, sessions)
        if interval > 1:
            found[interval] = replace(found[interval], mean=longer_volumes(found[1].mean[None], interval)[0])
    return found


@dataclass(frozen=True, slots=True)
class _Past:
    """What past bars of one length show by themselves: medians, means, how many, and the share that traded."""

    median: Table
    mean: Table
    known: NDArray[np.int64]
    traded: NDArray[np.float64]


def _past(minutes: Cube, interval: int, sessions: NDArray[np.int64], min_sessions: int) -> _Past:
    parts = []
    for rows in blocks_of(minutes.shape[1]):
        volumes, counted = _bars(minutes, rows, interval), np.maximum(sessions[rows], 1)
        medians = medians_known(volumes, min_sessions)
        sums = np.nan_to_num(volumes).sum(axis=0) / counted[:, None]
        parts.append(
            _Past(
                np.where(medians > 0.0, medians, np.nan),
                np.where((sessions[rows] >= min_sessions)[:, None], sums, np.nan),
                (~np.isnan(volumes)).sum(axis=0),
                np.sum(volumes > 0.0, axis=(0, 2)) / (counted * volumes.shape[2]),
            )
        )
    return _Past(*(np.concatenate([getattr(part, name) for part in parts]) for name in _Past.__dataclass_fields__))


def _bars(minutes: Cube, rows: slice | NDArray[np.intp], interval: int) -> Cube:
    volumes = np.ascontiguousarray(minutes[:, rows])
    return volumes if interval == 1 else longer_volumes(volumes, interval)


def _reasons(past: _Past, options: Mask, sessions: NDArray[np.int64], min_sessions: int) -> NDArray[np.int64]:
    reason = np.full(len(sessions), int(Reason.SERVED))
    reason[past.traded < LEAST_TRADED] = int(Reason.THIN)
    reason[sessions < max(min_sessions, LEAST_SESSIONS)] = int(Reason.FEW_SESSIONS)
    reason[options] = int(Reason.OPTION)
    reason[sessions == 0] = int(Reason.NO_VOLUME)
    return reason


def _forecast(
    minutes: Cube, interval: int, past: _Past, reason: NDArray[np.int64], sessions: NDArray[np.int64]
) -> Outlook:
    """Return the outlook of one length, its mean that of its own bars."""
    optional = reason == int(Reason.OPTION)
    median, mean = (np.where(optional[:, None], np.nan, table) for table in (past.median, past.mean))
    quantiles = np.full((len(QUANTILES), *median.shape), np.nan)
    filters = np.full((len(median), LIVE_FIELDS), np.nan)
    server = np.where(np.isnan(median).all(axis=1), int(Server.NONE), int(Server.MEDIAN))
    served, reason = np.flatnonzero(reason == int(Reason.SERVED)), reason.copy()
    for rows in np.array_split(served, -(-len(served) // PANEL_SYMBOLS)) if len(served) else ():
        logs = _logs(minutes, rows, interval)
        traded = np.flatnonzero(~np.isnan(logs).all(axis=(0, 1)))
        here = slice(int(traded[0]), int(traded[-1]) + 1)
        ahead = forecast_day(logs[:, :, here], with_filters=interval in INTERVALS)
        fitted = np.asarray(np.isfinite(ahead.median).any(axis=1))
        at = rows[fitted]
        median[at], mean[at], quantiles[:, at] = np.nan, np.nan, np.nan
        median[at, here], mean[at, here] = ahead.median[fitted], (ahead.median * ahead.mean_factor)[fitted]
        quantiles[:, at, here] = (ahead.median * ahead.quantile_factors)[:, fitted]
        server[at] = np.where(ahead.by_panel[fitted], int(Server.PANEL), int(Server.FILTER))
        if ahead.filters is not None:
            filters[at] = ahead.filters[fitted]
        reason[rows[~fitted]] = int(Reason.NO_FIT)
    return Outlook(median, mean, quantiles, server, reason, sessions, past.traded, past.known, filters)


def _logs(minutes: Cube, rows: NDArray[np.intp], interval: int) -> Cube:
    logs = np.empty((len(rows), len(minutes), -(-minutes.shape[2] // interval)))
    for block in blocks_of(len(rows)):
        logs[block] = logs_of(_bars(minutes, rows[block], interval)).swapaxes(0, 1)
    return logs
