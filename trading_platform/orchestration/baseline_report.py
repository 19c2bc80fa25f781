"""What a partition of the baselines shows: their curve with its band, how good the last ones were, who fell back."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import dagster as dg
import polars as pl

from trading_platform.batch.baseline_scores import Scorecard, complete, scorecard
from trading_platform.batch.plots import volume_curve
from trading_platform.orchestration.metadata import picture
from trading_platform.storage.lake import Lake
from trading_platform.wire.lake_tables import MINUTE_BARS, VOLUME_BASELINES

USED = "used_sessions"
"""Where a materialisation tells which sessions' bars went in, for the check of its history."""

_FIGURES = ("mape", "log_mae", "wmape", "bias", "inside_80")
_TABLE = (
    "forecasts",
    "symbols",
    *_FIGURES,
    "below_q10",
    "below_q25",
    "below_expected_median",
    "below_q75",
    "below_q90",
)
_WORST, _FALLEN = 15, 200


def baseline_metadata(store: Lake, session: date, rows: pl.DataFrame, used: Sequence[date]) -> dict[str, Any]:
    """Return the metadata of a session's baselines; `used` are the sessions whose bars went in."""
    made = complete(rows)
    days = scored_sessions(store, session, 1)
    return {
        USED: dg.MetadataValue.json([str(day) for day in used]),
        "plot": picture(volume_curve(made.fill_nan(None))),
        **_fallen_back(made),
        **(_scores(days[0], score_session(store, days[0])) if days else {"scored_session": "none yet"}),
    }


def scored_sessions(store: Lake, session: date, count: int) -> list[date]:
    """Return the last sessions before `session` that have both baselines and bars, ascending."""
    both = set(store.sessions(VOLUME_BASELINES.name)) & set(store.sessions(MINUTE_BARS.name))
    return sorted(day for day in both if day < session)[-count:]


def score_session(store: Lake, session: date, intervals: Sequence[int] = ()) -> Scorecard:
    """Score the baselines of a session on its bars; of some lengths of bars only, if they are named."""
    rows = store.read_sessions(VOLUME_BASELINES.name, [session])
    if intervals:
        rows = rows.filter(pl.col("interval").is_in(list(intervals)))
    return scorecard(rows, store.read_sessions(MINUTE_BARS.name, [session]))


def _scores(day: date, card: Scorecard) -> dict[str, Any]:
    """Return numbers that plot over sessions, and the tables behind them."""
    numbers = {
        f"{name}_{interval}m": float(figures[name])
        for interval, figures in card.by_interval.items()
        for name in _FIGURES
        if figures[name] is not None
    }
    overall = {name: float(card.overall[name]) for name in _FIGURES if card.overall[name] is not None}
    by_interval = [("all", card.overall), *((f"{minutes}m", one) for minutes, one in card.by_interval.items())]
    return {
        "scored_session": str(day),
        **numbers,
        **overall,
        "names_scored": card.names.height,
        "names_forecast": card.forecast_names,
        "scorecard": _table(
            {"interval": name, **{key: figures[key] for key in _TABLE}} for name, figures in by_interval
        ),
        "worst_names": _table(card.worst(_WORST).drop("token").iter_rows(named=True)),
    }


def _fallen_back(rows: pl.DataFrame) -> dict[str, Any]:
    """Return how many names each model serves, and which names have a reason beside their forecast or instead of it."""
    models = rows.drop_nulls("model").group_by("model").agg(pl.col("token").n_unique()).sort("model")
    named = pl.col("symbol").fill_null(pl.col("token").cast(pl.String)).alias("symbol")
    fallen = (
        rows.drop_nulls("reason")
        .group_by(named, "model", "reason")
        .agg(pl.col("interval").unique().sort().cast(pl.String).implode().list.join(", ").first().alias("minutes"))
        .sort("reason", "symbol", "model")
    )
    counts = fallen.group_by("reason").agg(pl.col("symbol").n_unique().alias("names")).sort("names", descending=True)
    return {
        "names": rows["token"].n_unique(),
        **{f"names_{model}": count for model, count in models.iter_rows()},
        "names_fallen_back": fallen["symbol"].n_unique(),
        "fallback_reasons": _table(counts.head(_FALLEN).iter_rows(named=True)),
        "fallen_back": _table(fallen.head(_FALLEN).iter_rows(named=True)),
    }


def _table(rows: Any) -> dg.TableMetadataValue | str:
    """Return rows as a table; what is unknown is left empty, and of no rows that is said."""
    records = [dg.TableRecord({name: _shown(value) for name, value in row.items()}) for row in rows]
    return dg.MetadataValue.table(records) if records else "none"


def _shown(value: Any) -> str | int | float:
    if value is None:
        return ""
    return round(value, 4) if isinstance(value, float) else value
