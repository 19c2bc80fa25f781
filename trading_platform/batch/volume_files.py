"""Read volumes by symbol, session and bin from a Parquet file; rows that cannot be are set aside with their reason."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trading_platform.errors import BadFileError

BIN_COLUMNS = ("symbol", "session", "bin", "volume")
MOMENT_COLUMNS = ("symbol", "ts", "volume")
MOST_BINS = 24 * 60
MOST_CELLS = 400_000_000
"""Symbols x sessions x bins that are held in memory."""


@dataclass(frozen=True, slots=True)
class VolumeGrid:
    """Volumes of shape (symbols, sessions, bins), NaN where there is no bar; rows that were set aside, with reasons."""

    symbols: list[str]
    sessions: list[date] | list[int]
    bins: list[int]
    volume: NDArray[np.float64]
    rejected: pl.DataFrame
    bar_seconds: int | None
    """Length of a bar where the file has moments."""

    @property
    def present(self) -> NDArray[np.bool_]:
        """Tell which bins some symbol has in each session, shape (sessions, bins): what the session was."""
        found: NDArray[np.bool_] = np.any(~np.isnan(self.volume), axis=0)
        return found


def read_volumes(path: Path) -> VolumeGrid:
    """Read symbol, session (date or integer), bin, volume; or symbol, ts (start of the bar, naive is IST), volume.

    Raise BadFileError for a file that is not that, or holds no volume.
    """
    raw = _read(path)
    seconds = None
    if set(BIN_COLUMNS) <= set(raw.columns):
        rows = _with_bins(raw, path)
    elif set(MOMENT_COLUMNS) <= set(raw.columns):
        rows, seconds = _with_moments(raw, path)
    else:
        raise BadFileError(
            f"{path} has the columns {', '.join(raw.columns)}; it needs {', '.join(BIN_COLUMNS)}, or "
            f"{', '.join(MOMENT_COLUMNS)}: rename them"
        )
    rows = _judge(rows)
    good = rows.filter(pl.col("reason").is_null())
    if good.is_empty():
        raise BadFileError(f"{path} holds no volume that can be used ({rows.height} rows are broken)")
    rejected = rows.filter(pl.col("reason").is_not_null()).select("row", "symbol", "session", "bin", "reason")
    return _grid(good, rejected, path, seconds)


def _read(path: Path) -> pl.DataFrame:
    if not path.is_file():
        raise BadFileError(f"{path} does not exist; give a Parquet file of volumes")
    try:
        raw = pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise BadFileError(f"{path} cannot be read as Parquet: {error}") from error
    if "volume" in raw.columns and not raw.schema["volume"].is_numeric():
        raise BadFileError(f"{path}: column volume is {raw.schema['volume']}; it must hold numbers")
    return raw.with_row_index("row", offset=1)


def _with_bins(raw: pl.DataFrame, path: Path) -> pl.DataFrame:
    session, bin_ = raw.schema["session"], raw.schema["bin"]
    if not (session == pl.Date or session.is_integer()):
        raise BadFileError(f"{path}: column session is {session}; it must hold dates or integers")
    if not bin_.is_integer():
        raise BadFileError(f"{path}: column bin is {bin_}; it must hold integers")
    ordered = pl.col("session") if session == pl.Date else pl.col("session").cast(pl.Int64, strict=False)
    return _typed(raw, ordered, pl.col("bin").cast(pl.Int64, strict=False))


def _typed(raw: pl.DataFrame, session: pl.Expr, bin_: pl.Expr) -> pl.DataFrame:
    return raw.select(
        "row",
        pl.col("symbol").cast(pl.String, strict=False).str.strip_chars().replace("", None),
        session.alias("session"),
        bin_.alias("bin"),
        pl.col("volume").cast(pl.Float64, strict=False),
    )


def _with_moments(raw: pl.DataFrame, path: Path) -> tuple[pl.DataFrame, int]:
    """Count bars from the usual first one of a session; one that is stamped late belongs to the bin it is in."""
    kind = raw.schema["ts"]
    if not isinstance(kind, pl.Datetime):
        raise BadFileError(f"{path}: column ts is {kind}; it must hold datetimes (naive ones are IST)")
    moment = pl.col("ts").cast(pl.Datetime("us", kind.time_zone))
    local = moment.dt.convert_time_zone("Asia/Kolkata").dt.replace_time_zone(None) if kind.time_zone else moment
    rows = raw.with_columns(local.alias("ts"))
    # hours and minutes are bytes: they would overflow
    hour, minute, second = (getattr(pl.col("ts").dt, unit)().cast(pl.Int64) for unit in ("hour", "minute", "second"))
    rows = rows.with_columns(session=pl.col("ts").dt.date(), second=hour * 3600 + minute * 60 + second)
    timed = rows.filter(pl.col("second").is_not_null()).sort("symbol", "session", "second")
    gaps = timed.select(pl.col("second").diff().over("symbol", "session").alias("gap")).filter(pl.col("gap") > 0)
    if gaps.is_empty():
        raise BadFileError(f"{path} has no two bars of a symbol in one session: the length of a bar is unknown")
    seconds = _most_common(gaps["gap"])
    first = _most_common(timed.group_by("symbol", "session").agg(pl.col("second").min())["second"])
    return _typed(rows, pl.col("session"), (pl.col("second") - first).floordiv(seconds)), seconds


def _most_common(values: pl.Series) -> int:
    """Return the value that is there most often, of several the least."""
    return int(values.mode().sort()[0])


def _judge(rows: pl.DataFrame) -> pl.DataFrame:
    volume = pl.col("volume")
    reason = (
        pl.when(pl.col("symbol").is_null() | pl.col("session").is_null() | pl.col("bin").is_null())
        .then(pl.lit("symbol, session or bin is missing"))
        .when(volume.is_null() | volume.is_nan())
        .then(pl.lit("no volume"))
        .when(volume.is_infinite() | (volume < 0.0))
        .then(pl.lit("volume is negative or infinite"))
    )
    judged = rows.with_columns(reason=reason)
    again = pl.col("reason").is_null() & ~pl.struct("symbol", "session", "bin", "reason").is_first_distinct()
    return judged.with_columns(reason=pl.when(again).then(pl.lit("a bar that was there before")).otherwise("reason"))


def _grid(good: pl.DataFrame, rejected: pl.DataFrame, path: Path, seconds: int | None) -> VolumeGrid:
    axes = [good[name].unique().sort() for name in ("symbol", "session", "bin")]
    shape = tuple(len(axis) for axis in axes)
    if shape[2] > MOST_BINS:
        raise BadFileError(f"{path} has {shape[2]} different bins; a session has at most {MOST_BINS}")
    if np.prod([float(size) for size in shape]) > MOST_CELLS:
        raise BadFileError(f"{path} has {shape[0]} symbols, {shape[1]} sessions, {shape[2]} bins: split it by symbols")
    volume = np.full(shape, np.nan)
    at = []
    for name, axis in zip(("symbol", "session", "bin"), axes, strict=True):
        places = pl.DataFrame({name: axis}).with_row_index("place")
        at.append(good.select(name).join(places, on=name, how="left", maintain_order="left")["place"].to_numpy())
    volume[tuple(at)] = good["volume"].to_numpy()
    symbols, sessions, bins = (axis.to_list() for axis in axes)
    return VolumeGrid(symbols, sessions, bins, volume, rejected, seconds)
