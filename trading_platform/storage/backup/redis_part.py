"""Redis in a backup: the server's own snapshot, and an export of it that no version has to understand."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import redis

from trading_platform.errors import StoreUnavailable
from trading_platform.storage.backup.layout import BackupWriter, content_of
from trading_platform.storage.backup.manifest import RedisSummary, StoredFile
from trading_platform.storage.backup.redis_export import RedisExport, export_digest
from trading_platform.storage.backup.redis_snapshot import snapshot
from trading_platform.storage.backup.sources import Connector
from trading_platform.storage.embedded_valkey import EmbeddedValkey
from trading_platform.storage.journal import journal_sessions
from trading_platform.storage.redis_store import RedisStore

PART = "redis"
EXPORT = "redis/export.jsonl"
SNAPSHOT = "redis/dump.rdb"

_DATABASE = "db"


def store_redis(
    connector: Connector, journals: Path, writer: BackupWriter, *, notes: list[str], faults: list[str]
) -> RedisSummary:
    """Store snapshot and export; keys that have no version-independent form are named in `faults`.

    The export is read from a private server that loaded the snapshot: all keys are of one moment, and the live server
    carries no load. A server whose snapshot cannot be had or loaded is exported key by key while it works on.
    """
    client = connector.connect()
    held = _store_snapshot(client, connector.address, writer, notes)
    with _frozen(client, held, writer.folder, notes) as (source, point_in_time):
        export = RedisExport(source)
        kinds: Counter[str] = Counter()
        digests: dict[bytes, str] = {}
        writer.store(EXPORT, _lines(export, kinds, digests), packed=True)
        positions = _positions(source, journals)
    faults += [f"Redis key {name} is in the snapshot only" for name in export.skipped]
    if export.pending:
        notes.append(f"{export.pending} unacknowledged entries of consumer groups are in the snapshot only")
    return RedisSummary(
        keys=len(digests),
        by_type=dict(sorted(kinds.items())),
        digest=export_digest(digests),
        point_in_time=point_in_time,
        snapshot_bytes=held.bytes if held else None,
        positions=positions,
    )


def _store_snapshot(client: redis.Redis, address: str, writer: BackupWriter, notes: list[str]) -> StoredFile | None:
    try:
        return writer.store(SNAPSHOT, snapshot(client), packed=True)
    except StoreUnavailable as error:
        notes.append(f"{address}: {error}; the export holds each key as of the moment at which it was read")
        writer.drop(SNAPSHOT)
        return None


@contextmanager
def _frozen(
    client: redis.Redis, held: StoredFile | None, folder: Path, notes: list[str]
) -> Iterator[tuple[redis.Redis, bool]]:
    """Give a server that stands still at the snapshot, or the live one when there is none."""
    if held is None:
        yield client, False
        return
    with TemporaryDirectory(prefix="redis-", dir=folder) as scratch:
        private = EmbeddedValkey(Path(scratch) / "valkey", durable=False)
        try:
            loaded = _loaded(private, held, folder, notes)
            number = client.get_connection_kwargs().get(_DATABASE, 0)
            frozen = redis.Redis(unix_socket_path=str(loaded), db=number) if loaded else None
            yield frozen or client, frozen is not None
        finally:
            private.stop()


def _loaded(private: EmbeddedValkey, held: StoredFile, folder: Path, notes: list[str]) -> Path | None:
    """Start a private server with the snapshot and return its socket, None when it cannot read it."""
    private.folder.mkdir(mode=0o700)
    with (private.folder / "dump.rdb").open("wb") as file:
        file.writelines(content_of(folder, held))
    try:
        return private.ensure_running().socket_path
    except StoreUnavailable as error:
        notes.append(f"the snapshot is of a server that ours cannot read, so it was exported key by key: {error}")
        return None


def _lines(export: RedisExport, kinds: Counter[str], digests: dict[bytes, str]) -> Iterator[bytes]:
    for key in export.keys():  # noqa: SIM118  # a generator, not a dict
        kinds[key.kind] += 1
        digests[key.name] = key.digest
        yield b"".join(key.lines)


def _positions(client: redis.Redis, root: Path) -> dict[str, int]:
    """Return the record that the outputs of each session reach, by shard and session."""
    found: dict[str, int] = {}
    for shard in sorted(entry.name for entry in root.iterdir() if entry.is_dir()) if root.is_dir() else ():
        for session in journal_sessions(root, shard):
            position = RedisStore(client, shard).position(session)
            if position is not None:
                found[f"{shard}/{session}"] = position.record
    return found
