"""What a profile takes from earlier sessions: the height of its rows, the day's ATR, points of control still naked."""

from collections.abc import Sequence
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trading_platform.calc.bar_indicators import INDICATOR_FIELDS, indicators_scan
from trading_platform.calc.volume_profile import row_ticks_for
from trading_platform.market.corporate_actions import CorporateActions

_ATR_COLUMN = 2

STEPS = (5.0, 1.0, 0.5, 0.1, 0.05, 0.01, 0.0025, 0.0001)
"""Steps that prices of Indian exchanges have; the last is the finest that a segment of Kite carries, nearly."""


def tick_size_of(bars: pl.DataFrame) -> float:
    """Return the largest of STEPS that all prices of bars are multiples of, the finest if none is.

    Where it is not told otherwise, the finest that a symbol's sessions so far had is its step.
    """
    distinct = np.unique(bars.select("open", "high", "low", "close").to_numpy())
    for step in STEPS:
        if np.allclose(distinct / step, np.rint(distinct / step), rtol=0.0, atol=1e-6):
            return step
    return STEPS[-1]


def row_ticks_of(days: pl.DataFrame, session: date, tick_size: float) -> int | None:
    """Return the ticks of a row for all sessions of a month: from the median range of the month before.

    `days` are session, high, low of one instrument. Without the month before its first session of this month says it;
    None when there is neither. Nothing after `session` is looked at.
    """
    month = session.replace(day=1)
    known = days.filter(pl.col("session") <= session).sort("session")
    before = known.filter(pl.col("session") < month)
    if before.height:
        last = before["session"][-1].replace(day=1)
        used = before.filter(pl.col("session") >= last)
    else:
        used = known.filter(pl.col("session") >= month).head(1)
    if used.is_empty():
        return None
    ranges = ((used["high"] - used["low"]) / tick_size).to_numpy()
    return row_ticks_for(round(float(np.median(ranges))) + 1)


def day_atrs(high: NDArray[np.float64], low: NDArray[np.float64], close: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return for each session the ATR 14 of the sessions before it, NaN while warming up; one more than sessions."""
    values = indicators_scan(np.zeros(INDICATOR_FIELDS), high, low, close)[:, _ATR_COLUMN]
    return np.concatenate(([np.nan], values))


def adjusted(days: pl.DataFrame, actions: CorporateActions, session: date) -> pl.DataFrame:
    """Return days (symbol, session, high, low, close) in the price measure of `session`: splits and bonuses undone."""
    first = days["session"].min()
    if not isinstance(first, date) or not (touched := actions.symbols(first, session)):
        return days
    pairs = days.filter(pl.col("symbol").is_in(list(touched))).select("symbol", "session").unique()
    rows = [(name, day, actions.factor(name, day, session)) for name, day in pairs.iter_rows()]
    factors = pl.DataFrame(rows, schema={"symbol": pl.String, "session": pl.Date, "factor": pl.Float64}, orient="row")
    joined = days.join(factors, on=["symbol", "session"], how="left")
    return joined.with_columns(pl.col("high", "low", "close") / pl.col("factor").fill_null(1.0)).drop("factor")


def days_of(bars: pl.LazyFrame, keys: Sequence[str]) -> pl.LazyFrame:
    """Return high, low and close of each session from continuous minute bars, by `keys` and session."""
    return (
        bars.group_by([*keys, "session"])
        .agg(pl.col("high").max(), pl.col("low").min(), pl.col("close").sort_by("start").last())
        .sort([*keys, "session"])
    )
