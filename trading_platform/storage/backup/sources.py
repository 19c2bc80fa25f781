"""What is backed up, as the settings place it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import redis


class Connector(Protocol):
    """Where a connection comes from, and what its server is called."""

    @property
    def address(self) -> str:
        """Return where the server is, without a password."""

    def connect(self) -> redis.Redis:
        """Return a client; raise StoreUnavailable."""


class Places(Protocol):
    """Where the platform keeps what it keeps; the settings are one."""

    @property
    def data_dir(self) -> Path:
        """Return the folder of everything."""

    @property
    def journal_dir(self) -> Path:
        """Return the folder of the journals."""

    @property
    def lake_dir(self) -> Path:
        """Return the folder of the Delta tables."""

    @property
    def dumps_dir(self) -> Path:
        """Return the folder of each day's instrument dump."""

    def without_secrets(self) -> dict[str, Any]:
        """Return all values but the secret ones."""

    def secret_names(self) -> tuple[str, ...]:
        """Return the names of the secret values."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What is backed up; `redis` is None when it is left out on purpose."""

    journals: Path
    lake: Path
    plain: Mapping[str, Path]
    """Folders of files that are copied as they are, by their name in a data folder."""
    dagster_home: Path
    redis: Connector | None
    settings: Mapping[str, Any]
    secrets: tuple[str, ...]
    """Names of settings that are secret: they are named, their values are nowhere."""


def sources_of(places: Places, connector: Connector | None, dagster_home: Path | None) -> Sources:
    """Return everything that the settings place; without a DAGSTER_HOME that of the data folder is meant."""
    return Sources(
        journals=places.journal_dir,
        lake=places.lake_dir,
        plain={"dumps": places.dumps_dir, "migration": places.data_dir / "migration"},
        dagster_home=dagster_home or places.data_dir / "dagster",
        redis=connector,
        settings=places.without_secrets(),
        secrets=places.secret_names(),
    )
