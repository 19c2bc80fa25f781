"""`trading-platform verify`: read a whole journal and list everything that is wrong with it."""

from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from trading_platform.cli.console import say
from trading_platform.cli.journal_folder import journal_place
from trading_platform.storage.journal import JournalReport, verify_journal


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("verify")(verify)


def verify(
    journal: Annotated[Path, typer.Argument(help="folder of one session's journal: .../SHARD/YYYYMMDD")],
    as_json: Annotated[bool, typer.Option("--json", help="print the report as JSON")] = False,
) -> None:
    """Check every record, block, number and content of a journal; nothing is changed.

    Example: trading-platform verify data/journal/k1/20260820

    Exit codes: 0 whole, 2 it is no journal, 3 something is damaged, torn, missing or out of
    order (each is named).
    """
    place = journal_place(journal)
    report = verify_journal(place.root, place.shard, place.session)
    if as_json:
        say(orjson.dumps(_facts(report)).decode())
    else:
        say(f"{place.session}  {report.records:,} records in {report.segments} segments, {report.bytes:,} bytes")
    for fault in _faults(report):
        say(fault, error=True)
    raise typer.Exit(0 if report.is_whole else 3)


def _faults(report: JournalReport) -> list[str]:
    torn = [f"the last {report.torn_tail} bytes are no whole record"] if report.torn_tail else []
    return [*(str(damage) for damage in report.damages), *report.bad_content, *report.disorder, *torn]


def _facts(report: JournalReport) -> dict[str, Any]:
    return {
        "records": report.records,
        "segments": report.segments,
        "bytes": report.bytes,
        "first_record": report.first_number,
        "last_record": report.last_number,
        "whole": report.is_whole,
        "faults": _faults(report),
    }
