"""`trading-platform instruments`: what can be done with a day's dump at the command line."""

import io
import os
from pathlib import Path
from typing import Annotated

import orjson
import typer

from trading_platform.batch.instrument_dump import Dump, read_dump, rejected_csv
from trading_platform.errors import BadFileError

_UNUSABLE = 2
_SET_ASIDE = 3
_SHOWN_LINES = 10

_PARSE_HELP = """Turn a Kite instrument dump (.csv or .csv.gz) into typed Parquet with Kite's column names.

Every row is accounted for: rows in = rows written + rows aside. A broken row goes to NAME.rejected.csv beside --out
NAME.parquet with its line number and reason; its neighbours are kept. Without broken rows an older
file of that name is removed.

Example: trading-platform instruments parse instruments.csv.gz --out instruments.parquet

Exit codes: 0 every row written; 2 the file cannot be used (nothing is written); 3 rows were set aside or the file
ends early (what is good is written).
"""


def register(app: typer.Typer) -> None:
    """Add the `instruments` commands to the program."""
    commands = typer.Typer(help="The day's dump of instruments.", no_args_is_help=True)
    commands.command("parse", help=_PARSE_HELP)(parse)
    # a group of one command would otherwise swallow the command's name
    commands.callback()(_group)
    app.add_typer(commands, name="instruments")


def parse(
    file: Annotated[Path, typer.Argument(help="Dump as Kite serves it: .csv or .csv.gz.")],
    out: Annotated[Path, typer.Option("--out", help="Parquet file to write.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as one JSON line.")] = False,
) -> None:
    """Parse one dump and say what became of every row."""
    rejected_file = out.parent / f"{out.stem}.rejected.csv"
    try:
        _refuse_overwriting(file, (out, rejected_file))
        dump = read_dump(file)
        _write(dump, out=out, rejected_file=rejected_file)
    except BadFileError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(_UNUSABLE) from None
    summary = _summary(dump, file=file, out=out, rejected_file=rejected_file)
    typer.echo(orjson.dumps(summary).decode() if as_json else _sentence(dump, out))
    _complain(dump, file=file, rejected_file=rejected_file)
    if dump.rejected or dump.damage:
        raise typer.Exit(_SET_ASIDE)


def _group() -> None:
    """Group the commands about dumps."""


def _refuse_overwriting(file: Path, written: tuple[Path, ...]) -> None:
    for path in written:
        if path.resolve() == file.resolve():
            raise BadFileError(f"{path} would replace the dump that is read; choose another --out")


def _write(dump: Dump, *, out: Path, rejected_file: Path) -> None:
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        # the rows aside first: Parquet that is there means that the account of it is there too
        if dump.rejected:
            _replace(rejected_file, rejected_csv(dump.rejected))
        else:
            rejected_file.unlink(missing_ok=True)
        parquet = io.BytesIO()
        dump.rows.write_parquet(parquet)
        _replace(out, parquet.getvalue())
    except OSError as error:
        raise BadFileError(f"{out} cannot be written: {error.strerror or error}; mend that") from error


def _replace(path: Path, content: bytes) -> None:
    unfinished = path.parent / f".{path.name}.unfinished"
    try:
        with unfinished.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _summary(dump: Dump, *, file: Path, out: Path, rejected_file: Path) -> dict[str, object]:
    return {
        "file": str(file),
        "out": str(out),
        "rows_in": dump.rows_in,
        "rows_written": len(dump.rows),
        "rows_aside": len(dump.rejected),
        "rejected_file": str(rejected_file) if dump.rejected else None,
        "reasons": dump.reasons,
        "notes": {
            note: {"rows": len(lines), "first_lines": list(lines[:_SHOWN_LINES])} for note, lines in dump.notes.items()
        },
        "blank_lines": dump.blank_lines,
        "unknown_columns": list(dump.unknown_columns),
        "damage": dump.damage,
    }


def _sentence(dump: Dump, out: Path) -> str:
    return f"{dump.rows_in} rows in = {len(dump.rows)} written to {out} + {len(dump.rejected)} set aside"


def _complain(dump: Dump, *, file: Path, rejected_file: Path) -> None:
    if dump.damage:
        typer.echo(f"{file}: {dump.damage}; fetch it again", err=True)
    if dump.rejected:
        reasons = ", ".join(f"{reason} {count}" for reason, count in dump.reasons.items())
        typer.echo(f"{len(dump.rejected)} rows set aside in {rejected_file}: {reasons}", err=True)
    for note, lines in dump.notes.items():
        typer.echo(f"kept, but odd: {note} in {len(lines)} rows, first on line {lines[0]}", err=True)
    if dump.blank_lines:
        typer.echo(f"{dump.blank_lines} blank lines passed over", err=True)
    if dump.unknown_columns:
        typer.echo(f"columns that Kite's dump does not have, left out: {', '.join(dump.unknown_columns)}", err=True)
