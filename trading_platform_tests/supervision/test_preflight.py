"""Each thing that stands in the way, had for real, is named with what to do."""

import os
import socket
import stat
from pathlib import Path

import pytest
import redis
from pydantic import SecretStr

from trading_platform.kite.stored_login import LoginFile, StoredLogin, fingerprint
from trading_platform.market.clock import Clock
from trading_platform.settings import IsolatedSettings, Settings
from trading_platform.storage.embedded_valkey import EmbeddedValkey
from trading_platform.storage.journal import journal_folder
from trading_platform.supervision import preflight
from trading_platform.supervision.places import Places
from trading_platform.supervision.preflight import faults, held_profile
from trading_platform_tests.health.made import feed_values
from trading_platform_tests.supervision.rig import tell

KEY, TOKEN = SecretStr("key"), SecretStr("token-of-today")


def settings_in(folder: Path, **changed: object) -> Settings:
    return IsolatedSettings.model_validate({"data_dir": folder / "data", "webserver_port": _free()} | changed)


def _free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def told(settings: Settings, profile: str = "live") -> list[str]:
    """The names of the findings."""
    return [one.split(":")[0] for one in faults(settings, Places.of(settings.data_dir), profile)]  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def _no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)


def test_a_live_platform_needs_key_and_token_and_a_simulated_one_neither(tmp_path: Path) -> None:
    assert told(settings_in(tmp_path)) == ["token"]
    assert told(settings_in(tmp_path, kite_api_key=KEY)) == ["token"]
    assert told(settings_in(tmp_path, kite_api_key=KEY, kite_access_token=TOKEN)) == []
    assert told(settings_in(tmp_path), "simulated") == []
    assert told(settings_in(tmp_path, kite_access_token=TOKEN), "simulated") == ["token"]


def test_a_token_that_died_is_told_with_whose_it_was(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, kite_api_key=KEY)
    login = StoredLogin(
        user_id="AB1234", key_fingerprint=fingerprint(KEY), access_token=TOKEN, logged_in_ns=1, dies_ns=2
    )
    file = LoginFile.of(settings.data_dir, settings.shard)
    file.write(login)
    found = faults(settings, Places.of(settings.data_dir), "live")
    assert len(found) == 1
    assert "AB1234 died" in found[0]
    assert "trading-platform login" in found[0]
    assert TOKEN.get_secret_value() not in found[0]
    file.write(login.model_copy(update={"dies_ns": Clock.wall().now_ns() + 10**12, "key_fingerprint": "other"}))
    assert "another kite_api_key" in faults(settings, Places.of(settings.data_dir), "live")[0]


def test_all_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "elsewhere"
    home.mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    monkeypatch.setattr(preflight, "PACKAGES", ("dagster", "no_such_package_here"))
    monkeypatch.setattr(preflight, "LEAST_FREE_BYTES", 1 << 62)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings = settings_in(tmp_path, webserver_port=taken.getsockname()[1], redis_url="redis://127.0.0.1:9/0")
        assert told(settings) == ["packages", "disk", "port", "redis", "dagster", "token"]


def test_a_data_folder_that_cannot_be_written_is_told_alone(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    assert told(settings_in(tmp_path)) == ["data folder"]


def test_a_server_that_may_drop_keys_is_refused(tmp_path: Path) -> None:
    server = EmbeddedValkey(tmp_path / "other", durable=False)
    try:
        handle = server.ensure_running()
        with redis.Redis(unix_socket_path=str(handle.socket_path)) as client:
            client.config_set("maxmemory-policy", "allkeys-lru")
        settings = settings_in(tmp_path, redis_url=f"unix://{handle.socket_path}")
        found = faults(settings, Places.of(settings.data_dir), "simulated")
        assert len(found) == 1
        assert found[0].startswith("redis: ")
        assert "noeviction" in found[0]
    finally:
        server.stop()


def test_another_feed_on_the_same_folder_is_told(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    tell(settings.feed_dir / "k1.json", feed_values(pid=os.getpid()))
    assert told(settings, "simulated") == ["running"]


def test_real_and_simulated_sessions_never_share_a_folder(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    assert held_profile(settings) is None
    journal_folder(settings.journal_dir, "k1", Clock.wall().today()).mkdir(parents=True)
    assert held_profile(settings) == "live"
    assert told(settings, "simulated") == ["profile"]
    (settings.data_dir / "profile").write_text("simulated\n")
    assert told(settings, "simulated") == []
    assert "profile" in told(settings, "live")


def test_the_data_folder_is_made_for_its_user_alone(tmp_path: Path) -> None:
    told(settings_in(tmp_path))
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
