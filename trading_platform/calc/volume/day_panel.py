"""The panel's forecast from the evening before, by itself: it takes levels and profiles, and needs no filter."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trading_platform.calc.volume.day_profile import common_profile, day_profiles, winsorise
from trading_platform.calc.volume.market_panel import (
    DAY_FEATURES,
    Moments,
    add_markets,
    apply,
    day_features,
    shown_of,
)
from trading_platform.calc.volume.panel_forecast import blocks_of, first_taught

Cube = NDArray[np.float64]
Table = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Shape:
    """Of a block of symbols: its rows, its day profile, and what its sessions leave of it, past ones winsorised."""

    rows: slice
    profile: Table
    residual: Cube


def panel_day_ahead(logs: Cube, known: int) -> Cube:
    """Return log forecasts of the sessions behind the first `known` of `logs` (symbols, sessions, bins), and one more.

    Fitted to the first `known`; each session is forecast from those before it. The last is the one behind `logs`.
    """
    shapes = _shapes(logs, known)
    market = add_markets([shown_of(shape.residual).levels for shape in shapes])
    moments, first = Moments(DAY_FEATURES), first_taught(known)
    for shape in shapes:
        shown = shown_of(shape.residual)
        missed = shown.residual - shown.usual[:, :, None]
        moments.add(day_features(shown, market)[:, first:known], missed[:, first:known])
    coefficients = moments.solve()
    forecast = np.empty((len(logs), logs.shape[1] + 1 - known, logs.shape[2]))
    for shape in shapes:
        shown = shown_of(shape.residual)
        usual = shown.usual[:, known:, None]
        correction = apply(coefficients, day_features(shown, market)[:, known:])
        forecast[shape.rows] = correction + usual + shape.profile[:, None, :]
    return forecast


def _shapes(logs: Cube, known: int) -> list[_Shape]:
    common = common_profile(logs[:, :known])
    shapes = []
    for rows in blocks_of(len(logs)):
        drawn = winsorise(logs[rows, :known])
        profile, _ = day_profiles(drawn, common)
        ahead = np.full((len(drawn), 1, logs.shape[2]), np.nan)
        seen = np.concatenate([drawn, logs[rows, known:], ahead], axis=1)
        shapes.append(_Shape(rows, profile, seen - profile[:, None, :]))
    return shapes
