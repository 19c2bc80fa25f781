"""Indicators of bars that stand in files: no lake, no journal, no tokens; one state a symbol over all its sessions."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trading_platform.batch.bars import longer_bars
from trading_platform.calc.bar_indicators import INDICATOR_FIELDS, indicators_scan
from trading_platform.calc.bar_vwap import BAR_VWAP_FIELDS, bar_vwap_scan
from trading_platform.errors import BadFileError
from trading_platform.market.session_kinds import PhaseKind

INTERVALS = {"1m": 1, "5m": 5}
"""Bar lengths that can be asked for, in minutes."""

COLUMNS = ("symbol", "ts", "ema_20", "rsi_14", "atr_14", "vwap_bars")
_INPUTS = ("high", "low", "close", "volume")


def minutes_of(interval: str) -> int:
    """Return the minutes of an interval; raise BadFileError for one that is not offered."""
    try:
        return INTERVALS[interval]
    except KeyError:
        raise BadFileError(f"interval {interval!r} is not offered; use {' or '.join(INTERVALS)}") from None


def indicators_of_bars(minutes: pl.DataFrame, interval: int) -> pl.DataFrame:
    """Return COLUMNS by symbol and ts from minute bars (symbol, ts, prices, volume null where there is none).

    EMA, RSI and ATR go on over the night, `vwap_bars` begins anew each date; null until known.
    """
    symbols = minutes.select(pl.col("symbol").unique().sort()).with_row_index("token")
    named = minutes.join(symbols, on="symbol", how="left").rename({"ts": "start"})
    bars = longer_bars(named.with_columns(kind=pl.lit(int(PhaseKind.CONTINUOUS))), interval)
    parts = [_of_symbol(part) for part in bars.partition_by("token", maintain_order=True)]
    values = np.concatenate(parts) if parts else np.zeros((0, 4))
    outputs = {name: values[:, k] for k, name in enumerate(COLUMNS[2:])}
    return bars.select("symbol", pl.col("start").alias("ts")).with_columns(
        pl.Series(name, column).fill_nan(None) for name, column in outputs.items()
    )


def _of_symbol(bars: pl.DataFrame) -> NDArray[np.float64]:
    high, low, close, volume = (bars[name].cast(pl.Float64).fill_null(np.nan).to_numpy() for name in _INPUTS)
    session = bars["start"].dt.date().cast(pl.Int64).to_numpy()
    values = np.empty((len(bars), 4))
    values[:, :3] = indicators_scan(np.zeros(INDICATOR_FIELDS), high, low, close)
    values[:, 3] = bar_vwap_scan(np.zeros(BAR_VWAP_FIELDS), high, low, close, volume, session)
    return values
