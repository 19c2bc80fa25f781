import hashlib
from pathlib import Path

import pytest
from pydantic import ValidationError

from trading_platform.errors import SettingsError
from trading_platform.settings import (
    CalculationSettings,
    IsolatedSettings,
    child_environment,
    dagster_home,
    load_settings,
)


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('shard = "k7"\nwebserver_port = 4000\n[calculation]\nspike_min_rvol = 3.5\n')
    monkeypatch.setenv("TP_SETTINGS_FILE", str(file))
    monkeypatch.setenv("TP_WEBSERVER_PORT", "4001")
    settings = load_settings()
    assert (settings.shard, settings.webserver_port, settings.calculation.spike_min_rvol) == ("k7", 4001, 3.5)


def test_a_nested_value_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TP_CALCULATION__COOLDOWN_BARS", "9")
    assert load_settings().calculation.cooldown_bars == 9


@pytest.mark.parametrize(
    ("name", "value", "named"),
    [
        ("TP_SHARD", "K 1", "shard"),
        ("TP_WEBSERVER_PORT", "70000", "webserver_port"),
        ("TP_STATE_EVERY_SECONDS", "0", "state_every_seconds"),
        ("TP_CALCULATION__BREAKOUT_BARS", "61", "breakout_bars"),
    ],
)
def test_a_value_that_cannot_be_used_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, named: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=named):
        load_settings()


def test_a_misspelt_setting_in_the_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('shrad = "k7"\n')
    monkeypatch.setenv("TP_SETTINGS_FILE", str(file))
    with pytest.raises(SettingsError, match="shrad"):
        load_settings()


def test_a_password_never_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TP_REDIS_URL", "redis://:hunter2@127.0.0.1:6379/0")
    settings = load_settings()
    assert "hunter2" not in f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"


@pytest.mark.parametrize(
    ("given", "root"),
    [
        ({}, "https://api.kite.trade"),
        ({"kite_api_root": "http://127.0.0.1:5"}, "http://127.0.0.1:5"),
        # a simulated day is not mended with candles of the real one
        ({"kite_ws_root": "ws://127.0.0.1:4"}, None),
        ({"kite_ws_root": "ws://127.0.0.1:4", "kite_api_root": "http://127.0.0.1:5"}, "http://127.0.0.1:5"),
    ],
)
def test_candles_come_from_the_exchange_whose_sockets_are_recorded(given: dict[str, str], root: str | None) -> None:
    assert IsolatedSettings(**given).candle_root == root


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        load_settings().shard = "k2"  # type: ignore[misc]


def test_the_hash_is_of_the_canonical_bytes_and_moves_with_a_value() -> None:
    one = CalculationSettings()
    assert one.sha256 == hashlib.sha256(one.canonical()).hexdigest()
    assert CalculationSettings(cooldown_bars=7).sha256 != one.sha256


def test_a_variable_without_our_prefix_changes_no_calculation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COOLDOWN_BARS", "1")
    monkeypatch.setenv("BREAKOUT_BARS", "abc")
    assert CalculationSettings().sha256 == load_settings().calculation.sha256
    assert load_settings().calculation.cooldown_bars != 1


@pytest.mark.parametrize("name", ["REDIS_URL", "TP_REDIS_URL"])
def test_a_server_is_named_with_or_without_our_prefix(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "redis://127.0.0.1:6390/0")
    found = load_settings().redis_url
    assert found is not None
    assert found.get_secret_value() == "redis://127.0.0.1:6390/0"


def test_our_own_name_of_the_server_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://elsewhere:1/0")
    monkeypatch.setenv("TP_REDIS_URL", "redis://here:2/0")
    found = load_settings().redis_url
    assert found is not None
    assert found.get_secret_value() == "redis://here:2/0"


def test_a_server_in_the_file_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('redis_url = "redis://file:3/0"\n')
    monkeypatch.setenv("TP_SETTINGS_FILE", str(file))
    found = load_settings().redis_url
    assert found is not None
    assert found.get_secret_value() == "redis://file:3/0"


def test_a_misspelt_variable_is_refused_with_the_likely_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TP_DATADIR", "elsewhere")
    with pytest.raises(SettingsError, match=r"TP_DATADIR .did you mean TP_DATA_DIR"):
        load_settings()


def test_a_named_settings_file_has_to_be_there_and_to_be_toml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TP_SETTINGS_FILE", str(tmp_path / "none.toml"))
    with pytest.raises(SettingsError, match="which is no file"):
        load_settings()
    (tmp_path / "none.toml").write_text("shard = [")
    with pytest.raises(SettingsError, match="is not TOML"):
        load_settings()
    (tmp_path / "none.toml").write_bytes(b'shard = "\xff"')
    with pytest.raises(SettingsError, match="no text in UTF-8"):
        load_settings()


def test_isolated_settings_see_neither_file_nor_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TP_SHARD", "mine")
    monkeypatch.setenv("REDIS_URL", "redis://prod:6379/0")
    monkeypatch.setenv("TP_CALCULATION__COOLDOWN_BARS", "1")
    monkeypatch.setenv("TP_KITE_API_KEY", "secret")
    settings = IsolatedSettings(data_dir=tmp_path)
    assert (settings.shard, settings.redis_url, settings.calculation) == ("k1", None, CalculationSettings())
    environment = child_environment(settings, tmp_path / "dagster")
    assert environment["TP_SHARD"] == "k1"
    assert not {"REDIS_URL", "TP_KITE_API_KEY", "TP_CALCULATION__COOLDOWN_BARS"} & set(environment)
    assert Path(environment["TP_SETTINGS_FILE"]).read_text() == ""


def test_children_share_data_and_home(tmp_path: Path) -> None:
    environment = child_environment(load_settings(data_dir=tmp_path), tmp_path / "dagster")
    assert environment["TP_DATA_DIR"] == str(tmp_path)
    assert environment["DAGSTER_HOME"] == str(tmp_path / "dagster")


def test_dagsters_folder_is_named_or_not(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    assert dagster_home() == tmp_path
    monkeypatch.setenv("DAGSTER_HOME", "")
    assert dagster_home() is None
    monkeypatch.delenv("DAGSTER_HOME")
    assert dagster_home() is None


@pytest.mark.parametrize(
    ("variable", "value", "scheme"),
    [
        ("TP_ALERT_WEBHOOK_URL", "ftp://host/hidden-token", "http://"),
        ("TP_DAGSTER_POSTGRES_URL", "postgresql://me:hidden-token@host/db", "postgresql+psycopg2://"),
    ],
)
def test_a_secret_url_that_cannot_be_used_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, scheme: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert scheme in str(refused.value)
    assert "hidden-token" not in str(refused.value)


def test_secrets_are_taken_out_of_a_text(tmp_path: Path) -> None:
    settings = IsolatedSettings(
        data_dir=tmp_path,
        kite_api_key="key-one",
        redis_url="redis://:a%40b@host:6379/0",
        alert_webhook_url="https://hooks.host/services/T0/B0/secret?x=1",
    )
    told = "key-one, a%40b, a@b, /services/T0/B0/secret?x=1, host:6379/0 stay"
    assert settings.redacted(told) == "***, ***, ***, ***, host:6379/0 stay"
