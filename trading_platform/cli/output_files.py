"""Write what a command puts out: whole files or none, and a named error where the file system refuses."""

import io
from pathlib import Path

import polars as pl

from trading_platform.errors import BadFileError


def write_output(path: Path, content: bytes) -> None:
    """Put `content` at `path`, its folder made if need be, the file before it kept until then; raise BadFileError."""
    unfinished = path.parent / f".{path.name}.unfinished"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            unfinished.write_bytes(content)
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
    except OSError as error:
        raise BadFileError(
            f"{path} cannot be written: {error.strerror or error}; free space or mend its folder, or choose another"
        ) from error


def parquet_bytes(rows: pl.DataFrame) -> bytes:
    """Return a table as the content of a Parquet file."""
    buffer = io.BytesIO()
    rows.write_parquet(buffer)
    return buffer.getvalue()


def csv_bytes(rows: pl.DataFrame) -> bytes:
    """Return a table as the content of a CSV file, moments in ISO 8601 with their zone."""
    return rows.write_csv(datetime_format="%Y-%m-%dT%H:%M:%S%:z").encode()


def write_table(path: Path, rows: pl.DataFrame) -> None:
    """Write a table as its file's name asks, Parquet or CSV; raise BadFileError."""
    write_output(path, parquet_bytes(rows) if path.suffix == ".parquet" else csv_bytes(rows))


def refuse_output(bars: Path, out: Path) -> None:
    """Raise BadFileError for a table that would have no known form, or overwrite what is read."""
    if out.suffix not in {".parquet", ".csv"}:
        raise BadFileError(f"{out} must end in .parquet or .csv")
    if out.resolve() == bars.resolve() or out.resolve().parent == bars.resolve():
        raise BadFileError(f"{out} would be one of the files that are read; choose another --out")
