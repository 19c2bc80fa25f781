"""The check on backups: whether every recorded session that is over is in a good one."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path

import dagster as dg

from trading_platform.health.checks_host import BACKUP_GRACE, BACKUP_RED_SESSIONS
from trading_platform.market.clock import Clock
from trading_platform.market.sessions import SessionTable, load_session_table
from trading_platform.orchestration.asset_operations import backups
from trading_platform.orchestration.day_times import closes_at
from trading_platform.orchestration.metadata import dates
from trading_platform.orchestration.resources import JournalsResource
from trading_platform.storage.backup.catalogue import list_backups

STALE = timedelta(days=7)


def backup_check(root: Path) -> dg.AssetChecksDefinition:
    """Return the check over the backups below `root`."""

    @dg.asset_check(
        asset=backups.key,
        name="backup_is_fresh",
        description="Every recorded session that is over is in a backup that is whole; half a backup is none.",
    )
    def backup_is_fresh(journals: JournalsResource) -> dg.AssetCheckResult:
        """Judge the newest good backup by what was recorded since."""
        return judge(root, journals.sessions(), Clock.wall().now(), load_session_table())

    return backup_is_fresh


def judge(root: Path, recorded: Sequence[date], now: datetime, table: SessionTable) -> dg.AssetCheckResult:
    """Warn of a session without a backup and of a backup older than a week; three sessions without one are an error."""
    listed = list_backups(root)
    good = [one.manifest for one in listed if one.is_good and one.manifest is not None]
    made_at = good[-1].made_at if good else None
    since = [
        session
        for session in recorded
        if closes_at(table, session) + BACKUP_GRACE <= now and (made_at is None or closes_at(table, session) > made_at)
    ]
    age = None if made_at is None else now - made_at
    stale = age is not None and age > STALE
    error = len(since) >= BACKUP_RED_SESSIONS
    return dg.AssetCheckResult(
        passed=not since and not stale,
        severity=dg.AssetCheckSeverity.ERROR if error else dg.AssetCheckSeverity.WARN,
        metadata={
            "folder": str(root),
            "good_backups": len(good),
            "no_backups": "; ".join(f"{one.folder.name}: {one.trouble}" for one in listed if not one.is_good) or "none",
            "sessions_without_backup": dates(since),
            **({} if age is None else {"last_backup": good[-1].name, "age_hours": round(age / timedelta(hours=1), 1)}),
        },
    )
