"""The folder in which Dagster keeps its runs: configuration written, storage made once before anything starts."""

import fcntl
import sys
from importlib.resources import files
from pathlib import Path

from dagster import DagsterInstance

from trading_platform.settings import load_settings
from trading_platform.storage.lake import Lake
from trading_platform.streaming.checkpoint import make_private_folder

CONFIGURATION = "dagster.yaml"


def prepare_dagster_home(data_dir: Path) -> Path:
    """Write dagster.yaml below `data_dir` and make its storage; return the folder, for DAGSTER_HOME.

    Several processes may call this at once: the first makes the storage, since two that migrate an empty SQLite file
    at the same time break each other. A configuration that a user changed is left alone.
    """
    home = (data_dir / "dagster").absolute()
    make_private_folder(home)
    with (home / ".prepare.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        configuration = home / CONFIGURATION
        if not configuration.exists():
            template = files("trading_platform").joinpath("orchestration", CONFIGURATION).read_text(encoding="utf-8")
            unfinished = configuration.with_suffix(".unfinished")
            unfinished.write_text(template, encoding="utf-8")
            unfinished.replace(configuration)
        with DagsterInstance.from_config(str(home)) as instance:
            instance.upgrade()
            # a first query opens what upgrade leaves for later
            instance.get_runs_count()
            instance.all_asset_keys()
            instance.all_instigator_state()
    return home


def main(arguments: list[str]) -> None:
    """Prepare home and lake of the data folder that is named, for processes that do not import Dagster.

    All tables are made here: two writers that make one at the same time would stand in each other's way.
    """
    settings = load_settings(data_dir=Path(arguments[0]))
    prepare_dagster_home(settings.data_dir)
    Lake(settings.lake_dir).create_tables()


if __name__ == "__main__":
    main(sys.argv[1:])
