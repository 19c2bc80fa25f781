"""`trading-platform compact`: many small files of the lake become few, and files that nobody reads any more go."""

from dataclasses import asdict
from datetime import timedelta
from typing import Annotated

import orjson
import typer

from trading_platform.cli.console import say
from trading_platform.settings import load_settings
from trading_platform.storage.lake_compaction import TableCompaction, compact_lake

_SET_ASIDE = 3


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("compact")(compact)


def compact(
    *,
    table: Annotated[list[str] | None, typer.Option(help="a table to compact; again for more; none: all")] = None,
    keep_days: Annotated[
        int | None,
        typer.Option(min=1, max=7, help="days for which replaced files stay; TP_LAKE_KEEP_DAYS when absent"),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say what would be done, change nothing")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print the report as one line of JSON")] = False,
) -> None:
    """Put the small files of each session together and remove files that were replaced some days ago.

    Readers, writers and backups go on meanwhile. A second run changes nothing. Files and bytes on the disk
    before and after are told for each table.

    Example: trading-platform compact --dry-run

    Exit codes: 0 done; 2 it could not run; 3 some tables could not be compacted (each is named).
    """
    settings = load_settings()
    keep = timedelta(days=keep_days or settings.lake_keep_days)
    done = compact_lake(settings.lake_dir, keep=keep, tables=table or (), dry_run=dry_run)
    if as_json:
        say(orjson.dumps({"dry_run": dry_run, "tables": [asdict(one) for one in done]}).decode())
    else:
        for one in done:
            say(line_of(one))
    troubles = [one.trouble for one in done if one.trouble]
    for trouble in troubles:
        say(trouble, error=True)
    raise typer.Exit(_SET_ASIDE if troubles else 0)


def line_of(one: TableCompaction) -> str:
    """Return what became of a table as a line for people."""
    sizes = f"{one.before.files:,} files, {one.before.bytes:,} bytes -> {one.after.files:,}, {one.after.bytes:,}"
    return (
        f"{one.table}: {sizes}; {one.compacted_sessions} sessions put together, {one.removed_files} files removed, "
        f"{one.kept_files} kept for readers"
    )
