from pathlib import Path

import pytest

from trading_platform.errors import MigrationRefused, StoreRefused, StoreUnavailable
from trading_platform.storage.migration import servers as module
from trading_platform.storage.migration.servers import LegacyServer, ServerIdentity, database_of, is_same_data
from trading_platform_tests.migration.two_servers import PASSWORD, TwoServers


def who(run_id: str, replication_id: str = "") -> ServerIdentity:
    return ServerIdentity(run_id, replication_id, "7.2.4", {}, frozenset())


def test_a_server_says_who_it_is_and_what_it_holds(servers: TwoServers) -> None:
    servers.source.set("a", 1)
    servers.database(3).set("a", 1)
    found = LegacyServer(servers.url, servers.password_file).identity()
    assert found.keys == {0: 1, 3: 1}
    assert found.run_id == servers.source.info("server")["run_id"]
    assert found.field_lifetimes == frozenset()


def test_hashes_with_lifetimes_of_fields_are_known(servers: TwoServers) -> None:
    servers.database(2).hset("h", "f", "v")
    servers.database(2).execute_command("HEXPIRE", "h", 1000, "FIELDS", 1, "f")
    assert LegacyServer(servers.url, servers.password_file).identity().field_lifetimes == {2}


def test_each_client_talks_to_its_database(servers: TwoServers) -> None:
    servers.database(3).set("a", "three")
    legacy = LegacyServer(servers.url, servers.password_file)
    assert legacy.client(3).get("a") == b"three"
    assert legacy.client(0).get("a") is None
    assert legacy.client(3) is legacy.client(3)
    assert (database_of(legacy.client(3)), database_of(servers.target)) == (3, 0)
    legacy.close()


def test_one_server_and_its_replica_are_the_same_data() -> None:
    assert is_same_data(who("a"), who("a"))
    assert is_same_data(who("a", "set"), who("b", "set"))
    assert not is_same_data(who("a", "set"), who("b", "other"))
    assert not is_same_data(who("a"), who("b"))
    with pytest.raises(MigrationRefused, match="cannot be told apart"):
        is_same_data(who(""), who("b"))


def test_a_wrong_password_is_refused_without_showing_one(servers: TwoServers, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("not-it")
    with pytest.raises(StoreRefused) as raised:
        LegacyServer(servers.url, wrong).identity()
    assert "not-it" not in str(raised.value)
    with pytest.raises(StoreRefused, match=r"\+@read"):
        LegacyServer(servers.url).identity()


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("redis://localhost/1", "leave the database out"),
        ("redis://localhost?db=2", "leave the database out"),
        ("http://localhost", "no usable Redis URL"),
        ("redis://user:s3cr/et@localhost", "no usable Redis URL"),
        ("redis://localhost?nothing=1", "no usable Redis URL"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused(url: str, why: str) -> None:
    with pytest.raises(MigrationRefused, match=why) as raised:
        LegacyServer(url)
    assert "s3cr" not in str(raised.value)


def test_an_address_has_no_password() -> None:
    assert LegacyServer(f"redis://user:{PASSWORD}@host:1?password={PASSWORD}").address == "redis://***@host:1"


def test_a_password_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(MigrationRefused, match="nothing-here"):
        LegacyServer("redis://localhost", tmp_path / "nothing-here")


def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match=r"none\.sock"):
        LegacyServer(f"unix://{tmp_path}/none.sock").identity()


def test_a_server_that_is_too_old_is_refused(servers: TwoServers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LEAST_VERSION", (99, 0))
    with pytest.raises(MigrationRefused, match="restore its data"):
        LegacyServer(servers.url, servers.password_file).identity()
