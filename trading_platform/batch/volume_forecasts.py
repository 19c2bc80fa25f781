"""Walk forward through a file of volumes: every forecast as a row, and a report of how good each model was."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trading_platform.batch.volume_files import VolumeGrid
from trading_platform.calc.volume import models
from trading_platform.calc.volume.bands import QUANTILE_NAMES
from trading_platform.calc.volume.scores import (
    absolute_log_errors,
    absolute_percentage_errors,
    day_block_interval,
    mean_score,
    mean_scores_by_bin,
    score,
)
from trading_platform.calc.volume.walk_forward import Walk, walk_forward

Cube = NDArray[np.float64]

REFERENCES = (models.RM20, models.GEOMETRIC)
ONE_BIN, DAY_AHEAD, END_OF_DAY = "one_bin", "day_ahead", "eod"


@dataclass(frozen=True, slots=True)
class Run:
    """A walk through a file, and what was asked for; `whole` tells which forecast sessions have all their bins."""

    grid: VolumeGrid
    walk: Walk
    wanted: tuple[str, ...]
    train_sessions: int
    refit_every: int
    whole: NDArray[np.bool_]

    @property
    def actual(self) -> Cube:
        """Return the volumes of the sessions that were forecast."""
        return self.grid.volume[:, self.walk.first :]


def run_forecasts(
    grid: VolumeGrid,
    wanted: Sequence[str],
    *,
    train_sessions: int,
    refit_every: int,
    tell: Callable[[int, int], None] = lambda _done, _all: None,
) -> Run:
    """Forecast by the wanted models, and by the two that all are compared with."""
    needed = [name for name in models.MODELS if name in wanted or name in REFERENCES]
    walk = walk_forward(grid.volume, train_sessions, refit_every, wanted=needed, tell=tell)
    present = grid.present
    usual = np.bincount(present.sum(axis=1)).argmax()
    whole = present[walk.first :].sum(axis=1) >= usual
    return Run(grid, walk, tuple(wanted), train_sessions, refit_every, whole)


def forecasts_by_horizon(run: Run, model: str) -> Iterator[tuple[str, Cube, Cube]]:
    """Give of each horizon its forecasts and what came, in shape (symbols, sessions, bins).

    The end of day as of bin b is what was traded before b and what is expected from b on; only of whole sessions.
    """
    found, actual = run.walk.forecasts[model], run.actual
    yield ONE_BIN, found.one_bin, actual
    yield DAY_AHEAD, found.day_ahead, actual
    traded = np.nan_to_num(actual)
    before = np.zeros(traded.shape)
    before[:, :, 1:] = np.cumsum(traded, axis=2)[:, :, :-1]
    there = run.whole[None, :, None] & np.any(~np.isnan(actual), axis=2, keepdims=True) & ~np.isnan(found.one_bin)
    total = np.broadcast_to(traded.sum(axis=2, keepdims=True), actual.shape)
    yield END_OF_DAY, np.where(there, before + found.rest, np.nan), np.where(there, total, np.nan)


def forecast_rows(run: Run) -> pl.DataFrame:
    """Return every forecast: symbol, session, bin, model, horizon, as_of_bin, forecast, actual, mean and quantiles.

    `bin` is null at the end of day, `as_of_bin` (the first bin that was not known) null elsewhere. Only what is
    published has `expected_mean` and quantiles.
    """
    parts = [
        _rows(run, model, horizon, forecast, actual)
        for model in run.wanted
        for horizon, forecast, actual in forecasts_by_horizon(run, model)
    ]
    return pl.concat(parts)


def _rows(run: Run, model: str, horizon: str, forecast: Cube, actual: Cube) -> pl.DataFrame:
    symbol, session, bin_ = np.nonzero(~(np.isnan(forecast) | np.isnan(actual)))
    grid = run.grid
    label = pl.Series(grid.bins, dtype=pl.Int64).gather(bin_)
    empty = pl.Series([None], dtype=pl.Int64).new_from_index(0, len(bin_))
    of_day = horizon == END_OF_DAY
    return pl.DataFrame(
        {
            "symbol": pl.Series(grid.symbols).gather(symbol),
            "session": pl.Series(grid.sessions).gather(session + run.walk.first),
            "bin": empty if of_day else label,
            "model": pl.repeat(model, len(bin_), eager=True),
            "horizon": pl.repeat(horizon, len(bin_), eager=True),
            "as_of_bin": label if of_day else empty,
            "forecast": forecast[symbol, session, bin_],
            "actual": actual[symbol, session, bin_],
        }
    ).with_columns(**_bands(run, model, horizon, (symbol, session, bin_)))


BAND_COLUMNS = ("expected_mean", *QUANTILE_NAMES)


def _bands(run: Run, model: str, horizon: str, at: tuple[NDArray[np.intp], ...]) -> dict[str, pl.Series]:
    """Return mean and quantiles of the forecasts that stand at these places, null for a model that has none."""
    if model != models.PUBLISHED:
        return {name: pl.Series([None], dtype=pl.Float64).new_from_index(0, len(at[0])) for name in BAND_COLUMNS}
    part = "rest" if horizon == END_OF_DAY else horizon
    symbol, session, bin_ = at
    factors = np.full((len(BAND_COLUMNS), len(symbol)), np.nan)
    for sessions, bands in run.walk.bands[part]:
        here = (session >= sessions.start) & (session < sessions.stop)
        place = (symbol[here], bin_[here])
        factors[:, here] = np.vstack([bands.mean[place], bands.quantiles[:, *place]])
    expected = getattr(run.walk.forecasts[model], part)[at]
    traded = np.nan_to_num(run.actual)
    before = np.cumsum(traded, axis=2)[at] - traded[at] if horizon == END_OF_DAY else 0.0
    values = before + expected * factors
    return {name: pl.Series(values[row]).fill_nan(None) for row, name in enumerate(BAND_COLUMNS)}


def coverage(rows: pl.DataFrame) -> dict[str, dict[str, float | None]]:
    """Return by horizon which share of what came was below each quantile of what is published."""
    found = rows.filter(model=models.PUBLISHED)
    shares = [(pl.col("actual") < pl.col(name)).mean().alias(name) for name in BAND_COLUMNS[1:]]
    by_horizon = found.group_by("horizon").agg(*shares).sort("horizon")
    return {row.pop("horizon"): row for row in by_horizon.to_dicts()}


def report_of(run: Run, rows: pl.DataFrame) -> dict[str, Any]:
    """Return the scores of each wanted model, and all that could not be forecast with its reason.

    `rows` are the run's `forecast_rows`.
    """
    told = {model: _scores(run, model) for model in run.wanted}
    return {
        "input": {
            "symbols": len(run.grid.symbols),
            "sessions": len(run.grid.sessions),
            "bins": len(run.grid.bins),
            "bar_seconds": run.grid.bar_seconds,
            "rejected_rows": run.grid.rejected.height,
        },
        "settings": {"train_sessions": run.train_sessions, "refit_every": run.refit_every},
        "forecast_sessions": len(run.grid.sessions) - run.walk.first,
        "target": "expected_median",
        "models": told,
        "published_by_panel": {
            {"rest": END_OF_DAY}.get(horizon, horizon): round(float(mask.mean()), 4) if mask.size else None
            for horizon, mask in run.walk.by_panel.items()
        },
        "published_below_quantile": coverage(rows),
        "not_forecast": not_forecast(run),
        "short_sessions": short_sessions(run),
        "set_aside": _set_aside(run.grid.rejected),
    }


def _scores(run: Run, model: str) -> dict[str, Any]:
    references = {name: list(forecasts_by_horizon(run, name)) for name in REFERENCES}
    told: dict[str, Any] = {}
    for place, (horizon, forecast, actual) in enumerate(forecasts_by_horizon(run, model)):
        if horizon == END_OF_DAY:
            by_bin = mean_scores_by_bin(forecast, actual)
            told[horizon] = {str(label): one for label, one in zip(run.grid.bins, by_bin, strict=True)}
            continue
        told[horizon] = _by_symbol(run, forecast, actual)
        told[horizon]["difference"] = {
            name: _difference(forecast, found[place][1], actual) for name, found in references.items() if name != model
        }
    return told


def _by_symbol(run: Run, forecast: Cube, actual: Cube) -> dict[str, Any]:
    by_symbol = [score(forecast[row], actual[row]) for row in range(len(forecast))]
    return {
        "mean": mean_score(by_symbol),
        "pooled": score(forecast, actual).as_dict(),
        "symbols": {name: one.as_dict() for name, one in zip(run.grid.symbols, by_symbol, strict=True)},
    }


def _difference(forecast: Cube, reference: Cube, actual: Cube) -> dict[str, Any]:
    return {
        name: day_block_interval(errors(forecast, actual), errors(reference, actual))
        for name, errors in (("mape", absolute_percentage_errors), ("log_mae", absolute_log_errors))
    }


def not_forecast(run: Run) -> list[dict[str, Any]]:
    """Return symbols and sessions behind the training that have volumes but no forecast, with the reason."""
    found: list[dict[str, Any]] = []
    grid, walk = run.grid, run.walk
    traded = np.any(grid.volume > 0.0, axis=2).sum(axis=1)
    for row, name in enumerate(grid.symbols):
        if walk.begins[row] >= len(grid.sessions):
            reason = (
                "no volume in any session"
                if not traded[row]
                else f"{traded[row]} sessions with volume: {run.train_sessions} are needed before the first forecast"
            )
            found.append({"symbol": name, "session": None, "bins": None, "reason": reason})
    best = _any_forecast(run)
    without = ~np.isnan(run.actual) & ~best
    without &= (np.arange(run.actual.shape[1])[None, :] + walk.first >= walk.begins[:, None])[:, :, None]
    for row, session in zip(*np.nonzero(without.any(axis=2)), strict=True):
        bins = [grid.bins[at] for at in np.flatnonzero(without[row, session])]
        at = str(grid.sessions[int(session) + walk.first])
        reason = "no earlier session of the fit has volume in these bins"
        found.append({"symbol": grid.symbols[row], "session": at, "bins": bins, "reason": reason})
    return found


def _any_forecast(run: Run) -> NDArray[np.bool_]:
    """Tell which bins some wanted model forecasts."""
    found = np.zeros(run.actual.shape, np.bool_)
    for model in run.wanted:
        found |= ~np.isnan(run.walk.forecasts[model].one_bin)
    return found


def short_sessions(run: Run) -> list[dict[str, Any]]:
    """Return forecast sessions that have fewer bins than most: their end of day is not scored."""
    present = run.grid.present[run.walk.first :].sum(axis=1)
    return [
        {"session": str(run.grid.sessions[at + run.walk.first]), "bins": int(present[at]), "reason": "short session"}
        for at in np.flatnonzero(~run.whole)
    ]


def _set_aside(rejected: pl.DataFrame) -> list[dict[str, Any]]:
    rows = rejected.with_columns(pl.col("session").cast(pl.String))
    return rows.to_dicts()
