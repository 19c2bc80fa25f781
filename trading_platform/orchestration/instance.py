"""The folder in which Dagster keeps its runs: configuration written, storage made once before anything starts."""

import fcntl
import sys
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from dagster import DagsterInstance

from trading_platform.errors import SettingsError
from trading_platform.settings import Settings, is_in_environment, load_settings
from trading_platform.storage.lake import Lake
from trading_platform.streaming.private_folder import make_private_folder

CONFIGURATION = "dagster.yaml"
POSTGRES_PART = "dagster_postgres.yaml"
POSTGRES_SETTING = "dagster_postgres_url"
_POSTGRES_VARIABLE = "TP_DAGSTER_POSTGRES_URL"


def prepare_dagster_home(data_dir: Path, *, postgres: bool = False) -> Path:
    """Write dagster.yaml below `data_dir` and make its storage; return the folder, for DAGSTER_HOME.

    Several processes may call this at once: the first makes the storage, since two that migrate an empty SQLite file
    at the same time break each other. A configuration that a user changed is left alone, one of ours follows the
    setting. With `postgres` each process reads the URL from the environment: the file never holds it.
    """
    home = (data_dir / "dagster").absolute()
    make_private_folder(home)
    with (home / ".prepare.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _configure(home / CONFIGURATION, postgres=postgres)
        with DagsterInstance.from_config(str(home)) as instance:
            instance.upgrade()
            # a first query opens what upgrade leaves for later
            instance.get_runs_count()
            instance.all_asset_keys()
            instance.all_instigator_state()
    return home


def _configure(configuration: Path, *, postgres: bool) -> None:
    ours = {True: _template(CONFIGURATION) + _template(POSTGRES_PART), False: _template(CONFIGURATION)}
    held = configuration.read_text(encoding="utf-8") if configuration.exists() else None
    if held is None or held in ours.values():
        if held != ours[postgres]:
            unfinished = configuration.with_suffix(".unfinished")
            unfinished.write_text(ours[postgres], encoding="utf-8")
            unfinished.replace(configuration)
    elif postgres and _POSTGRES_VARIABLE not in held:
        raise SettingsError(
            f"{_POSTGRES_VARIABLE} is set, but {configuration} was changed by hand and does not use it: add\n"
            f"{_template(POSTGRES_PART)}or move the file away, and it is written anew"
        )


def _template(name: str) -> str:
    return files("trading_platform").joinpath("orchestration", name).read_text(encoding="utf-8")


def wants_postgres(settings: Settings) -> bool:
    """Return whether Dagster's storage is to be in Postgres; raise SettingsError where that cannot work."""
    if settings.dagster_postgres_url is None:
        return False
    if not is_in_environment(POSTGRES_SETTING):
        raise SettingsError(
            f"{POSTGRES_SETTING} stands in the settings file, where Dagster's own programs do not find it: "
            f"export {_POSTGRES_VARIABLE} instead"
        )
    if find_spec("dagster_postgres") is None:
        raise SettingsError(f"{_POSTGRES_VARIABLE} needs one more package: pip install 'trading-platform[postgres]'")
    return True


def main(arguments: list[str]) -> None:
    """Prepare home and lake of the data folder that is named, for processes that do not import Dagster.

    All tables are made here: two writers that make one at the same time would stand in each other's way.
    """
    settings = load_settings(data_dir=Path(arguments[0]))
    prepare_dagster_home(settings.data_dir, postgres=wants_postgres(settings))
    Lake(settings.lake_dir).create_tables()


if __name__ == "__main__":
    main(sys.argv[1:])
