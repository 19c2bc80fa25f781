"""What the demo shows at its end, and what of it is not as it has to be."""

from datetime import date
from typing import Any

from rich.table import Table

from trading_platform.cli.demo_account import FeedAccount, add_rows, faults_of

ASSETS = (
    "instruments",
    "subscription_universe",
    "ticks",
    "minute_bars",
    "volume_baselines",
    "volume_profiles",
    "indicator_seeds",
    "indicator_snapshots",
    "patterns",
)
JOBS = ("prepare_day", "run_patterns", "close_day")
HISTORY = "historical_bars"
LIVE_CHECK = "live_equals_replay"
_NEED_A_PAST = frozenset(
    f"volume_baselines:baseline_{what}" for what in ("bias_drift", "calibration", "history", "jump")
)
"""Checks that look at days before: with few of them they warn that there is too little."""


def summary_table(session: date, account: FeedAccount, report: dict[str, Any], replayed: dict[str, Any]) -> Table:
    """Return the table: what the feed recorded, what came of it, each asset, each check."""
    table = Table(title=f"Session {session}", show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(justify="right")
    add_rows(table, account)
    table.add_section()
    for name in ("last_record", "bars", "indicators", "signals"):
        table.add_row(name.replace("last_record", "records"), f"{replayed[name]:,}")
    table.add_row("ticks", f"{replayed['counters']['packets']:,}")
    table.add_row("replay, ticks a second", f"{replayed['ticks_per_second']:,}")
    table.add_row("digest", replayed["digest"][:16])
    table.add_section()
    for name in ASSETS:
        partitions = report["assets"].get(name, {"partitions": {}})["partitions"]
        rows = partitions.get(session.isoformat())
        here = f"{rows:,} rows" if rows is not None else "-"
        table.add_row(f"asset {name}", f"{here}, {len(partitions)} sessions")
    table.add_row(f"asset {HISTORY}", f"{_history(report):,} rows")
    table.add_section()
    for name, verdict in sorted(report["checks"].items()):
        table.add_row(f"check {name}", _shown(name, verdict))
    return table


def _shown(name: str, verdict: dict[str, Any]) -> str:
    if verdict["passed"]:
        return "[green]passed[/green]"
    return "[yellow]warned[/yellow]" if lacks_a_past(name, verdict) else "[red]FAILED[/red]"


def lacks_a_past(name: str, verdict: dict[str, Any]) -> bool:
    """Tell whether a check that did not pass may be one that has no days before to look at."""
    return name in _NEED_A_PAST and verdict["severity"] == "WARN"


def problems(session: date, account: FeedAccount, report: dict[str, Any], replayed: dict[str, Any]) -> list[str]:
    """Return everything that is not as it has to be; empty when all is right."""
    faults = faults_of(account, replayed["counters"]["packets"])
    faults += [
        f"asset {name} has no rows of {session}"
        for name in ASSETS
        if not report["assets"].get(name, {"partitions": {}})["partitions"].get(session.isoformat())
    ]
    if not _history(report):
        faults.append(f"asset {HISTORY} has no rows: nothing was fetched from the exchange")
    faults += [
        f"check {name}: {said['facts']}"
        for name, said in report["checks"].items()
        if not said["passed"] and not lacks_a_past(name, said)
    ]
    if not any(name.endswith(LIVE_CHECK) for name in report["checks"]):
        faults.append(f"check {LIVE_CHECK} was never made")
    done = {run["job"] for run in report["runs"] if run["status"] == "SUCCESS"}
    faults += [f"job {name} has not succeeded" for name in JOBS if name not in done]
    faults += [f"run {run['id']} of {run['job']} failed" for run in report["runs"] if run["status"] == "FAILURE"]
    faults += [f"replay gave no {name}" for name in ("bars", "indicators", "signals") if not replayed[name]]
    if not replayed["closed"]:
        faults.append("the journal was not closed")
    return faults


def _history(report: dict[str, Any]) -> int:
    """Return the rows of the asset that has no partitions."""
    return sum(report["assets"].get(HISTORY, {"partitions": {}})["partitions"].values())
