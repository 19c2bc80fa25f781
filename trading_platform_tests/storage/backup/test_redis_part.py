"""Snapshot and export of a server that refuses the snapshot, and of one with keys in another database."""

from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from trading_platform.storage.backup.check import check_backup
from trading_platform.storage.backup.make import make_backup
from trading_platform.storage.backup.redis_part import SNAPSHOT
from trading_platform.storage.backup.restore import restore_backup
from trading_platform_tests.storage.backup.place import MOMENT, Place


class Restricted:
    """A connector whose user may not become a replica, as many hosted servers have it."""

    address = "redis://host:6379"

    def __init__(self, client: redis.Redis) -> None:
        client.execute_command("ACL", "SETUSER", "hosted", "on", ">pass", "~*", "+@all", "-sync", "-psync")
        path = client.get_connection_kwargs()["path"]
        options = {"username": "hosted", "password": "pass", "retry": Retry(NoBackoff(), 0)}
        self._client = redis.Redis(unix_socket_path=path, **options)

    def connect(self) -> redis.Redis:
        return self._client


def test_a_server_that_gives_no_snapshot_is_exported_key_by_key_and_it_is_said(place: Place, tmp_path: Path) -> None:
    sources = place.sources(redis=Restricted(place.client))
    folder, manifest = make_backup(sources, place.root, MOMENT)
    assert manifest.redis is not None
    assert (manifest.redis.point_in_time, manifest.redis.snapshot_bytes, manifest.redis.keys) == (False, None, 3)
    (note,) = manifest.notes
    assert "gave no snapshot" in note
    assert "as of the moment at which it was read" in note
    assert (manifest.faults, manifest.file(SNAPSHOT)) == ((), None)
    assert check_backup(folder)[1] == []
    assert all(one.same for one in restore_backup(folder, tmp_path / "into", 0))


def test_the_database_that_is_used_is_the_one_that_is_exported(place: Place) -> None:
    path = place.client.get_connection_kwargs()["path"]
    other = redis.Redis(unix_socket_path=path, db=3)
    other.set("only", "one")

    class Third:
        address = "redis://host/3"

        def connect(self) -> redis.Redis:
            return other

    _, manifest = make_backup(place.sources(redis=Third()), place.root, MOMENT)
    assert manifest.redis is not None
    assert (manifest.redis.keys, manifest.redis.by_type) == (1, {"string": 1})


def test_the_snapshot_alone_gives_a_server_the_same_keys(place: Place, tmp_path: Path) -> None:
    folder, _ = place.back_up()
    assert (folder / f"{SNAPSHOT}.zst").exists()
    assert not list(folder.glob("redis-*"))  # the private server left nothing
    assert tmp_path.exists()


def test_without_redis_it_is_said(place: Place, tmp_path: Path) -> None:
    folder, manifest = make_backup(place.sources(redis=None), place.root, MOMENT)
    assert manifest.redis is None
    assert manifest.notes == ("Redis was left out: its outputs can be computed again from the journal",)
    assert "Redis" not in {one.part for one in restore_backup(folder, tmp_path / "into", 0)}
