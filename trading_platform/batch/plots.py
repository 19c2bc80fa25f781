"""Small pictures of a session for people who look at an asset: PNG bytes, drawn without a display."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from PIL import Image

from trading_platform.later import Later

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

figures = Later("matplotlib.figure")
agg = Later("matplotlib.backends.backend_agg")

MAX_BYTES = 60_000
"""Size of a picture that still travels as metadata."""

# on a ground of their own, so that they read the same on a dark page
_GROUND, _TEXT, _GRID = "#ffffff", "#24292f", "#e3e8ee"
_INK, _BAND, _WIDE_BAND, _LONG, _SHORT = "#1f5f99", "#8fbde3", "#d6e7f5", "#1b7f4d", "#b23a48"
_STAGES = ("#1f5f99", "#d1702a", "#1b7f4d", "#7d4fa5", "#7a6a2f")
_SIZE = (7.6, 3.2)
_MOST_SYMBOLS = 400
_NAMED_SYMBOLS = 30
_PROFILES = 4
_COLORS = 40
_CLOCK = "time of day, IST"
_LEAST_SHARE = 0.1
"""Per cent of all frames: what is rarer is not worth room on the axis."""


@dataclass(frozen=True, slots=True)
class StageLatency:
    """Real time from receipt to a stage, milliseconds: upper edges of buckets with the counts up to them."""

    stage: str
    buckets: Sequence[tuple[float, int]]
    p50: float | None
    p99: float | None


def volume_curve(baselines: pl.DataFrame) -> bytes:
    """Draw the shape of a day's volume: each instrument's share of its day by minute, with its band.

    The band is that of the forecast of the median instrument; where there are no quantiles, what most instruments have.
    """
    minutes = baselines.filter(pl.col("interval") == 1).drop_nulls("expected_median")
    whole = pl.col("expected_median").sum().over("token") / 100
    count = minutes["token"].n_unique()
    figure, axes = _figure(f"Volume that is normal, by minute: {count} instruments", "% of the day's volume")
    if "q10" in minutes.columns and minutes["q10"].count():
        names = ("q10", "q25", "expected_median", "q75", "q90")
        shares = minutes.select(pl.col("bucket_start").alias("minute"), *(pl.col(name) / whole for name in names))
        _forecast_bands(axes, shares.group_by("minute").agg(pl.col(names).median()).sort("minute"))
    else:
        _bands(axes, minutes.select(value=pl.col("expected_median") / whole, minute=pl.col("bucket_start")))
    axes.set_ylim(bottom=0)
    _clock_axis(axes)
    return _png(figure)


def relative_volume_curve(snapshots: pl.DataFrame) -> bytes:
    """Draw how a session's volume compared with what is normal, minute by minute; 1 is normal, each line a doubling."""
    known = snapshots.filter((pl.col("interval") == 1) & (pl.col("rvol_bar") > 0))
    placed = known.select(value=pl.col("rvol_bar"), minute=_minute(pl.col("start")))
    figure, axes = _figure("Volume against its baseline, by minute", "times normal")
    _bands(axes, placed)
    axes.set_yscale("log", base=2)
    axes.yaxis.set_major_formatter(lambda value, _place: f"{value:g}\N{MULTIPLICATION SIGN}")
    axes.axhline(1.0, color=_TEXT, linewidth=0.7)
    _clock_axis(axes)
    return _png(figure)


def _forecast_bands(axes: "Axes", curve: pl.DataFrame) -> None:
    """Draw the median instrument's forecast by `minute`, and where half and four fifths of its bars are expected."""
    minute = curve["minute"]
    axes.fill_between(minute, curve["q10"], curve["q90"], color=_WIDE_BAND, linewidth=0, label="80% of bars expected")
    axes.fill_between(minute, curve["q25"], curve["q75"], color=_BAND, linewidth=0, label="50% of bars expected")
    axes.plot(minute, curve["expected_median"], color=_INK, linewidth=1.4, label="median instrument")
    _legend(axes)


def _bands(axes: "Axes", values: pl.DataFrame) -> None:
    """Draw median, middle half and middle four fifths of `value` by `minute`; say so when there is nothing."""
    at = {"p10": 0.1, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p90": 0.9}
    quantiles = [pl.col("value").quantile(share).alias(name) for name, share in at.items()]
    curve = values.group_by("minute").agg(quantiles).sort("minute")
    if curve.is_empty():
        _say(axes, "nothing is known")
        return
    minute = curve["minute"]
    axes.fill_between(minute, curve["p10"], curve["p90"], color=_WIDE_BAND, linewidth=0, label="80% of instruments")
    axes.fill_between(minute, curve["p25"], curve["p75"], color=_BAND, linewidth=0, label="50% of instruments")
    axes.plot(minute, curve["p50"], color=_INK, linewidth=1.4, label="median instrument")
    _legend(axes)


def coverage_map(bars: pl.DataFrame) -> bytes:
    """Draw where minute bars are: one line per instrument, one column per minute; gaps stay white."""
    placed = bars.select("symbol", minute=_minute(pl.col("start")))
    every = placed["symbol"].unique().sort()
    step = max(1, -(-len(every) // _MOST_SYMBOLS))
    rows = {symbol: place for place, symbol in enumerate(every[::step])}
    placed = placed.filter(pl.col("symbol").is_in(list(rows)))
    first, last = placed.select(low=pl.col("minute").min(), high=pl.col("minute").max()).row(0)
    grid = np.zeros((len(rows), last - first + 1))
    at = placed["symbol"].replace_strict(rows, return_dtype=pl.Int64).to_numpy()
    grid[at, placed["minute"].to_numpy() - first] = 1.0
    kept = f"{len(rows)} of {len(every)} instruments" if step > 1 else f"{len(every)} instruments"
    figure, axes = _figure(f"Minute bars of {kept}: {grid.mean():.1%} of all minutes have one", "instruments, by name")
    extent = (float(first), float(last + 1), float(len(rows)), 0.0)
    axes.imshow(grid, aspect="auto", interpolation="nearest", cmap="Blues", vmin=0, vmax=1.3, extent=extent)
    axes.grid(visible=False)
    if len(rows) <= _NAMED_SYMBOLS:
        axes.set_yticks([place + 0.5 for place in rows.values()], list(rows))
    _clock_axis(axes)
    return _png(figure)


def latency_histogram(stages: Sequence[StageLatency]) -> bytes:
    """Draw how long frames took from the socket to each stage: the share of frames in each doubling of time."""
    figure, axes = _figure("Latency since receipt of a frame", "% of frames")
    shown: list[float] = []
    for colour, one in zip(_STAGES, stages, strict=False):
        upper = np.array([edge for edge, _ in one.buckets])
        counts = np.diff([count for _, count in one.buckets], prepend=0)
        if not counts.any():
            continue
        share = counts / counts.sum() * 100
        edges = np.concatenate(([upper[0] / 2], upper))
        label = f"{one.stage}: p50 {_ms(one.p50)}, p99 {_ms(one.p99)}"
        axes.stairs(share, edges, color=colour, linewidth=1.5, label=label)
        axes.stairs(share, edges, color=colour, alpha=0.12, fill=True)
        shown += upper[share >= _LEAST_SHARE].tolist()
    axes.set_xscale("log")
    axes.set_xlabel("milliseconds, real time", fontsize=8, color=_TEXT)
    axes.xaxis.set_major_formatter(lambda value, _place: f"{value:g}")
    axes.set_ylim(bottom=0)
    if shown:
        axes.set_xlim(min(shown) / 2, max(shown))
        # below the axes: inside it would lie on the slow frames, which are the ones to look at
        figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=8, labelcolor=_TEXT)
    else:
        _say(axes, "no frame was measured yet")
    return _png(figure)


def _ms(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3g} ms"


def signals_over_day(signals: pl.DataFrame, title: str) -> bytes:
    """Draw when signals came: bars up for long, down for short, by quarter of an hour."""
    figure, axes = _figure(title, "signals: long up, short down")
    quarter = _minute(pl.col("confirmed_at")) // 15 * 15
    counts = signals.group_by(quarter.alias("quarter"), "direction").agg(pl.len().alias("count")).sort("quarter")
    for direction, color, name in ((1, _LONG, "long"), (-1, _SHORT, "short"), (0, _INK, "no side")):
        part = counts.filter(pl.col("direction") == direction)
        heights = part["count"].to_numpy().astype(float) * (direction or 1)
        if part.height:
            axes.bar(
                part["quarter"], heights, width=14, align="edge", color=color, label=f"{name}: {part['count'].sum()}"
            )
    axes.axhline(0, color=_TEXT, linewidth=0.7)
    axes.yaxis.set_major_formatter(lambda value, _place: f"{abs(value):g}")
    if counts.height:
        _legend(axes)
    else:
        _say(axes, "no signal in this session")
    _clock_axis(axes)
    return _png(figure)


def volume_by_price(profiles: pl.DataFrame) -> bytes:
    """Draw profiles of the instruments with the largest turnover: volume to the right, value area dark, POC a line."""
    known = profiles.drop_nulls("poc").sort(pl.col("volume") * pl.col("poc"), descending=True)
    shown = list(known.head(_PROFILES).iter_rows(named=True))
    figure, axes = _figure(f"Volume by price: {known.height} profiles, those with the largest turnover", "")
    if not shown:
        _say(axes, "there is no profile")
        return _png(figure)
    axes.set_axis_off()
    for place, row in enumerate(shown):
        _one_profile(axes.inset_axes((place / len(shown) + 0.05, 0.02, 0.8 / len(shown), 0.86)), row)
    return _png(figure)


def _one_profile(axes: "Axes", row: Mapping[str, Any]) -> None:
    height = row["row_size"]
    volume = np.array(row["histogram"])
    bottom = row["histogram_from"] + height * np.arange(len(volume))
    # half a row of slack: edges are sums of decimals
    inside = (bottom > row["val"] - height / 2) & (bottom < row["vah"] - height / 2)
    axes.barh(bottom, volume, height=height, align="edge", color=np.where(inside, _INK, _BAND).tolist(), linewidth=0)
    axes.axhline(row["poc"], color=_SHORT, linewidth=1.0)
    axes.set_title(f"{row['symbol']}\nPOC {row['poc']:g}", fontsize=8, color=_TEXT)
    axes.tick_params(labelsize=7, colors=_TEXT)
    axes.set_xticks([])
    axes.ticklabel_format(axis="y", useOffset=False, style="plain")
    for side in ("top", "right", "bottom"):
        axes.spines[side].set_visible(False)


def _minute(moment: pl.Expr) -> pl.Expr:
    return moment.dt.hour().cast(pl.Int32) * 60 + moment.dt.minute().cast(pl.Int32)


def _figure(title: str, ylabel: str) -> tuple["Figure", "Axes"]:
    figure = figures.Figure(figsize=_SIZE, dpi=110, layout="constrained", facecolor=_GROUND)
    axes = figure.subplots()
    axes.set_title(title, fontsize=10, loc="left", color=_TEXT)
    axes.set_ylabel(ylabel, fontsize=8, color=_TEXT)
    axes.tick_params(labelsize=8, colors=_TEXT)
    axes.grid(visible=True, color=_GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure, axes


def _legend(axes: "Axes") -> None:
    axes.legend(facecolor=_GROUND, edgecolor="none", framealpha=0.85, fontsize=8, labelcolor=_TEXT)


def _say(axes: "Axes", text: str) -> None:
    axes.text(0.5, 0.5, text, ha="center", color=_TEXT, transform=axes.transAxes)


def _clock_axis(axes: "Axes") -> None:
    """Label minutes after midnight as hours, on the hour."""
    low, high = axes.get_xlim()
    hours = range(int(np.ceil(low / 60)), int(high // 60) + 1)
    axes.set_xticks([hour * 60 for hour in hours], [f"{hour:02d}:00" for hour in hours])
    axes.set_xlabel(_CLOCK, fontsize=8, color=_TEXT)


def _png(figure: "Figure") -> bytes:
    """Write the figure with few colours: a third of the bytes, and no difference to the eye."""
    # `savefig` would draw it twice, once for its layout alone
    canvas = agg.FigureCanvasAgg(figure)
    canvas.draw()
    packed = io.BytesIO()
    drawn = Image.fromarray(np.asarray(canvas.buffer_rgba()))
    drawn.convert("RGB").quantize(_COLORS).save(packed, format="png", optimize=True)
    return packed.getvalue()
