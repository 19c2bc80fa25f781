"""What assets, checks and sensors are given: the lake, Redis, Kite, the journals and the settings of calculations.

Secrets are read from the settings where they are used, so that none is part of a resource's configuration.
"""

import subprocess
import sys
from datetime import date
from pathlib import Path

import dagster as dg

from trading_platform.batch.backfill_pieces import Pieces
from trading_platform.batch.dump_days import dump_sessions
from trading_platform.batch.instrument_dump import Dump
from trading_platform.errors import JournalError
from trading_platform.intake.kite_access import KiteAccess, backfill_dir, pace_file
from trading_platform.kite.rest import KiteRest
from trading_platform.settings import Settings, load_settings
from trading_platform.storage.journal import journal_folder, journal_sessions
from trading_platform.storage.lake import Lake
from trading_platform.storage.redis_manager import RedisManager
from trading_platform.storage.redis_store import RedisStore

REPLAY_LIMIT_SECONDS = 1800


class LakeResource(dg.ConfigurableResource[Lake]):
    """The Delta tables below one folder."""

    root: str

    def open(self) -> Lake:
        """Return the lake."""
        return Lake(self.root)


class RedisManagerResource(dg.ConfigurableResource[RedisManager]):
    """The one Redis of the platform: TP_REDIS_URL, or the embedded Valkey in `valkey_dir`."""

    valkey_dir: str
    shard: str

    def manager(self) -> RedisManager:
        """Return the connections; nothing is opened before the first use."""
        url = load_settings().redis_url
        return RedisManager(url.get_secret_value() if url else None, Path(self.valkey_dir))

    def store(self) -> RedisStore:
        """Return the live outputs and blocks of the shard, with the server running."""
        return RedisStore(self.manager().connect(), self.shard)


class KiteResource(dg.ConfigurableResource[KiteRest]):
    """Kite's REST service and the folder in which its dumps are kept; credentials are TP_KITE_* settings."""

    dumps_dir: str
    pace_file: str
    backfill_dir: str

    def access(self) -> KiteAccess:
        """Return what fetches dumps and candles; nothing is sent before the first request."""
        return KiteAccess(Path(self.dumps_dir), Path(self.pace_file))

    def client(self) -> KiteRest:
        """Return the client; nothing is sent before the first request."""
        return self.access().client()

    def dump(self, session: date) -> tuple[Dump, Path]:
        """Return the dump of a session and its file; today's is fetched when it is not there and credentials are."""
        return self.access().dump(session)

    def dump_sessions(self) -> list[date]:
        """Return the days whose dump is there, ascending."""
        return dump_sessions(Path(self.dumps_dir))

    def pieces(self) -> Pieces:
        """Return the answers of a backfill that are not in the lake yet."""
        return Pieces(Path(self.backfill_dir))


class JournalsResource(dg.ConfigurableResource[None]):
    """The journals of one shard."""

    root: str
    shard: str

    def sessions(self) -> list[date]:
        """Return the sessions that have a journal, ascending."""
        return sorted(journal_sessions(Path(self.root), self.shard))

    def replay_in_fresh_process(self, session: date, out: Path) -> None:
        """Replay a session's journal in a process of its own; raise JournalError with what that process said."""
        folder = journal_folder(Path(self.root), self.shard, session)
        command = [sys.executable, "-m", "trading_platform", "replay", str(folder), "--out", str(out)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=REPLAY_LIMIT_SECONDS)
        except subprocess.TimeoutExpired:
            raise JournalError(f"the replay of {folder} took more than {REPLAY_LIMIT_SECONDS} s; stopped") from None
        if done.returncode:
            raise JournalError(f"the replay of {folder} ended with {done.returncode}: {done.stderr.strip()[-2000:]}")


class CalculationResource(dg.ConfigurableResource[None]):
    """The settings that can change a calculated value."""

    baseline_sessions: int
    baseline_min_sessions: int
    seed_sessions: int


def platform_resources(settings: Settings) -> dict[str, object]:
    """Return every resource by the name under which it is asked for."""
    calculation = settings.calculation
    return {
        "lake": LakeResource(root=str(settings.lake_dir)),
        "redis_manager": RedisManagerResource(valkey_dir=str(settings.valkey_dir), shard=settings.shard),
        "kite": KiteResource(
            dumps_dir=str(settings.dumps_dir),
            pace_file=str(pace_file(settings)),
            backfill_dir=str(backfill_dir(settings)),
        ),
        "journals": JournalsResource(root=str(settings.journal_dir), shard=settings.shard),
        "calculation": CalculationResource(
            baseline_sessions=calculation.baseline_sessions,
            baseline_min_sessions=calculation.baseline_min_sessions,
            seed_sessions=calculation.seed_sessions,
        ),
    }
