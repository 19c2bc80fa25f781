"""Small pictures of a session for people who look at an asset: PNG bytes, drawn without a display."""

import io

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

MAX_BYTES = 60_000
"""Size of a picture that still travels as metadata."""

_INK, _BAND, _LONG, _SHORT = "#1f3b57", "#9fc3e0", "#1b7f4d", "#b23a48"
_SIZE = (7.2, 3.0)
_MOST_SYMBOLS = 400
_COLORS = 32


def volume_curve(baselines: pl.DataFrame) -> bytes:
    """Draw the shape of a day's volume: each instrument's share of its day by minute, middle half as a band."""
    minutes = baselines.filter(pl.col("interval") == 1).drop_nulls("expected_median")
    shares = minutes.with_columns(share=pl.col("expected_median") / pl.col("expected_median").sum().over("token") * 100)
    curve = shares.group_by("bucket_start").agg(
        pl.col("share").quantile(0.25).alias("low"),
        pl.col("share").median().alias("middle"),
        pl.col("share").quantile(0.75).alias("high"),
    )
    curve = curve.sort("bucket_start")
    figure, axes = _figure("Expected volume by minute", "% of the instrument's day")
    axes.fill_between(
        curve["bucket_start"], curve["low"], curve["high"], color=_BAND, label="middle half of instruments"
    )
    axes.plot(curve["bucket_start"], curve["middle"], color=_INK, linewidth=1.2, label="median instrument")
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False, fontsize=7)
    _clock_axis(axes)
    return _png(figure)


def coverage_map(bars: pl.DataFrame) -> bytes:
    """Draw where minute bars are: one line per instrument, one column per minute; gaps stay white."""
    minute = (pl.col("start").dt.hour().cast(pl.Int32) * 60 + pl.col("start").dt.minute().cast(pl.Int32)).alias(
        "minute"
    )
    placed = bars.select("symbol", minute)
    every = placed["symbol"].unique().sort()
    step = max(1, -(-len(every) // _MOST_SYMBOLS))
    rows = {symbol: place for place, symbol in enumerate(every[::step])}
    placed = placed.filter(pl.col("symbol").is_in(list(rows)))
    first, last = placed.select(low=pl.col("minute").min(), high=pl.col("minute").max()).row(0)
    grid = np.zeros((len(rows), last - first + 1))
    at = placed["symbol"].replace_strict(rows, return_dtype=pl.Int64).to_numpy()
    grid[at, placed["minute"].to_numpy() - first] = 1.0
    kept = f"{len(rows)} of {len(every)} instruments" if step > 1 else f"{len(every)} instruments"
    figure, axes = _figure(f"Minute bars: {kept}, {grid.mean():.1%} of all minutes have one", "instrument")
    extent = (float(first), float(last + 1), float(len(rows)), 0.0)
    axes.imshow(grid, aspect="auto", interpolation="nearest", cmap="Blues", vmin=0, vmax=1.3, extent=extent)
    _clock_axis(axes)
    return _png(figure)


def signals_over_day(signals: pl.DataFrame, title: str) -> bytes:
    """Draw when signals came: bars up for long, down for short, by quarter of an hour."""
    figure, axes = _figure(title, "long above, short below")
    moment = pl.col("confirmed_at")
    quarter = (moment.dt.hour().cast(pl.Int32) * 60 + moment.dt.minute().cast(pl.Int32)) // 15 * 15
    counts = signals.group_by(quarter.alias("quarter"), "direction").agg(pl.len().alias("count")).sort("quarter")
    for direction, color, name in ((1, _LONG, "long"), (-1, _SHORT, "short"), (0, _INK, "no side")):
        part = counts.filter(pl.col("direction") == direction)
        heights = part["count"].to_numpy().astype(float) * (direction or 1)
        if part.height:
            axes.bar(
                part["quarter"], heights, width=12, align="edge", color=color, label=f"{name}: {part['count'].sum()}"
            )
    axes.axhline(0, color="black", linewidth=0.6)
    if counts.height:
        axes.legend(frameon=False, fontsize=7)
    else:
        axes.text(0.5, 0.5, "no signal in this session", ha="center", transform=axes.transAxes)
    _clock_axis(axes)
    return _png(figure)


def _figure(title: str, ylabel: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=_SIZE, dpi=100, layout="constrained")
    axes = figure.subplots()
    axes.set_title(title, fontsize=9, loc="left")
    axes.set_ylabel(ylabel, fontsize=8)
    axes.tick_params(labelsize=7)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure, axes


def _clock_axis(axes: Axes) -> None:
    """Label minutes after midnight as hours, on the hour."""
    low, high = axes.get_xlim()
    hours = range(int(np.ceil(low / 60)), int(high // 60) + 1)
    axes.set_xticks([hour * 60 for hour in hours], [f"{hour:02d}:00" for hour in hours])


def _png(figure: Figure) -> bytes:
    """Write the figure with few colours: a third of the bytes, and no difference to the eye."""
    drawn, packed = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png")
    with Image.open(drawn) as image:
        image.convert("RGB").quantize(_COLORS).save(packed, format="png", optimize=True)
    return packed.getvalue()
