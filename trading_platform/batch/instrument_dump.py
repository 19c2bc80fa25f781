"""Kite's dump of a day: CSV to typed columns, every row accounted for, and back to CSV."""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

from trading_platform.batch.dump_file import DumpText, read_text
from trading_platform.errors import BadFileError, InstrumentError
from trading_platform.market.instrument_rows import KITE_COLUMNS, Fault, Reason, Row, RowError, read_fields, split_line
from trading_platform.market.instruments import Instrument, InstrumentDay, token_of

DUMP_SCHEMA: dict[str, pl.DataType] = {
    "instrument_token": pl.UInt32(),
    "exchange_token": pl.UInt32(),
    "tradingsymbol": pl.String(),
    "name": pl.String(),
    "last_price": pl.Float64(),
    "expiry": pl.Date(),
    "strike": pl.Float64(),
    "tick_size": pl.Float64(),
    "lot_size": pl.Int64(),
    "instrument_type": pl.String(),
    "segment": pl.String(),
    "exchange": pl.String(),
}

_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Rejected:
    """A line set aside: its number in the file (the header is line 1), why, and the line itself."""

    line: int
    fault: Fault
    raw: bytes


@dataclass(frozen=True, slots=True)
class Dump:
    """What a dump holds: good rows in order, lines set aside, and the lines of rows that were kept though odd."""

    rows: pl.DataFrame
    rejected: tuple[Rejected, ...]
    notes: dict[str, tuple[int, ...]]
    blank_lines: int
    unknown_columns: tuple[str, ...]
    damage: str | None

    @property
    def rows_in(self) -> int:
        """Return how many rows the file has, without its header and blank lines."""
        return len(self.rows) + len(self.rejected)

    @property
    def reasons(self) -> dict[str, int]:
        """Count the lines set aside by reason."""
        return dict(Counter(str(rejected.fault.reason) for rejected in self.rejected))


@dataclass(frozen=True, slots=True)
class _Header:
    places: tuple[int, ...]
    width: int
    unknown: tuple[str, ...]


def read_dump(path: Path) -> Dump:
    """Parse a dump file (.csv, .csv.gz); raise BadFileError when the file as a whole cannot be used."""
    return parse_dump(read_text(path), name=str(path))


def parse_dump(text: DumpText, *, name: str) -> Dump:
    """Parse the text of a dump; `name` is what errors call it."""
    lines = text.content.removeprefix(_BOM).split(b"\n")
    # without a last line end there is a last row, and with one there is none
    unfinished = lines.pop() if not lines[-1] else lines[-1]
    header = _read_header(lines[0] if lines else b"", f"{name} ({text.damage})" if text.damage else name)
    rows: dict[int, Row] = {}
    rejected: list[Rejected] = []
    blank = 0
    cut_line = len(lines) if text.cut and unfinished else None
    for number, line in enumerate(lines[1:], start=2):
        raw = line.removesuffix(b"\r")
        if not raw:
            blank += 1
            continue
        try:
            rows[number] = _read_row(raw, header, cut=number == cut_line)
        except RowError as broken:
            rejected.append(Rejected(number, broken.fault, raw))
    return Dump(
        rows=_frame(rows.values()),
        rejected=tuple(rejected),
        notes=_notes(rows),
        blank_lines=blank,
        unknown_columns=header.unknown,
        damage=text.damage,
    )


def instruments_of(rows: pl.DataFrame) -> Iterator[Instrument]:
    """Turn rows of a dump into instruments, in order."""
    kept = [column for column in KITE_COLUMNS if column != "last_price"]
    return (Instrument(*values) for values in rows.select(kept).iter_rows())


def day_of(session: date, rows: pl.DataFrame) -> InstrumentDay:
    """Take rows as the dump of `session`; raise InstrumentError when a token stands twice."""
    return InstrumentDay(session, tuple(instruments_of(rows)))


def rows_of(instruments: Iterable[Instrument]) -> pl.DataFrame:
    """Turn instruments into rows of a dump; last_price is 0, as in Kite's own; raise InstrumentError."""
    try:
        return _frame(_row_of(instrument) for instrument in instruments)
    except (TypeError, OverflowError) as error:
        raise InstrumentError(f"an instrument has a value that no dump can hold: {error}; mend it") from error


def dump_csv(instruments: Iterable[Instrument]) -> bytes:
    """Write instruments as Kite writes a day's dump; `read_dump` gives them back equal."""
    return rows_csv(rows_of(instruments))


def rows_csv(rows: pl.DataFrame) -> bytes:
    """Write rows of a dump as CSV, numbers exactly; raise BadFileError for text that one line cannot hold."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(KITE_COLUMNS)
    writer.writerows(rows.select(KITE_COLUMNS).iter_rows())
    content = out.getvalue().encode()
    written = parse_dump(DumpText(content), name="the dump to be written")
    if written.rejected or not written.rows.equals(rows.select(KITE_COLUMNS)):
        first = written.rejected[0] if written.rejected else None
        raise BadFileError(f"rows cannot be written as a dump that reads back equal: {first}; mend the row")
    return content


def rejected_csv(rejected: Iterable[Rejected]) -> bytes:
    """Write lines set aside as CSV; bytes that are no UTF-8 are shown as backslash escapes."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("line", "reason", "detail", "raw"))
    for row in rejected:
        raw = row.raw.decode("utf-8", errors="backslashreplace")
        writer.writerow((row.line, row.fault.reason, row.fault.detail, raw))
    return out.getvalue().encode()


def _read_header(line: bytes, name: str) -> _Header:
    try:
        columns = split_line(line.removesuffix(b"\r"))
    except RowError as broken:
        raise BadFileError(f"{name}: the header cannot be read ({broken}); is this Kite's dump?") from None
    missing = [column for column in KITE_COLUMNS if columns.count(column) == 0]
    repeated = [column for column in KITE_COLUMNS if columns.count(column) > 1]
    if missing or repeated:
        wrong = [f"lacks {', '.join(missing)}"] * bool(missing) + [f"repeats {', '.join(repeated)}"] * bool(repeated)
        raise BadFileError(f"{name}: the header {' and '.join(wrong)}; is this Kite's dump?")
    unknown = tuple(column for column in columns if column not in KITE_COLUMNS)
    return _Header(tuple(columns.index(column) for column in KITE_COLUMNS), len(columns), unknown)


def _read_row(raw: bytes, header: _Header, *, cut: bool) -> Row:
    if cut:
        raise RowError(Reason.TRUNCATED, "the file ends within this line")
    fields = split_line(raw)
    if len(fields) != header.width:
        raise RowError(Reason.WRONG_FIELD_COUNT, f"{len(fields)} fields, the header has {header.width}")
    return read_fields([fields[place] for place in header.places])


def _notes(rows: dict[int, Row]) -> dict[str, tuple[int, ...]]:
    """List the lines of rows that are kept though odd; a union of days repeats tokens, one day's dump must not."""
    found: dict[str, list[int]] = {}
    tokens: set[int] = set()
    keys: set[tuple[str, str]] = set()
    for number, (token, exchange_token, symbol, *_, segment, exchange) in rows.items():
        formed = token_of(exchange_token, segment)
        odd = {
            "unknown_segment": formed is None,
            "token_mismatch": formed is not None and token != formed,
            "repeated_token": token in tokens,
            "repeated_key": (exchange, symbol) in keys,
        }
        for note in (name for name, is_odd in odd.items() if is_odd):
            found.setdefault(note, []).append(number)
        tokens.add(token)
        keys.add((exchange, symbol))
    return {note: tuple(numbers) for note, numbers in found.items()}


def _frame(rows: Iterable[Row]) -> pl.DataFrame:
    columns = list(zip(*rows, strict=True)) or [()] * len(KITE_COLUMNS)
    return pl.DataFrame(
        [
            pl.Series(column, values, dtype=DUMP_SCHEMA[column])
            for column, values in zip(KITE_COLUMNS, columns, strict=True)
        ]
    )


def _row_of(one: Instrument) -> Row:
    return (
        one.token,
        one.exchange_token,
        one.tradingsymbol,
        one.name,
        0.0,
        one.expiry,
        one.strike,
        one.tick_size,
        one.lot_size,
        one.instrument_type,
        one.segment,
        one.exchange,
    )


__all__ = [
    "DUMP_SCHEMA",
    "Dump",
    "DumpText",
    "Rejected",
    "day_of",
    "dump_csv",
    "instruments_of",
    "parse_dump",
    "read_dump",
    "rejected_csv",
    "rows_csv",
    "rows_of",
]
