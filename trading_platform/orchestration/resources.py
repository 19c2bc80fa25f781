"""What assets, checks and sensors are given: the lake, Redis, Kite, the journals and the settings of calculations.

Secrets are read from the settings where they are used, so that none is part of a resource's configuration.
"""

import subprocess
import sys
from datetime import date
from pathlib import Path

import dagster as dg
from pydantic import SecretStr

from trading_platform.batch.instrument_dump import Dump, read_dump
from trading_platform.batch.reference import dump_path, missing_dump
from trading_platform.errors import JournalError
from trading_platform.kite.rest import KiteRest
from trading_platform.market.clock import Clock
from trading_platform.settings import Settings, load_settings
from trading_platform.storage.journal import journal_folder, journal_sessions
from trading_platform.storage.lake import Lake
from trading_platform.storage.redis_manager import RedisManager
from trading_platform.storage.redis_store import RedisStore
from trading_platform.streaming.checkpoint import make_private_folder

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

    def client(self) -> KiteRest:
        """Return the client; nothing is sent before the first request."""
        settings = load_settings()
        credentials = _filled(settings.kite_api_key), _filled(settings.kite_access_token)
        return KiteRest(*credentials, root=settings.kite_api_root)

    def dump(self, session: date) -> tuple[Dump, Path]:
        """Return the dump of a session and its file; today's is fetched when it is not there and credentials are."""
        folder = Path(self.dumps_dir)
        path = dump_path(folder, session) or self._fetched(folder, session)
        return read_dump(path), path

    def _fetched(self, folder: Path, session: date) -> Path:
        client = self.client()
        if session != Clock.wall().today() or not client.has_credentials:
            raise missing_dump(folder, session)
        make_private_folder(folder)
        path = folder / f"instruments_{session:%Y%m%d}.csv"
        unfinished = path.with_suffix(".part")
        unfinished.touch(mode=0o600)
        unfinished.write_bytes(client.instruments_csv())
        return unfinished.replace(path)


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
        "kite": KiteResource(dumps_dir=str(settings.dumps_dir)),
        "journals": JournalsResource(root=str(settings.journal_dir), shard=settings.shard),
        "calculation": CalculationResource(
            baseline_sessions=calculation.baseline_sessions,
            baseline_min_sessions=calculation.baseline_min_sessions,
            seed_sessions=calculation.seed_sessions,
        ),
    }


def _filled(secret: SecretStr | None) -> SecretStr | None:
    return secret if secret is not None and secret.get_secret_value() else None
