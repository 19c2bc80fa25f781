"""What the machine tells: room on the disk and how long it lasts, Dagster's daemon, the age of the last backup."""

from dataclasses import dataclass
from datetime import timedelta

from trading_platform.health.findings import Figures, Finding, Level
from trading_platform.health.market_hours import Duty, MarketHours, clock_text
from trading_platform.market.clock import NS_PER_SECOND

SESSIONS_AHEAD = 5
"""How many more sessions must find room on the disk, or it is said."""

LEAST_FREE_BYTES = 512 * 1024 * 1024
FORECAST_MARGIN = 1.2

BACKUP_GRACE = timedelta(hours=6)
"""After a close, before a session without a backup is complained of."""

BACKUP_RED_SESSIONS = 3

HEARTBEAT_SECONDS = 150.0
"""Dagster's daemons beat every half minute."""

_MIB = 1024.0 * 1024.0


@dataclass(frozen=True, slots=True)
class DiskFacts:
    """Room where the data is, and the journal that grows there; bytes.

    `grown_in_seconds` is how much market time today's journal took to grow to `session_bytes`, None without one.
    """

    free_bytes: int
    total_bytes: int
    session_bytes: int | None = None
    grown_in_seconds: float | None = None
    past_session_bytes: int | None = None  # of the largest of the last sessions


@dataclass(frozen=True, slots=True)
class DaemonFacts:
    """When Dagster's daemons beat last, seconds ago (None: never); `problem` says why that is not known.

    `asked` is False where no DAGSTER_HOME is set: Dagster is not run from here.
    """

    asked: bool
    heartbeat_ages: dict[str, float | None] | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class BackupFacts:
    """The newest backup, how many recorded sessions ended since, and whether any session was recorded at all."""

    made_at_ns: int | None
    sessions_since: int
    any_session: bool
    problem: str | None = None


def check_disk(disk: DiskFacts, hours: MarketHours) -> Finding:
    """Say how much room there is, and whether the journal fits until the close and for some sessions more."""
    free = disk.free_bytes
    whole = _whole_session(disk, hours)
    ahead = 0.0 if whole is None or hours.duty is Duty.CLOSED else max(0.0, whole - (disk.session_bytes or 0))
    left = None if not whole else (free - ahead) / whole
    figures: Figures = {
        "free_bytes": free,
        "total_bytes": disk.total_bytes,
        "session_bytes": disk.session_bytes,
        "session_forecast_bytes": whole,
        "sessions_left": left,
    }
    says = f"{free / _MIB:,.0f} MiB free"
    says += "" if whole is None else f"; a session takes about {whole / _MIB:,.1f} MiB, {left or 0:,.0f} more fit"
    advice = "make room in the data folder, or move old journals to another disk"
    if free < max(LEAST_FREE_BYTES, ahead * FORECAST_MARGIN):
        return Finding("disk", Level.RED, f"{says}: too little until the close", advice, figures)
    if left is None:
        return Finding("disk", hours.ignorance, f"{says}; no session yet to forecast from", None, figures)
    level = Level.DEGRADED if left < SESSIONS_AHEAD else Level.GREEN
    return Finding("disk", level, says, advice if level else None, figures)


def check_dagster(daemons: DaemonFacts) -> Finding:
    """Say whether the daemon that runs schedules and sensors is alive."""
    if not daemons.asked:
        return Finding("dagster", Level.GREEN, "not run from here: DAGSTER_HOME is not set")
    if daemons.heartbeat_ages is None:
        advice = "is DAGSTER_HOME that of the running Dagster? is the machine too busy to answer?"
        return Finding("dagster", Level.DEGRADED, f"not known: {daemons.problem}", advice)
    ages = daemons.heartbeat_ages
    ill = sorted(name for name, age in ages.items() if age is None or age > HEARTBEAT_SECONDS)
    figures: Figures = {"heartbeat_age_seconds": dict(sorted(ages.items()))}
    if not ill:
        return Finding("dagster", Level.GREEN, f"{len(ages)} daemons beat", None, figures)
    says = f"no heartbeat of {', '.join(ill)}: schedules and sensors do not run"
    return Finding("dagster", Level.DEGRADED, says, "start dagster-daemon run", figures)


def check_backup(backup: BackupFacts, hours: MarketHours) -> Finding:
    """Say how many recorded sessions the newest backup does not hold."""
    advice = "make one: trading-platform backup"
    age = None if backup.made_at_ns is None else (hours.now_ns - backup.made_at_ns) // NS_PER_SECOND
    figures: Figures = {"age_seconds": age, "sessions_missing": backup.sessions_since}
    if backup.made_at_ns is None and not backup.any_session:
        return Finding("backup", Level.GREEN, "nothing was recorded yet that could be backed up", None, figures)
    level = Level.RED if backup.sessions_since >= BACKUP_RED_SESSIONS else Level.DEGRADED
    if backup.made_at_ns is None:
        says = "no backup yet" if backup.problem is None else f"no good backup: {backup.problem}"
        return Finding("backup", level, says, advice, figures)
    says = f"made {clock_text(backup.made_at_ns, hours.today)}"
    if not backup.sessions_since:
        return Finding("backup", Level.GREEN, says, None, figures)
    return Finding("backup", level, f"{says}: {backup.sessions_since} sessions ended since", advice, figures)


def _whole_session(disk: DiskFacts, hours: MarketHours) -> float | None:
    """Return what today's journal will take by the close, or what a past one took when that is more."""
    found = [] if disk.past_session_bytes is None else [float(disk.past_session_bytes)]
    if disk.session_bytes is not None and disk.grown_in_seconds and hours.ends_ns is not None:
        left = max(0.0, (hours.ends_ns - hours.now_ns) / NS_PER_SECOND)
        found.append(disk.session_bytes * (1.0 + left / disk.grown_in_seconds))
    return max(found, default=None)
