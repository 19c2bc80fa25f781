"""Read a CSV file of bars line by line, as text: a line that is no row of its header becomes unreadable cells."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from trading_platform.errors import BadFileError
from trading_platform.market.instrument_rows import RowError, split_line

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class CsvBars:
    """The cells of a file under its header, and for each row how many lines below the header it stands."""

    cells: pl.DataFrame
    row: pl.Series


def read_csv(file: Path) -> CsvBars:
    """Read all cells as text; each line stands for itself, blank ones for nothing; raise BadFileError, OSError.

    So a stray quote breaks its own line only. A line with another number of cells, a bad quote, a control character
    or bytes that are no UTF-8 has null in every cell.
    """
    header, *lines = file.read_bytes().removeprefix(_BYTE_ORDER_MARK).splitlines() or [b""]
    if not header.strip():
        raise BadFileError(f"{file} is empty or its first line is; give minute bars with a header line")
    names = _header(file, header)
    rows = [(number, _cells(line, len(names))) for number, line in enumerate(lines, 1) if line.strip()]
    cells = pl.DataFrame([row for _, row in rows], schema=dict.fromkeys(names, pl.String), orient="row")
    return CsvBars(cells, pl.Series([number for number, _ in rows], dtype=pl.Int64))


def _header(file: Path, line: bytes) -> list[str]:
    try:
        names = [name.strip() for name in split_line(line)]
    except RowError as error:
        raise BadFileError(f"{file} cannot be read as minute bars, its header is broken: {error}") from error
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise BadFileError(f"{file} has several columns named {', '.join(map(repr, repeated))}; keep one of each")
    return names


def _cells(line: bytes, width: int) -> list[str | None]:
    try:
        cells = split_line(line)
    except RowError:
        cells = []
    return [*cells] if len(cells) == width else [None] * width
