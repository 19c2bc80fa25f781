"""`trading-platform prune-runs`: let old runs of Dagster go, with their files."""

import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from trading_platform.cli.console import say
from trading_platform.errors import ChildFailed, SettingsError
from trading_platform.settings import dagster_home, environment_with_home, load_settings

_SET_ASIDE = 3
_MODULE = "trading_platform.orchestration.run_retention"
_SHOWN = 300


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("prune-runs")(prune_runs)


def prune_runs(
    *,
    keep_days: Annotated[
        int | None, typer.Option(min=7, max=3660, help="days of runs to keep; TP_RUNS_KEEP_DAYS when absent")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say what would go, delete nothing")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print the report as one line of JSON")] = False,
) -> None:
    """Delete Dagster's runs that ended long ago, with the files that Dagster itself would leave behind.

    A run stays while it holds the last materialisation of a partition, or has not ended. Works on DAGSTER_HOME,
    else on the one in the data folder, while Dagster runs.

    Example: trading-platform prune-runs --dry-run

    Exit codes: 0 done; 2 it could not run; 3 done, but a database was busy and keeps its size (it is named).
    """
    settings = load_settings()
    home = dagster_home() or settings.data_dir / "dagster"
    if not (home / "dagster.yaml").is_file():
        raise SettingsError(f"{home} is no Dagster home: set DAGSTER_HOME, or start the platform once")
    days = keep_days or settings.runs_keep_days
    done = _pruned(home.absolute(), [f"--keep-days={days}", *(["--dry-run"] if dry_run else [])])
    say(orjson.dumps({"dry_run": dry_run, **done}).decode() if as_json else _text(done, dry_run=dry_run))
    for name in done["busy"]:
        say(f"{name} was busy and keeps its size; its room is used again", error=True)
    raise typer.Exit(_SET_ASIDE if done["busy"] else 0)


def _pruned(home: Path, arguments: list[str]) -> dict[str, Any]:
    command = [sys.executable, "-m", _MODULE, *arguments]
    ended = subprocess.run(command, capture_output=True, check=False, env=environment_with_home(home))
    if ended.returncode:
        last = ended.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise ChildFailed(f"runs in {home} were not pruned: {' '.join(last)[:_SHOWN]}")
    found: dict[str, Any] = orjson.loads(ended.stdout.splitlines()[-1])
    return found


def _text(done: dict[str, Any], *, dry_run: bool) -> str:
    would = "would be " if dry_run else ""
    return (
        f"{done['deleted_runs']} runs {would}deleted, {done['kept_runs']} old ones kept: they hold last states, "
        f"{done['deleted_events']} events deleted, files of {done['removed_leftovers']} forgotten runs removed; "
        f"{done['bytes_before']:,} -> {done['bytes_after']:,} bytes"
    )
