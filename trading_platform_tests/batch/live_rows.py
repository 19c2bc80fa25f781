"""Rows as the engine writes them, and the frames that a replay of the same records gives, both made by hand."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from trading_platform.market.clock import IST
from trading_platform.wire.records import BAR, INDICATOR, SIGNAL, Rows
from trading_platform_tests.batch.lake_rows import INFY, SESSION

START = 1_785_383_100  # 2026-07-30 09:15 IST
KNOWN_NS = START * 1_000_000_000 + 305_123_456_789


def live() -> tuple[Rows, Rows, Rows]:
    """Return bars (one revised), indicators and a signal."""
    bars = np.zeros(3, BAR.dtype)
    bars["record"] = [10, 20, 21]
    bars["token"], bars["interval"] = INFY, 1
    bars["start"] = [START, START + 60, START]
    bars["revision"] = [0, 0, 1]
    bars["flags"] = [0, 0, 8]
    bars["volume"] = [100.0, np.nan, 110.0]
    for name in ("open", "high", "low", "close"):
        bars[name] = [1.5, 2.5, 1.75]
    indicators = np.zeros(2, INDICATOR.dtype)
    indicators["record"], indicators["token"], indicators["interval"] = [10, 20], INFY, 1
    indicators["start"] = [START, START + 60]
    indicators["ema_20"] = [np.nan, 2.0]
    indicators["baseline_version"] = 2**63 + 5
    signals = np.zeros(1, SIGNAL.dtype)
    signals["record"], signals["token"], signals["interval"], signals["pattern"] = 20, INFY, 5, 1
    signals["version"], signals["direction"] = 1, -1
    signals["formed_at"], signals["confirmed_at"], signals["known_at_ns"] = START, START + 300, KNOWN_NS
    signals["stop"], signals["feature_1"] = 9.0, np.nan
    return bars, indicators, signals


def replayed(pattern: str) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Return the same as frames; `pattern` is the name of pattern number 1."""
    moments = [_moment(START), _moment(START + 60), _moment(START)]
    prices = {name: [1.5, 2.5, 1.75] for name in ("open", "high", "low", "close")}
    bars = pl.DataFrame(
        {
            "session": [SESSION] * 3,
            "token": [INFY] * 3,
            "symbol": ["INFY"] * 3,
            "interval": [1] * 3,
            "kind": [0] * 3,
            "revision": [0, 0, 1],
            "start": moments,
            **prices,
            "volume": [100, None, 110],
            "ticks": [0] * 3,
            "flags": [0, 0, 8],
            "record": [10, 20, 21],
        }
    )
    told = {"session", "symbol", "record", "token", "interval", "revision", "start", "ema_20", "baseline_version"}
    nothing = {name: [0, 0] for name in INDICATOR.dtype.names or () if name not in told}
    indicators = pl.DataFrame(
        {
            "session": [SESSION] * 2,
            "symbol": ["INFY"] * 2,
            "record": [10, 20],
            "token": [INFY] * 2,
            "interval": [1, 1],
            "revision": [0, 0],
            "start": moments[:2],
            "ema_20": [None, 2.0],
            **nothing,
            "baseline_version": pl.Series([2**63 + 5] * 2, dtype=pl.UInt64),
        }
    )
    known = _moment(START) + timedelta(microseconds=305_123_456)
    signals = pl.DataFrame(
        {
            "session": [SESSION],
            "symbol": ["INFY"],
            "record": [20],
            "token": [INFY],
            "interval": [5],
            "pattern": [pattern],
            "version": [1],
            "direction": [-1],
            "bar_flags": [0],
            "formed_at": [_moment(START)],
            "confirmed_at": [_moment(START + 300)],
            "known_at": [known],
            "horizon_seconds": [0],
            "entry_ref": [0.0],
            "stop": [9.0],
            "target": [0.0],
            "feature_0": [0.0],
            "feature_1": pl.Series([None], dtype=pl.Float64),
            "feature_2": [0.0],
            "feature_3": [0.0],
            "baseline_version": pl.Series([0], dtype=pl.UInt64),
        }
    )
    return bars, indicators, signals


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC).astimezone(IST)
