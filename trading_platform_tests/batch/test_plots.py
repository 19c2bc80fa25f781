"""Pictures are PNG, small enough for metadata, opaque, and are drawn for empty and large tables too."""

import io
from datetime import date

import polars as pl
import pytest
from PIL import Image

from trading_platform.batch.plots import (
    MAX_BYTES,
    StageLatency,
    coverage_map,
    latency_histogram,
    relative_volume_curve,
    signals_over_day,
    volume_by_price,
    volume_curve,
)
from trading_platform.wire.lake_tables import INDICATOR_SNAPSHOTS, PATTERNS, VOLUME_BASELINES, VOLUME_PROFILES
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


def test_a_curve_with_quantiles_has_a_band_of_its_own() -> None:
    plain = baselines(3, 390)
    median = pl.col("expected_median")
    banded = plain.with_columns(q10=median * 0.3, q25=median * 0.6, q75=median * 1.5, q90=median * 3.0)
    assert volume_curve(banded).startswith(PNG)
    assert len(volume_curve(banded)) < MAX_BYTES
    assert volume_curve(banded) != volume_curve(plain)
    unknown = plain.with_columns(pl.lit(None, pl.Float64).alias(name) for name in ("q10", "q25", "q75", "q90"))
    assert volume_curve(unknown) == volume_curve(plain)


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


def edges(counts: list[int]) -> list[tuple[float, int]]:
    return [(0.016 * 2**place, count) for place, count in enumerate(counts)]


@pytest.mark.parametrize(
    "stages",
    [
        [],
        [StageLatency("journal", edges([0, 0, 0]), None, None)],
        [
            StageLatency("journal", edges([1, 5, 9, 9]), 0.05, 0.11),
            StageLatency("written", edges([0, 0, 3, 9]), 0.1, 0.2),
        ],
    ],
)
def test_latency_of_any_number_of_stages(stages: list[StageLatency]) -> None:
    png = latency_histogram(stages)
    assert png.startswith(PNG)
    assert len(png) < MAX_BYTES


def test_latency_shows_which_frames_were_slow() -> None:
    fast = latency_histogram([StageLatency("written", edges([9, 9, 9, 9]), 0.01, 0.01)])
    slow = latency_histogram([StageLatency("written", edges([0, 0, 0, 9]), 0.1, 0.1)])
    assert fast != slow


@pytest.mark.parametrize("values", [[], [None], [0.5, 1.0, 2.0, None]])
def test_relative_volume(values: list[float | None]) -> None:
    start = [moment(SESSION, 9, 15 + place) for place in range(len(values))]
    columns = {"interval": [1] * len(values), "start": start, "rvol_bar": values}
    schema = {name: INDICATOR_SNAPSHOTS.schema[name] for name in columns}
    assert relative_volume_curve(pl.DataFrame(columns, schema=schema)).startswith(PNG)


def test_a_picture_brings_its_own_ground_so_that_a_dark_page_does_not_swallow_it() -> None:
    with Image.open(io.BytesIO(volume_curve(baselines(3, 390)))) as image:
        corners = [image.convert("RGBA").getpixel(at) for at in ((0, 0), (image.width - 1, image.height - 1))]
    assert corners == [(255, 255, 255, 255)] * 2


@pytest.mark.parametrize("symbols", [0, 1, 9])
def test_volume_by_price(symbols: int) -> None:
    row = {
        "poc": 100.05, "val": 99.9, "vah": 100.3, "volume": 1000, "row_size": 0.1, "histogram_from": 99.0,
        "histogram": [float(place * 7 % 13) for place in range(20)],
    }  # fmt: skip
    names = {name: VOLUME_PROFILES.schema[name] for name in ("symbol", *row)}
    rows = pl.DataFrame([{**row, "symbol": f"S{number}"} for number in range(symbols)], schema=names)
    png = volume_by_price(rows)
    assert png.startswith(PNG)
    assert len(png) < MAX_BYTES
