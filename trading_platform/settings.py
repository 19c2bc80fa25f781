"""All settings of the platform; the only reader of the environment and of the settings file.

One TOML file (`TP_SETTINGS_FILE`, default `trading_platform.toml` in the working folder, optional) plus `TP_*`
environment variables, which win. Secrets are `SecretStr`, so that they never show in a repr, a log or metadata.
"""

import difflib
import hashlib
import os
import re
import tomllib
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson
from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from trading_platform.errors import LoginDamaged, SettingsError
from trading_platform.kite.stored_login import LoginFile
from trading_platform.market.clock import Clock
from trading_platform.redaction import secret_parts

PREFIX = "TP_"
SETTINGS_FILE = "TP_SETTINGS_FILE"
KITE_WS_ROOT, KITE_API_ROOT = "wss://ws.kite.trade", "https://api.kite.trade"
_READ_ELSEWHERE = {SETTINGS_FILE, "TP_JIT_CACHE"}

_URL_SCHEMES = {
    "alert_webhook_url": ("http", "https"),
    # SQLAlchemy takes another driver than Dagster's for a plain postgresql://
    "dagster_postgres_url": ("postgresql+psycopg2",),
}


class CalculationSettings(BaseModel):
    """What can change a calculated value; its hash goes into every journal as a control record."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    baseline_sessions: int = Field(20, ge=2, le=250, description="sessions that a volume baseline looks back")
    baseline_min_sessions: int = Field(10, ge=1, le=250, description="sessions below which a baseline stays null")
    seed_sessions: int = Field(20, ge=1, le=250, description="sessions that indicator seeds are scanned over")
    spike_min_rvol: float = Field(2.0, gt=0, description="volume_spike: relative volume of the bar, at least")
    spike_min_value_inr: float = Field(2_500_000.0, ge=0, description="volume_spike: traded value of the bar in rupees")
    breakout_bars: int = Field(20, ge=2, le=60, description="breakout: bars whose highest high or lowest low counts")
    breakout_margin_atr: float = Field(0.1, ge=0, description="breakout: distance beyond the level in ATR")
    cross_min_rvol: float = Field(1.2, gt=0, description="vwap_cross: relative volume of the bar, at least")
    cross_min_closes: int = Field(6, ge=1, description="vwap_cross: closes on the other side before the cross")
    cooldown_bars: int = Field(6, ge=0, description="bars before a pattern may fire again on the same side")
    pattern_intervals: tuple[int, ...] = Field((5,), description="bar lengths in minutes on which patterns run")

    def canonical(self) -> bytes:
        """Return the settings as the bytes that are hashed and stored beside a journal."""
        return orjson.dumps(self.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS)

    @cached_property
    def sha256(self) -> str:
        """Return the hash of the canonical bytes."""
        return hashlib.sha256(self.canonical()).hexdigest()


class BackupKeep(BaseModel):
    """Which backups retention keeps: the newest of each of so many days and weeks that have one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    days: int = Field(14, ge=1, le=3660, description="days of which the newest backup is kept")
    weeks: int = Field(8, ge=0, le=520, description="weeks of which the newest backup is kept")


class Settings(BaseSettings):
    """Where things are and how they run."""

    model_config = SettingsConfigDict(env_prefix="TP_", env_nested_delimiter="__", frozen=True, extra="forbid")

    data_dir: Path = Field(Path("data"), description="folder of journal, lake, dumps, state files and embedded server")
    shard: str = Field("k1", pattern=r"^[a-z0-9_-]{1,16}$", description="name of the Kite key that feeds this shard")
    redis_url: SecretStr | None = Field(
        None,
        # many machines name their server without our prefix
        validation_alias=AliasChoices("tp_redis_url", "redis_url"),
        description="any Redis >= 7.0; absent: the embedded Valkey is used",
    )
    kite_api_key: SecretStr | None = Field(None, description="API key of the Kite app; absent: nothing is fetched")
    kite_api_secret: SecretStr | None = Field(None, description="API secret of the Kite app; only login uses it")
    kite_access_token: SecretStr | None = Field(
        None, description="access token of today's login; absent: the one that the command login keeps"
    )
    kite_ws_root: str = Field(KITE_WS_ROOT, pattern=r"^wss?://[^?#@\s]+$", description="where sockets connect")
    kite_api_root: str = Field(KITE_API_ROOT, pattern=r"^https?://[^?#@\s]+$", description="where REST calls go")
    state_every_seconds: float = Field(30.0, gt=0, description="real seconds between two state files of the engine")
    webserver_port: int = Field(3000, ge=1, le=65535, description="port of the Dagster UI on loopback")
    backup_dir: Path = Field(
        default_factory=lambda given: given["data_dir"] / "backups",
        description="folder of backups, each a folder with a manifest.json; best on another disk",
    )
    backup_keep: BackupKeep = BackupKeep()
    lake_keep_days: int = Field(7, ge=1, le=7, description="days for which replaced files of the lake stay readable")
    runs_keep_days: int = Field(
        30, ge=7, le=3660, description="days of Dagster's runs; a schedule may ask again for what is forgotten"
    )
    alert_webhook_url: SecretStr | None = Field(None, description="http(s) URL to which alerts are posted as JSON")
    dagster_postgres_url: SecretStr | None = Field(
        None, description="postgresql+psycopg2://USER:PASSWORD@HOST/DATABASE for Dagster's runs; absent: SQLite"
    )
    calculation: CalculationSettings = CalculationSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let arguments win over the environment and the environment over the file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, toml_file=_settings_file())

    @field_validator("alert_webhook_url", "dagster_postgres_url")
    @classmethod
    def _is_url(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        schemes = _URL_SCHEMES[info.field_name or ""]
        begins = "|".join(map(re.escape, schemes))
        # the message must not show what was given: a token may be part of it
        if value is not None and not re.fullmatch(rf"({begins})://[^\s/?#]+\S*", value.get_secret_value()):
            raise ValueError(f"is no URL that begins with {' or '.join(f'{one}://' for one in schemes)}")
        return value

    @property
    def candle_root(self) -> str | None:
        """Return where the feed asks for candles; None while its sockets are of another exchange and no root is named.

        Kite's candles do not mend the bars of a simulated day, and a simulated token is not Kite's business.
        """
        foreign = self.kite_ws_root != KITE_WS_ROOT and self.kite_api_root == KITE_API_ROOT
        return None if foreign else self.kite_api_root

    @property
    def journal_dir(self) -> Path:
        """Return the folder of the journals of all shards."""
        return self.data_dir / "journal"

    @property
    def lake_dir(self) -> Path:
        """Return the folder of the Delta tables."""
        return self.data_dir / "lake"

    @property
    def dumps_dir(self) -> Path:
        """Return the folder of each day's instrument dump."""
        return self.data_dir / "dumps"

    @property
    def state_dir(self) -> Path:
        """Return the folder of the engine's state files."""
        return self.data_dir / "state"

    @property
    def feed_dir(self) -> Path:
        """Return the folder of what each feed says of itself, and of tokens to add to its universe."""
        return self.data_dir / "feed"

    @property
    def engine_dir(self) -> Path:
        """Return the folder of what each engine says of itself."""
        return self.data_dir / "engine"

    def without_secrets(self) -> dict[str, Any]:
        """Return all values but the secret ones, as JSON takes them."""
        return self.model_dump(mode="json", exclude=set(self.secret_names()))

    def secret_names(self) -> tuple[str, ...]:
        """Return the names of the secret settings that have a value."""
        return tuple(name for name in type(self).model_fields if isinstance(getattr(self, name), SecretStr))

    def redacted(self, text: str) -> str:
        """Return a text without any secret value, or the password or path of one that is a URL."""
        for name in self.secret_names():
            for part in secret_parts(getattr(self, name).get_secret_value()):
                text = text.replace(part, "***")
        return text

    @property
    def valkey_dir(self) -> Path:
        """Return the folder of the embedded server: socket, configuration, append-only file."""
        return self.data_dir / "valkey"


class IsolatedSettings(Settings):
    """Settings that no file and no environment reaches, for what must not touch a user's data."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take arguments alone."""
        return (init_settings,)


def load_settings(**overrides: Any) -> Settings:
    """Read file, environment and login; raise SettingsError naming each value that cannot be used.

    Without a kite_access_token that of the kept login is taken while it lives.
    """
    return _logged_in(settings_without_login(**overrides))


def settings_without_login(**overrides: Any) -> Settings:
    """Read file and environment alone; raise SettingsError naming each value that cannot be used."""
    _refuse_unknown_variables()
    try:
        return Settings(**overrides)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in error.errors())
        raise SettingsError(f"settings cannot be used: {faults}. Mend the TP_* variable or the settings file") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{_settings_file()} is not TOML: {error}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{_settings_file()} is no text in UTF-8: write it again") from None
    except OSError as error:
        raise SettingsError(f"{_settings_file()} cannot be read: {error.strerror}") from None


def _logged_in(settings: Settings) -> Settings:
    if settings.kite_access_token is not None:
        return settings
    try:
        file = LoginFile.of(settings.data_dir, settings.shard)
        return settings.model_copy(update={"kite_access_token": file.living_token(settings.kite_api_key, Clock.wall())})
    except LoginDamaged as error:
        raise SettingsError(str(error)) from None


def _settings_file() -> Path:
    named = os.environ.get(SETTINGS_FILE)
    if named is not None and not Path(named).is_file():
        raise SettingsError(f"{SETTINGS_FILE} names {named}, which is no file")
    return Path(named or "trading_platform.toml")


def _refuse_unknown_variables() -> None:
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields} | _READ_ELSEWHERE
    given = [name for name in os.environ if name.startswith(PREFIX) and name.split("__")[0] not in known]
    if given:
        likely = {name: difflib.get_close_matches(name, known, 1) for name in given}
        told = ", ".join(f"{name} (did you mean {near[0]}?)" if near else name for name, near in likely.items())
        raise SettingsError(f"unknown setting {told}; the known ones are {', '.join(sorted(known))}")


def dagster_home() -> Path | None:
    """Return the folder in which Dagster keeps its runs, None when DAGSTER_HOME is not set."""
    named = os.environ.get("DAGSTER_HOME")
    return Path(named) if named else None


def is_in_environment(setting: str) -> bool:
    """Return whether a setting comes from the environment, where other programs find it too, and not from the file."""
    return f"{PREFIX}{setting.upper()}" in os.environ


def environment_with_home(home: Path) -> dict[str, str]:
    """Return our own environment for a process that works on this Dagster home."""
    return {**os.environ, "DAGSTER_HOME": str(home), "DAGSTER_DISABLE_TELEMETRY": "1"}


def child_environment(settings: Settings, dagster_home: Path) -> dict[str, str]:
    """Return the environment for processes that work on these settings' data alone: nothing of the user's reaches them.

    Writes an empty settings file into the data folder, which has to exist.
    """
    file = settings.data_dir.absolute() / "settings.toml"
    file.touch(mode=0o600)
    foreign = ("TP_", "DAGSTER_", "REDIS_URL")
    ours = {name: value for name, value in os.environ.items() if not name.startswith(foreign) or name == "TP_JIT_CACHE"}
    return {
        **ours,
        SETTINGS_FILE: str(file),
        "TP_DATA_DIR": str(settings.data_dir.absolute()),
        "TP_SHARD": settings.shard,
        "DAGSTER_HOME": str(dagster_home),
        "DAGSTER_DISABLE_TELEMETRY": "1",
        "PYTHONUNBUFFERED": "1",
    }
