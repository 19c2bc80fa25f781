"""How good forecasts were: MAPE, log-MAE, wMAPE and, always beside them, the bias; intervals by days, not by bars.

MAPE alone rewards forecasting low. Errors of one day hang together, so differences are resampled in blocks of days.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Cube = NDArray[np.float64]

BLOCK_SESSIONS, RESAMPLES, SEED = 5, 2000, 20_240_101
COVERED = 0.95


@dataclass(frozen=True, slots=True)
class Score:
    """Figures of some forecasts; null without any. `bias` is the mean of ln(forecast / actual)."""

    mape: float | None
    log_mae: float | None
    wmape: float | None
    bias: float | None
    forecasts: int
    zero_volume: int
    """Forecasts of bins without volume: they count in wMAPE only."""
    not_positive: int
    """Forecasts of zero: they have no logarithm and count in MAPE and wMAPE."""

    def as_dict(self) -> dict[str, Any]:
        """Return the figures by name."""
        return asdict(self)


def score(forecast: Cube, actual: Cube) -> Score:
    """Return the figures of all pairs in which both are known."""
    both = ~(np.isnan(forecast) | np.isnan(actual))
    expected, came = forecast[both], actual[both]
    traded = came > 0.0
    logged = traded & (expected > 0.0)
    logs = np.log(expected[logged] / came[logged])
    total = float(came.sum())
    return Score(
        mape=_mean(np.abs(expected[traded] / came[traded] - 1.0)),
        log_mae=_mean(np.abs(logs)),
        wmape=float(np.abs(expected - came).sum() / total) if total > 0.0 else None,
        bias=_mean(logs),
        forecasts=int(both.sum()),
        zero_volume=int((~traded).sum()),
        not_positive=int((expected <= 0.0).sum()),
    )


def mean_score(scores: list[Score]) -> dict[str, Any]:
    """Return the mean over symbols of each figure, and sums of counts."""
    figures: dict[str, Any] = {}
    for name in ("mape", "log_mae", "wmape", "bias"):
        values = [getattr(one, name) for one in scores if getattr(one, name) is not None]
        figures[name] = float(np.mean(values)) if values else None
    for name in ("forecasts", "zero_volume", "not_positive"):
        figures[name] = sum(getattr(one, name) for one in scores)
    figures["symbols"] = sum(one.forecasts > 0 for one in scores)
    return figures


def mean_scores_by_bin(forecast: Cube, actual: Cube) -> list[dict[str, Any]]:
    """Return for each bin MAPE, log-MAE and bias, each the mean over symbols of the mean over sessions."""
    logged = (forecast > 0.0) & (actual > 0.0)
    logs = np.where(logged, np.log(np.where(logged, forecast, 1.0) / np.where(logged, actual, 1.0)), np.nan)
    columns = {
        "mape": _by_bin(absolute_percentage_errors(forecast, actual)),
        "log_mae": _by_bin(np.abs(logs)),
        "bias": _by_bin(logs),
    }
    count = np.sum(~(np.isnan(forecast) | np.isnan(actual)), axis=(0, 1))
    return [
        {name: None if np.isnan(values[at]) else float(values[at]) for name, values in columns.items()}
        | {"forecasts": int(count[at])}
        for at in range(len(count))
    ]


def _by_bin(values: Cube) -> NDArray[np.float64]:
    known = ~np.isnan(values)
    count = known.sum(axis=1)
    by_symbol = np.where(known, values, 0.0).sum(axis=1) / np.maximum(count, 1)
    symbols = np.sum(count > 0, axis=0)
    total = np.where(count > 0, by_symbol, 0.0).sum(axis=0)
    return np.where(symbols > 0, total / np.maximum(symbols, 1), np.nan)


def absolute_percentage_errors(forecast: Cube, actual: Cube) -> Cube:
    """Return |forecast / actual - 1|, NaN where it is not defined."""
    told = ~np.isnan(forecast) & (actual > 0.0)
    return np.where(told, np.abs(forecast / np.where(told, actual, 1.0) - 1.0), np.nan)


def absolute_log_errors(forecast: Cube, actual: Cube) -> Cube:
    """Return |ln(forecast / actual)|, NaN where it is not defined."""
    told = (forecast > 0.0) & (actual > 0.0)
    return np.where(told, np.abs(np.log(np.where(told, forecast, 1.0) / np.where(told, actual, 1.0))), np.nan)


def day_block_interval(errors: Cube, reference: Cube) -> dict[str, Any] | None:
    """Return the mean difference of errors (symbols, sessions, bins) to those of a reference, and its 95% interval.

    Only pairs in which both are known count. A session's difference is the mean over its symbols and bins; blocks of 5
    sessions in a row are drawn with replacement. None without a session.
    """
    difference = errors - reference
    known = ~np.isnan(difference)
    count = known.sum(axis=(0, 2))
    held = count > 0
    if not held.any():
        return None
    by_session = np.where(known, difference, 0.0).sum(axis=(0, 2))[held] / count[held]
    sessions = len(by_session)
    length = min(BLOCK_SESSIONS, sessions)
    blocks = -(-sessions // length)
    random = np.random.default_rng(SEED)
    begins = random.integers(0, sessions - length + 1, (RESAMPLES, blocks))
    drawn = (begins[:, :, None] + np.arange(length)).reshape(RESAMPLES, -1)[:, :sessions]
    low, high = np.quantile(by_session[drawn].mean(axis=1), [(1 - COVERED) / 2, (1 + COVERED) / 2])
    return {
        "mean": float(by_session.mean()),
        "low": float(low),
        "high": float(high),
        "sessions": sessions,
        "block_sessions": length,
        "resamples": RESAMPLES,
        "seed": SEED,
        "covered": COVERED,
    }


def _mean(values: NDArray[np.float64]) -> float | None:
    return float(values.mean()) if len(values) else None
