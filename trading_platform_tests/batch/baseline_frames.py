"""Baselines with bands, made by hand, for tests of what is said about them."""

from datetime import date, datetime, timedelta
from typing import Any

import polars as pl

from trading_platform.wire.lake_tables import VOLUME_BASELINES
from trading_platform_tests.batch.lake_rows import minute_bars

OPEN = 9 * 60 + 15

TYPES = {
    "session": pl.Date,
    "token": pl.Int64,
    "symbol": pl.String,
    "interval": pl.Int64,
    "bucket_start": pl.Int64,
    "sessions_used": pl.Int64,
    "expected_median": pl.Float64,
    "expected_mean": pl.Float64,
    "q10": pl.Float64,
    "q25": pl.Float64,
    "q75": pl.Float64,
    "q90": pl.Float64,
    "model": pl.String,
    "reason": pl.String,
    "day_expected": pl.Float64,
}


def curve(
    session: date, token: int, symbol: str, *, expected: list[float], interval: int = 1, **changed: Any
) -> pl.DataFrame:
    """Return the baselines of a name: medians from the open on, a mean a tenth above, quantiles at fixed shares."""
    rows = [
        {
            "session": session,
            "token": token,
            "symbol": symbol,
            "interval": interval,
            "bucket_start": OPEN + place * interval,
            "sessions_used": 20,
            "expected_median": median,
            "expected_mean": median * 1.1,
            "q10": median * 0.5,
            "q25": median * 0.8,
            "q75": median * 1.25,
            "q90": median * 2.0,
            "model": "published_panel",
            "reason": None,
            "day_expected": float(sum(expected)),
            **changed,
        }
        for place, median in enumerate(expected)
    ]
    return pl.DataFrame(rows, schema=TYPES, orient="row")


def nothing(session: date, token: int, symbol: str, reason: str) -> pl.DataFrame:
    """Return the row of a name that has no forecast."""
    row = {"session": session, "token": token, "symbol": symbol, "interval": 1, "bucket_start": OPEN}
    return pl.DataFrame([{**row, "model": "none", "reason": reason}], schema=TYPES, orient="row")


def traded(session: date, token: int, symbol: str, volumes: list[int | None]) -> pl.DataFrame:
    """Return minute bars of these volumes from the open on."""
    return minute_bars(session, token, symbol, closes=[100.0] * len(volumes), volumes=volumes)


def at(session: date, minute: int) -> datetime:
    """Return a minute after the open, to find a bar by."""
    start = traded(session, 1, "A", [1])["start"][0]
    found: datetime = start + timedelta(minutes=minute)
    return found


def stored(rows: pl.DataFrame) -> pl.DataFrame:
    """Return rows with the columns of the table alone, null where they have none."""
    schema = VOLUME_BASELINES.schema
    absent = [pl.lit(None, kind).alias(name) for name, kind in schema.items() if name not in rows.columns]
    return VOLUME_BASELINES.conform(rows.with_columns(absent).select(list(schema)))
