"""What a migration works with, and which databases of the source it reads."""

from dataclasses import dataclass
from pathlib import Path

import redis

from trading_platform.errors import MigrationRefused
from trading_platform.market.clock import Clock
from trading_platform.migration.conversions import DumpOf
from trading_platform.migration.rules import Layout
from trading_platform.storage.migration.raw_commands import ask
from trading_platform.storage.migration.servers import (
    LegacyServer,
    ServerIdentity,
    database_of,
    identity,
    is_same_data,
)

_SKEW_LIMIT_MS = 1000


@dataclass(frozen=True, slots=True)
class Migration:
    """One legacy server, one layout, one database of the platform, one folder for plan and ledger."""

    source: LegacyServer
    target: "redis.Redis"
    target_address: str
    layout: Layout
    folder: Path
    dump_of: DumpOf
    clock: Clock

    @property
    def servers(self) -> dict[str, str]:
        """Return what names this migration in its ledger."""
        return {"source": self.source.address, **written_to(self.layout, self.target, self.target_address)}

    @property
    def now_ms(self) -> int:
        """Return milliseconds since the epoch."""
        return self.clock.now_ns() // 1_000_000


def written_to(layout: Layout, target: "redis.Redis", address: str) -> dict[str, str]:
    """Return what names the side that is written."""
    return {"layout": layout.name, "target": f"{address} database {database_of(target)}"}


def default_folder(data_dir: Path, layout: Layout) -> Path:
    """Return where plan and ledger are unless somebody names another place."""
    return data_dir / "migration" / layout.name.lower()


@dataclass(frozen=True, slots=True)
class Reach:
    """The databases that are read, what the source says of itself, and what is doubtful."""

    databases: tuple[int, ...]
    source: ServerIdentity
    warnings: tuple[str, ...]


def reach(migration: Migration) -> Reach:
    """Find the databases to read; raise MigrationRefused when what is read could be what is written."""
    source = migration.source.identity()
    target = identity(migration.target, migration.target_address)
    warnings: list[str] = []
    databases = set(migration.layout.databases) | {number for number, keys in source.keys.items() if keys}
    if is_same_data(source, target):
        same = database_of(migration.target)
        if same in migration.layout.databases:
            raise MigrationRefused(
                f"source and target are the same: database {same} of one server (or of its replica). A migration only "
                "reads its source; let the platform use another server or database"
            )
        databases.discard(same)
        warnings.append(f"database {same} of the source is the target, so its keys are not part of the plan")
    return Reach(tuple(sorted(databases)), source, (*warnings, *_skew(migration)))


def _skew(migration: Migration) -> tuple[str, ...]:
    replies = [ask(client, [("TIME",)])[0] for client in (migration.source.client(0), migration.target)]
    if not all(isinstance(reply, list) for reply in replies):
        return ()  # the user that reads may not ask for the time
    there, here = (int(seconds) * 1000 + int(micros) // 1000 for seconds, micros in replies)
    if abs(there - here) <= _SKEW_LIMIT_MS:
        return ()
    apart = f"{abs(there - here) / 1000:.1f} s"
    return (f"the clocks of both servers are {apart} apart, and keys keep the moment at which they expire: set them",)
