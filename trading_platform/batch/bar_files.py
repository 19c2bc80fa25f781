"""Read minute bars from Parquet or CSV files; broken rows are set aside with their file, row and reason."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trading_platform.batch.bar_csv import read_csv
from trading_platform.batch.bar_indices import find_indices
from trading_platform.errors import BadFileError, NoSessionError, UnknownSessionDate
from trading_platform.market.bar_rules import (
    REASONS,
    BarFault,
    Faults,
    day_volume_faults,
    row_faults,
    wire_faults,
)
from trading_platform.market.sessions import SessionClass, SessionTable

COLUMNS = ("symbol", "ts", "open", "high", "low", "close", "volume")
PRICES = ("open", "high", "low", "close")
WIRE_DIVISOR = 100.0
"""Price words per rupee in the segments that bar files are played into (NSE and its indices)."""

CASH_CLASSES = (SessionClass.NSE_CASH_FNO, SessionClass.NSE_CASH)
INDEX_CLASSES = (SessionClass.NSE_INDEX,)

_NAIVE_FORMATS = ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M")
_AWARE_FORMAT = "%Y-%m-%dT%H:%M:%S%.f%z"


@dataclass(frozen=True, slots=True)
class BarInput:
    """Good bars in order of symbol and ts (aware, IST; volume null for an index), and the rows that were set aside.

    `indices` tells of each index why it is one. `rejected` has the columns file, row (1 is the first below the header,
    in a CSV each line counts), symbol, ts, reason.
    """

    bars: pl.DataFrame
    rejected: pl.DataFrame
    indices: Mapping[str, str]

    @property
    def sessions(self) -> list[date]:
        """Return the dates that have bars, ascending."""
        return self.bars["ts"].dt.date().unique().sort().to_list()


def read_bars(
    path: Path, *, indices: Sequence[str] = (), table: SessionTable | None = None, for_wire: bool = False
) -> BarInput:
    """Read one file or all .parquet and .csv files of a folder.

    An index is what `indices` names, and what `find_indices` finds; its volume may be zero or absent. With `table`,
    rows outside the phases of NSE cash are set aside and a date without a session refuses everything. `for_wire` also
    sets aside what Kite's packets cannot carry exactly. Raise BadFileError, NoSessionError, UnknownSessionDate.
    """
    rows = pl.concat([_read_file(file) for file in _files(path)]).with_row_index("order")
    known = find_indices(rows, indices)
    rows = rows.with_columns(is_index=pl.col("symbol").is_in(list(known)).fill_null(value=False))
    silent = pl.col("is_index") & pl.col("no_volume")
    rows = _judge_rows(rows.with_columns(volume=pl.when(silent).then(0.0).otherwise("volume")))
    rows = _mark(rows, pl.col("is_index") & (pl.col("volume") != 0), BarFault.VOLUME_ON_INDEX)
    if table is not None:
        rows = _mark(rows, ~_in_session(rows, table), BarFault.OUTSIDE_SESSION)
    rows = rows.sort("symbol", "ts", "order")
    if for_wire:
        rows = _judge_for_wire(rows)
    return _split(rows, known)


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix in {".parquet", ".csv"})
        if not files:
            raise BadFileError(f"{path} holds no .parquet or .csv file; give a folder or file of minute bars")
        return files
    if not path.is_file():
        raise BadFileError(f"{path} does not exist; give a file or folder of minute bars")
    return [path]


def _read_file(file: Path) -> pl.DataFrame:
    try:
        raw, row = _read_table(file)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise BadFileError(f"{file} cannot be read as minute bars: {error}") from error
    if missing := [name for name in COLUMNS if name not in raw.columns]:
        raise BadFileError(f"{file} lacks the columns {', '.join(missing)}; rename or add them")
    if raw.schema["volume"] == pl.String:
        raw = raw.with_columns(pl.col("volume").str.strip_chars().replace("", None))
    numbers = [pl.col(name).cast(pl.Float64, strict=False) for name in PRICES]
    return raw.select(
        pl.lit(str(file)).alias("file"),
        row.alias("row"),
        pl.col("symbol").cast(pl.String, strict=False).str.strip_chars().replace("", None),
        _moment(raw.schema["ts"], file).alias("ts"),
        pl.col("ts").cast(pl.String, strict=False).alias("ts_text"),
        *numbers,
        pl.col("volume").cast(pl.Float64, strict=False),
        pl.col("volume").is_null().alias("no_volume"),
    )


def _read_table(file: Path) -> tuple[pl.DataFrame, pl.Series]:
    """Return the columns as they stand in the file, and the number of each row."""
    if file.suffix != ".parquet":
        found = read_csv(file)
        return found.cells, found.row
    raw = pl.read_parquet(file)
    return raw, pl.int_range(1, len(raw) + 1, eager=True)


def _moment(kind: pl.DataType, file: Path) -> pl.Expr:
    """Return the expression that makes aware IST moments of column ts."""
    if isinstance(kind, pl.Datetime):
        column = pl.col("ts").cast(pl.Datetime("us", kind.time_zone))
        aware = column.dt.convert_time_zone if kind.time_zone else column.dt.replace_time_zone
        return aware("Asia/Kolkata")
    if kind != pl.String:
        raise BadFileError(f"{file}: column ts is {kind}; it must hold datetimes (naive ones are IST)")
    text = pl.col("ts").str.strip_chars().str.replace(" ", "T", literal=True).str.replace("Z$", "+00:00")
    naive = [text.str.to_datetime(f, time_unit="us", strict=False) for f in _NAIVE_FORMATS]
    aware_text = text.str.to_datetime(_AWARE_FORMAT, time_unit="us", strict=False)
    return pl.coalesce(
        *(moments.dt.replace_time_zone("Asia/Kolkata") for moments in naive),
        aware_text.dt.convert_time_zone("Asia/Kolkata"),
    )


def _judge_rows(rows: pl.DataFrame) -> pl.DataFrame:
    start_ns = rows["ts"].dt.epoch("us").fill_null(0).to_numpy() * 1000
    prices = np.vstack([rows[name].fill_null(np.nan).to_numpy() for name in PRICES])
    volume = rows["volume"].fill_null(np.nan).to_numpy()
    rows = rows.with_columns(fault=pl.Series(row_faults(start_ns, prices, volume), dtype=pl.UInt8))
    nameless = pl.col("symbol").is_null() | pl.col("ts").is_null()
    rows = rows.with_columns(fault=pl.when(nameless).then(int(BarFault.UNREADABLE)).otherwise("fault").cast(pl.UInt8))
    good = rows.filter(pl.col("fault") == 0)
    later = good.filter(~pl.struct("symbol", "ts").is_first_distinct())["order"]
    return _mark(rows, pl.col("order").is_in(later.implode()), BarFault.DUPLICATE)


def _in_session(rows: pl.DataFrame, table: SessionTable) -> pl.Expr:
    days = rows.filter(pl.col("fault") == 0)["ts"].dt.date().unique().sort().to_list()
    _refuse_closed(days, table)
    moments = rows["ts"].dt.epoch("s").fill_null(0).to_numpy()
    cash = _within(moments, table, [(name, day) for name in CASH_CLASSES for day in days])
    index = _within(moments, table, [(name, day) for name in INDEX_CLASSES for day in days])
    return pl.when("is_index").then(pl.Series(index)).otherwise(pl.Series(cash))


def _within(
    moments: NDArray[np.int64], table: SessionTable, wanted: list[tuple[SessionClass, date]]
) -> NDArray[np.bool_]:
    phases = [phase for name, day in wanted for phase in table.session(name, day).phases]
    starts = np.sort(np.array([int(phase.start.timestamp()) for phase in phases], np.int64))
    ends = np.sort(np.array([int(phase.end.timestamp()) for phase in phases], np.int64))
    # inside some half-open phase: more phases have begun than have ended
    return np.searchsorted(starts, moments, side="right") > np.searchsorted(ends, moments, side="right")


def _refuse_closed(days: list[date], table: SessionTable) -> None:
    closed = []
    for day in days:
        try:
            reason = table.closed_because(SessionClass.NSE_CASH_FNO, day)
        except UnknownSessionDate as unknown:
            raise UnknownSessionDate(f"the files have bars on {day}: {unknown}") from unknown
        if reason is not None:
            closed.append(f"{day} ({reason})")
    if closed:
        raise NoSessionError(f"NSE cash has no session on {', '.join(closed)}; take these rows out of the files")


def _judge_for_wire(rows: pl.DataFrame) -> pl.DataFrame:
    rows = _with_faults(rows, lambda good: wire_faults(np.vstack([good[p].to_numpy() for p in PRICES]), WIRE_DIVISOR))
    return _with_faults(rows, _day_volume_faults)


def _day_volume_faults(good: pl.DataFrame) -> Faults:
    day = good.select(pl.struct("symbol", pl.col("ts").dt.date()).rle_id().cast(pl.Int64)).to_series().to_numpy()
    return day_volume_faults(day, good["volume"].to_numpy())


def _mark(rows: pl.DataFrame, where: pl.Expr, fault: BarFault) -> pl.DataFrame:
    """Give a fault to the rows that have none yet and where the condition holds."""
    hit = (pl.col("fault") == 0) & where
    return rows.with_columns(fault=pl.when(hit).then(int(fault)).otherwise("fault").cast(pl.UInt8))


def _with_faults(rows: pl.DataFrame, judge: Callable[[pl.DataFrame], Faults]) -> pl.DataFrame:
    """Judge the rows that have no fault yet, in their order."""
    good = (rows["fault"] == 0).to_numpy()
    faults = rows["fault"].to_numpy().copy()
    faults[good] = judge(rows.filter(pl.Series(good)))
    return rows.with_columns(fault=pl.Series(faults))


def _split(rows: pl.DataFrame, indices: Mapping[str, str]) -> BarInput:
    volume = pl.when("is_index").then(None).otherwise(pl.col("volume").cast(pl.Int64, strict=False))
    good = rows.filter(pl.col("fault") == 0).select("symbol", "ts", *PRICES, volume.alias("volume"))
    words = {int(fault): reason for fault, reason in REASONS.items()}
    reason = pl.col("fault").replace_strict(words, return_dtype=pl.String).alias("reason")
    broken = rows.filter(pl.col("fault") != 0).sort("order")
    rejected = broken.select("file", "row", "symbol", pl.col("ts_text").alias("ts"), reason)
    return BarInput(good.sort("symbol", "ts"), rejected, indices)
