"""Prices and volumes of the synthetic names within a session: clustered volatility, U-shaped volume, planted events."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trading_platform.simulator.synthetic_levels import DayLevels, Roster

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

POINTS_PER_MINUTE = 4
"""A minute's path has so many points; its bar is made of them."""

_SHOCK, _STAY = 0.06, 0.92
"""Of yesterday's square and of its own last value, how much of a variance carries over (GARCH 1,1 with mean one)."""

_EVENT_MINUTES = 5
_EVENT_SHARE = 8
"""One name in so many has an event."""
_EVENT_QUIET = 110
"""Minutes at the open without events, so that patterns have seen bars; a shorter session has none."""


@dataclass(frozen=True, slots=True)
class Events:
    """Planted bursts: name, first minute, size of the move in log price, multiple of the volume."""

    name: Ints
    minute: Ints
    move: Floats
    volume: Floats


def plant_events(random: np.random.Generator, names: int, minutes: int) -> Events:
    """Choose names and moments of bursts; they begin on five-minute boundaries."""
    count = names // _EVENT_SHARE if minutes > _EVENT_QUIET + 60 else 0
    name = random.choice(names, count, replace=False).astype(np.int64)
    slots = (minutes - 40 - _EVENT_QUIET) // _EVENT_MINUTES
    minute = _EVENT_QUIET + _EVENT_MINUTES * random.integers(0, max(slots, 1), count)
    move = random.uniform(0.008, 0.018, count) * random.choice([-1.0, 1.0], count)
    return Events(name, minute.astype(np.int64), move, random.uniform(6.0, 14.0, count))


def day_shape(minutes: int) -> Floats:
    """Return the U over a session's minutes with mean one: busy open, quiet noon, rising close."""
    at = np.arange(minutes)
    shape: Floats = 0.55 + 2.2 * np.exp(-at / 18.0) + 1.2 * np.exp(-(minutes - 1 - at) / 25.0)
    return np.asarray(shape / shape.mean())


def price_paths(
    random: np.random.Generator, fixed: Roster, levels: DayLevels, *, minutes: int, pinned: int, events: Events
) -> Floats:
    """Return prices (points, names) that begin at the open and stand at the close after `pinned` minutes."""
    names = len(fixed.base)
    points = minutes * POINTS_PER_MINUTE
    noise = _clustered(random.standard_normal((points, names + 1)))
    noise *= np.repeat(np.sqrt(day_shape(minutes)), POINTS_PER_MINUTE)[:, None] / np.sqrt(pinned * POINTS_PER_MINUTE)
    steps = fixed.beta * levels.market_volatility * noise[:, :1] + fixed.own_volatility * noise[:, 1:]
    steps[0] = 0.0
    walk = np.cumsum(steps, axis=0) + _bumps(events, names, minutes, pinned)
    last = pinned * POINTS_PER_MINUTE - 1
    elapsed = np.minimum(np.arange(points) / last, 1.0)[:, None]
    bridge = walk - elapsed * (walk[last] - np.log(levels.closed / levels.opened))
    paths: Floats = levels.opened * np.exp(bridge)
    return paths


def minute_volumes(
    random: np.random.Generator, fixed: Roster, levels: DayLevels, paths: Floats, events: Events
) -> Ints:
    """Return traded shares (minutes, names): the U, a day's factor, more when prices move, and overdispersed."""
    minutes = len(paths) // POINTS_PER_MINUTE
    log_close = np.log(paths[POINTS_PER_MINUTE - 1 :: POINTS_PER_MINUTE])
    moves = np.abs(np.diff(log_close, axis=0, prepend=np.log(levels.opened)[None, :]))
    stir = 0.6 + 0.4 * moves / np.maximum(moves.mean(axis=0), 1e-12)
    mean = fixed.minute_volume * levels.volume_factor * day_shape(minutes)[:, None] * stir
    for name, minute, times in zip(events.name, events.minute, events.volume, strict=True):
        mean[minute : minute + _EVENT_MINUTES, name] *= times
    volumes: Ints = random.poisson(mean * random.gamma(5.0, 0.2, mean.shape)).astype(np.int64)
    return volumes


def _clustered(shocks: Floats) -> Floats:
    """Scale standard shocks by variances that remember them."""
    values = np.empty_like(shocks)
    variance = np.ones(shocks.shape[1])
    for row, shock in enumerate(shocks):
        values[row] = np.sqrt(variance) * shock
        variance = (1.0 - _SHOCK - _STAY) + _SHOCK * values[row] ** 2 + _STAY * variance
    return values


def _bumps(events: Events, names: int, minutes: int, pinned: int) -> Floats:
    """Return log prices that rise within an event and fade by the close."""
    bumps = np.zeros((minutes * POINTS_PER_MINUTE, names))
    at = np.arange(minutes * POINTS_PER_MINUTE) / POINTS_PER_MINUTE
    for name, minute, move in zip(events.name, events.minute, events.move, strict=True):
        risen = np.clip((at - minute) / _EVENT_MINUTES, 0.0, 1.0)
        left = np.clip((pinned - at) / (pinned - minute - _EVENT_MINUTES), 0.0, 1.0)
        bumps[:, name] = move * risen * left
    return bumps
