"""Pictures are PNG, small enough for metadata, and are drawn for empty and large tables too."""

from datetime import date

import polars as pl
import pytest

from trading_platform.batch.plots import MAX_BYTES, coverage_map, signals_over_day, volume_curve
from trading_platform.wire.lake_tables import PATTERNS, VOLUME_BASELINES
from trading_platform_tests.batch.lake_rows import SESSION, minute_bars, moment

PNG = b"\x89PNG\r\n\x1a\n"


def baselines(tokens: int, buckets: int) -> pl.DataFrame:
    pairs = [(token, 555 + bucket) for token in range(tokens) for bucket in range(buckets)]
    return pl.DataFrame(
        {
            "token": [token for token, _ in pairs],
            "interval": [1] * len(pairs),
            "bucket_start": [bucket for _, bucket in pairs],
            "expected_median": [float(1 + (token * 7 + bucket * 13) % 97) for token, bucket in pairs],
        },
        schema_overrides={name: VOLUME_BASELINES.schema[name] for name in ("token", "interval", "bucket_start")},
    )


def signals(directions: list[int]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "confirmed_at": [moment(SESSION, 9 + place % 6, 15 + place % 40) for place in range(len(directions))],
            "direction": directions,
        },
        schema_overrides={name: PATTERNS.schema[name] for name in ("confirmed_at", "direction")},
    )


@pytest.mark.parametrize("tokens", [0, 1, 60])
def test_volume_curve(tokens: int) -> None:
    png = volume_curve(baselines(tokens, 390))
    assert png.startswith(PNG)
    assert len(png) < MAX_BYTES


def test_coverage_of_more_instruments_than_lines_stays_small() -> None:
    one = minute_bars(SESSION, None, "SYMBOL", closes=[1.0] * 300)
    keep = (pl.col("symbol").hash() + pl.col("start").dt.epoch("s")) % 3 != 0
    many = pl.concat([one.with_columns(symbol=pl.lit(f"S{number}")) for number in range(900)]).filter(keep)
    png = coverage_map(many)
    assert png.startswith(PNG)
    assert len(png) < MAX_BYTES


def test_coverage_of_one_bar() -> None:
    assert coverage_map(minute_bars(date(2026, 7, 29), None, "A", closes=[1.0])).startswith(PNG)


@pytest.mark.parametrize("directions", [[], [1], [1, -1, 0] * 200])
def test_signals_over_day(directions: list[int]) -> None:
    png = signals_over_day(signals(directions), "Signals")
    assert png.startswith(PNG)
    assert len(png) < MAX_BYTES


def test_pictures_of_other_rows_differ() -> None:
    assert signals_over_day(signals([1]), "Signals") != signals_over_day(signals([-1]), "Signals")
