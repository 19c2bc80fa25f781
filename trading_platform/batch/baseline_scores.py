"""How good a session's baselines were: what was expected before the open, held against the bars that came."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from trading_platform.batch.volume_cubes import minute_of_day
from trading_platform.calc.pass_layout import BarFlag
from trading_platform.calc.volume.scores import Score, mean_score, score
from trading_platform.market.session_kinds import PhaseKind

QUANTILES = ("q10", "q25", "expected_median", "q75", "q90")
TARGET = "expected_median"

_FORECASTS = {"expected_mean": pl.Float64, "q10": pl.Float64, "q25": pl.Float64, "q75": pl.Float64, "q90": pl.Float64}
_REASONS = {"model": pl.String, "reason": pl.String}
_UNSURE = (
    BarFlag.SNAPSHOT | BarFlag.GAP | BarFlag.AFTER_GAP | BarFlag.GAP_AGAIN | BarFlag.NO_VOLUME | BarFlag.VOLUME_FELL
)
_NAME_FIGURES = ("mape", "log_mae", "bias", "forecasts")


@dataclass(frozen=True, slots=True)
class Scorecard:
    """Figures of a session's forecasts.

    `overall` and each of `by_interval` have those of `mean_score` (each the mean over names), the share of bars below
    each quantile (below_q10, ...), the shares within both bands (inside_80, inside_50), the number of bars that
    had a band (`banded`). `names` has a row for each scored name: token, symbol, mape, log_mae, bias, forecasts.
    """

    overall: Mapping[str, Any]
    by_interval: Mapping[int, Mapping[str, Any]]
    names: pl.DataFrame
    forecast_names: int
    """Names that had a forecast, scored or not."""

    def worst(self, count: int) -> pl.DataFrame:
        """Return the names with the largest log error."""
        return self.names.drop_nulls("log_mae").sort("log_mae", "symbol", descending=[True, False]).head(count)


def complete(baselines: pl.DataFrame) -> pl.DataFrame:
    """Return rows of `volume_baselines` with all columns that scores and checks look at, null where they had none."""
    absent = {**_FORECASTS, **_REASONS}
    rows = baselines.with_columns(
        pl.lit(None, kind).alias(name) for name, kind in absent.items() if name not in baselines.columns
    )
    return rows.with_columns(pl.col(TARGET, *_FORECASTS).fill_nan(None))


def scorecard(baselines: pl.DataFrame, bars: pl.DataFrame) -> Scorecard:
    """Score rows of `volume_baselines` on the `minute_bars` of the same session, by `expected_median` and quantiles."""
    found = pairs(baselines, bars)
    overall = _scores_by_name(found)
    known = found.select("token", "symbol").unique("token").sort("token")
    rows = [[getattr(one, name) for name in _NAME_FIGURES] for one in overall]
    schema = {"mape": pl.Float64, "log_mae": pl.Float64, "bias": pl.Float64, "forecasts": pl.Int64}
    return Scorecard(
        overall=_figures(found, overall),
        by_interval={
            interval: _figures(part, _scores_by_name(part))
            for (interval,), part in sorted(found.partition_by("interval", as_dict=True, maintain_order=True).items())
        },
        names=known.hstack(pl.DataFrame(rows, schema=schema, orient="row")),
        forecast_names=baselines.filter(pl.col(TARGET).fill_nan(None).is_not_null())["token"].n_unique(),
    )


def pairs(baselines: pl.DataFrame, bars: pl.DataFrame) -> pl.DataFrame:
    """Return the baselines that a bar came for, with its volume as `actual`.

    A longer bar is the sum of its minutes: one in which the name has no bar traded nothing. Not scored are a minute
    without a bar, a bar with a minute that no name at all has a bar for (the record has a hole), and one that gaps
    touched without candles to mend it.
    """
    known = complete(baselines).filter(pl.col(TARGET).is_not_null())
    minutes = _minutes(bars, known)
    recorded = minutes["minute"].unique().implode()
    missed = known.filter((pl.col("interval") == 1) & ~pl.col("bucket_start").is_in(recorded))
    missed = missed.select("token", minute=pl.col("bucket_start").cast(pl.Int64))
    parts = [
        _of_interval(part, minutes, missed, int(interval))
        for (interval,), part in known.partition_by("interval", as_dict=True).items()
    ]
    found = pl.concat([known.head(0).with_columns(actual=pl.lit(None, pl.Float64)), *parts])
    return found.sort("token", "interval", "bucket_start")


def _minutes(bars: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Return token, minute and volume of continuous trading, null where it is not sure."""
    by_symbol = known.select("symbol", listed="token").unique().unique("symbol", keep="none")
    flags = pl.col("flags").fill_null(0)
    sure = ((flags & int(_UNSURE)) == 0) | ((flags & int(BarFlag.RECONCILED)) != 0)
    return (
        bars.filter(pl.col("kind") == int(PhaseKind.CONTINUOUS))
        .join(by_symbol, on="symbol", how="left")
        .select(
            pl.coalesce("token", "listed").alias("token"),
            minute_of_day().alias("minute"),
            pl.when(sure).then(pl.col("volume").cast(pl.Float64)).alias("volume"),
        )
        .drop_nulls("token")
    )


def _of_interval(known: pl.DataFrame, minutes: pl.DataFrame, missed: pl.DataFrame, interval: int) -> pl.DataFrame:
    phase = known.group_by("token").agg((pl.col("bucket_start").cast(pl.Int64).min() % interval).alias("phase"))
    bucket = ((pl.col("minute") - pl.col("phase")) // interval * interval + pl.col("phase")).alias("bucket")
    sums = (
        minutes.join(phase, on="token")
        .group_by("token", bucket)
        .agg(pl.col("volume").sum().alias("actual"), pl.col("volume").null_count().alias("unsure"))
        .filter(pl.col("unsure") == 0)
        .drop("unsure")
    )
    holes = missed.join(phase, on="token").select("token", bucket).unique()
    whole = sums.join(holes, on=["token", "bucket"], how="anti")
    placed = known.with_columns(bucket=pl.col("bucket_start").cast(pl.Int64))
    return placed.join(whole, on=["token", "bucket"], how="inner").drop("bucket")


def _scores_by_name(found: pl.DataFrame) -> list[Score]:
    """Return the score of each name of pairs that are sorted by token."""
    _, begin = np.unique(found["token"].to_numpy(), return_index=True)
    expected, actual = found[TARGET].to_numpy(), found["actual"].to_numpy()
    ends = [*begin[1:].tolist(), found.height]
    return [score(expected[a:b], actual[a:b]) for a, b in zip(begin.tolist(), ends, strict=False)]


def _figures(found: pl.DataFrame, scores: list[Score]) -> dict[str, Any]:
    actual = pl.col("actual")
    banded = pl.col("q10").is_not_null() & pl.col("q90").is_not_null()
    shares = found.select(
        *((actual < pl.col(name)).mean().alias(f"below_{name}") for name in QUANTILES),
        actual.is_between("q10", "q90").mean().alias("inside_80"),
        actual.is_between("q25", "q75").mean().alias("inside_50"),
        banded.sum().alias("banded"),
    )
    return {**mean_score(scores), **shares.row(0, named=True)}
