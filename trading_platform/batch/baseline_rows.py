"""Rows of table `volume_baselines`: what is usual and what is expected of each bar, by whom, and why not."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trading_platform.calc.relative_volume import DAY_NAMES, TRADINGVIEW_MINUTES
from trading_platform.calc.volume import models
from trading_platform.calc.volume.bands import QUANTILE_NAMES
from trading_platform.calc.volume.day_ahead import LEAST_SESSIONS
from trading_platform.calc.volume.outlook import LEAST_TRADED, Outlook, Reason, Server
from trading_platform.calc.volume_baseline import INTERVALS
from trading_platform.calc.volume_history import DayExpectations
from trading_platform.wire.lake_tables import VOLUME_BASELINES

MODEL_NAMES = {
    Server.NONE: "none",
    Server.MEDIAN: models.MEDIAN,
    Server.FILTER: f"{models.PUBLISHED}_filter",
    Server.PANEL: f"{models.PUBLISHED}_panel",
}
_ADDED = (
    "session", "baseline_version", "avg_volume_20", "avg_volume_55", "avg_price_20", "avg_price_55", "turtle_ready",
)  # fmt: skip
"""Columns that are the same in all rows, or come from `day_averages`."""


@dataclass(frozen=True, slots=True)
class ClassBaselines:
    """What is usual and expected of the instruments of one class; curves begin with its first minute."""

    tokens: NDArray[np.uint32]
    symbols: Sequence[str]
    sessions: tuple[date, ...]
    first_minute: int
    usual: DayExpectations
    expected: dict[int, Outlook]


def baseline_rows(classes: Sequence[ClassBaselines], min_sessions: int) -> pl.DataFrame:
    """Return the rows of all bars of which something is known, at least one of each instrument."""
    parts = [_rows(one, interval, min_sessions) for one in classes for interval in one.expected]
    return pl.concat(parts) if parts else pl.DataFrame(schema=VOLUME_BASELINES.schema).drop(*_ADDED)


def _rows(one: ClassBaselines, interval: int, min_sessions: int) -> pl.DataFrame:
    outlook = one.expected[interval]
    kept = _kept(one, interval)
    row, bucket = np.nonzero(kept)
    ends = np.minimum((bucket + 1) * interval, one.usual.cumulative.shape[1]) - 1
    unknown = np.full(len(row), np.nan)
    by_five = one.usual.tradingview_mean[row, bucket] if interval == TRADINGVIEW_MINUTES else unknown
    texts: dict[str, list[str | None]] = {
        "symbol": list(one.symbols),
        "model": [MODEL_NAMES[Server(int(server))] for server in outlook.server],
        "reason": [_reason(outlook, k, min_sessions) for k in range(len(one.tokens))],
    }
    return pl.DataFrame(
        {
            "token": one.tokens.astype(np.int64)[row],
            "interval": np.full(len(row), interval),
            "bucket_start": one.first_minute + bucket * interval,
            "expected_median": outlook.median[row, bucket],
            "expected_mean": outlook.mean[row, bucket],
            **{name: outlook.quantiles[place][row, bucket] for place, name in enumerate(QUANTILE_NAMES)},
            "sessions_used": outlook.known[row, bucket],
            "expected_cumulative": one.usual.cumulative[row, ends],
            "tradingview_mean": by_five,
            **{name: one.usual.day[row, k] for k, name in enumerate(DAY_NAMES)},
            **{name: pl.Series(values, dtype=pl.String).gather(row) for name, values in texts.items()},
            "filter": _filters(outlook, row),
        }
    )


def _filters(outlook: Outlook, row: NDArray[np.intp]) -> pl.Series:
    """Return the filter of each instrument beside its first bar, null beside the others and for who has none."""
    found: list[list[float] | None] = [None] * len(row)
    for one, first in zip(*np.unique(row, return_index=True), strict=True):
        if not np.isnan(outlook.filters[one]).any():
            found[first] = outlook.filters[one].tolist()
    return pl.Series(found, dtype=pl.List(pl.Float64))


def _kept(one: ClassBaselines, interval: int) -> NDArray[np.bool_]:
    """Tell which bars have a row: those of which something is expected, and of lengths in INTERVALS those seen before.

    An instrument of which nothing is known has a row at the first minute, for the reason.
    """
    outlook = one.expected[interval]
    kept = ~np.isnan(outlook.median)
    if interval in INTERVALS:
        kept |= outlook.known > 0
    if interval == 1:
        kept[:, 0] |= ~kept.any(axis=1)
    return kept


def _reason(outlook: Outlook, row: int, min_sessions: int) -> str | None:
    """Return why the model does not speak of an instrument, None when it does."""
    reason = Reason(int(outlook.reason[row]))
    if reason is Reason.SERVED:
        return None
    sessions, traded = int(outlook.sessions[row]), float(outlook.traded[row])
    return {
        Reason.NO_VOLUME: "no volume in any past session",
        Reason.FEW_SESSIONS: f"{sessions} past sessions with volume: {max(min_sessions, LEAST_SESSIONS)} are needed",
        Reason.OPTION: "an option: how far its strike is from the price moves its volume more than the time of day",
        Reason.THIN: f"thin: {traded:.0%} of its bars traded, the model needs {LEAST_TRADED:.0%}",
        Reason.NO_FIT: "the model could not be fitted to its past sessions",
    }[reason]
