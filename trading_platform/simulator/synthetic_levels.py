"""Where the synthetic market stands after each session: daily levels from seeded walks over the sessions' ordinals.

Every session starts from the level that the one before it ended on, and any session can be made without the others.
"""

import functools
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from trading_platform.errors import NoSessionError
from trading_platform.market.sessions import SessionClass, SessionTable

Floats = NDArray[np.float64]

FIRST_DAY = date(2016, 1, 1)
"""Sessions are counted from here."""

MARKET_DAY_VOLATILITY = 0.009
_STAY = 0.998
"""How much of a log level is kept to the next session: prices wander but come back."""
_VOLATILITY_STAY, _VOLATILITY_SHOCK = 0.94, 0.12
_FACTOR_STAY, _FACTOR_SHOCK = 0.85, 0.18
_OVERNIGHT = 0.3
"""Share of a day's move that has happened when the session opens."""


@dataclass(frozen=True, slots=True)
class Roster:
    """What is fixed about the names: price at the start, market beta, own volatility a day, volume a minute, weight."""

    base: Floats
    beta: Floats
    own_volatility: Floats
    minute_volume: Floats
    weight: Floats


@dataclass(frozen=True, slots=True)
class DayLevels:
    """One session: prices before, at the open and at the close, the market's volatility, factor of each volume."""

    previous: Floats
    opened: Floats
    closed: Floats
    market_volatility: float
    volume_factor: Floats


def ordinal_of(session: date, table: SessionTable) -> int:
    """Return how many NSE sessions lie between FIRST_DAY and this one; raise NoSessionError for a closed date."""
    if (reason := table.closed_because(SessionClass.NSE_CASH, session)) is not None:
        raise NoSessionError(f"NSE cash has no session on {session}: {reason}; choose another --session")
    return len(table.sessions(SessionClass.NSE_CASH, FIRST_DAY, session)) - 1


@functools.lru_cache(maxsize=8)
def roster(seed: int, names: int) -> Roster:
    """Return the fixed facts of each name; every twentieth trades so little that minutes pass without a share."""
    random = np.random.default_rng([seed, 1])
    base = np.exp(random.uniform(np.log(60.0), np.log(4000.0), names))
    beta = random.uniform(0.6, 1.4, names)
    own = random.uniform(0.008, 0.018, names)
    turnover = np.exp(random.normal(np.log(3.2e6), 0.9, names))
    volume = turnover / base
    thin = np.arange(names) % 20 == 19
    volume[thin] = random.uniform(0.5, 5.0, names)[thin]
    weight = np.where(thin, turnover * 0.02, turnover)
    return Roster(base, beta, own, volume, weight / weight.sum())


def day_levels(seed: int, names: int, ordinal: int) -> DayLevels:
    """Return the levels of one session."""
    logs, volatility, factors = _walks(seed, names, ordinal + 1)
    base = roster(seed, names).base
    before = logs[ordinal - 1] if ordinal else np.zeros(names)
    opened = before + _OVERNIGHT * (logs[ordinal] - before)
    return DayLevels(
        previous=base * np.exp(before),
        opened=base * np.exp(opened),
        closed=base * np.exp(logs[ordinal]),
        market_volatility=float(volatility[ordinal]),
        volume_factor=np.exp(factors[ordinal]),
    )


@functools.lru_cache(maxsize=4)
def _walks(seed: int, names: int, sessions: int) -> tuple[Floats, Floats, Floats]:
    """Return log levels (sessions, names), the market's volatility a day, and log volume factors (sessions, names)."""
    fixed = roster(seed, names)
    # filled row by row: a longer walk begins with the shorter one
    shocks = np.random.default_rng([seed, 2]).standard_normal((sessions, 2 * names + 3))
    calm = _persistent(shocks[:, :1] * _VOLATILITY_SHOCK, _VOLATILITY_STAY)
    volatility = MARKET_DAY_VOLATILITY * np.exp(calm[:, 0])
    market = volatility * shocks[:, 1]
    own = fixed.own_volatility * shocks[:, 3 : 3 + names]
    logs = _persistent(fixed.beta * market[:, None] + own, _STAY)
    common = _persistent(shocks[:, 2:3] * _FACTOR_SHOCK, _FACTOR_STAY)
    factors = common + _persistent(shocks[:, 3 + names :] * _FACTOR_SHOCK, _FACTOR_STAY)
    return logs, volatility, factors


def _persistent(shocks: Floats, stay: float) -> Floats:
    """Return the first-order autoregression that these shocks drive, from zero."""
    values = np.empty_like(shocks)
    level = np.zeros(shocks.shape[1])
    for row, shock in enumerate(shocks):
        level = stay * level + shock
        values[row] = level
    return values
