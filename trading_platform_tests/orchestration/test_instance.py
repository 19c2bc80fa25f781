"""The folder of Dagster is made once, also when several start at the same time."""

import multiprocessing
from pathlib import Path

import pytest
import yaml

from trading_platform.definitions import defs
from trading_platform.errors import SettingsError
from trading_platform.orchestration.instance import _configure, main, prepare_dagster_home, wants_postgres
from trading_platform.settings import IsolatedSettings
from trading_platform.wire.lake_tables import TABLES


def test_the_configuration_is_written_and_a_changed_one_is_left_alone(tmp_path: Path) -> None:
    home = prepare_dagster_home(tmp_path)
    configuration = home / "dagster.yaml"
    parsed = yaml.safe_load(configuration.read_text())
    assert parsed["telemetry"] == {"enabled": False}
    assert parsed["nux"] == {"enabled": False}
    configuration.write_text("telemetry:\n  enabled: false\n")
    prepare_dagster_home(tmp_path)
    assert configuration.read_text() == "telemetry:\n  enabled: false\n"


def test_the_configuration_follows_the_setting_until_it_is_changed_by_hand(tmp_path: Path) -> None:
    configuration = tmp_path / "dagster.yaml"
    _configure(configuration, postgres=False)
    assert "storage" not in yaml.safe_load(configuration.read_text())
    _configure(configuration, postgres=True)
    parsed = yaml.safe_load(configuration.read_text())
    # the name of a variable, never its value
    assert parsed["storage"] == {"postgres": {"postgres_url": {"env": "TP_DAGSTER_POSTGRES_URL"}}}
    assert parsed["run_queue"]["dequeue_interval_seconds"] == 1
    _configure(configuration, postgres=False)
    assert "storage" not in yaml.safe_load(configuration.read_text())
    configuration.write_text("telemetry:\n  enabled: false\n")
    with pytest.raises(SettingsError, match="was changed by hand"):
        _configure(configuration, postgres=True)
    assert configuration.read_text() == "telemetry:\n  enabled: false\n"


def test_postgres_has_to_be_in_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = "postgresql+psycopg2://me:word@host/db"
    assert not wants_postgres(IsolatedSettings(data_dir=tmp_path))
    monkeypatch.delenv("TP_DAGSTER_POSTGRES_URL", raising=False)
    with pytest.raises(SettingsError, match="export TP_DAGSTER_POSTGRES_URL instead") as refused:
        wants_postgres(IsolatedSettings(data_dir=tmp_path, dagster_postgres_url=url))
    assert "word" not in str(refused.value)
    monkeypatch.setenv("TP_DAGSTER_POSTGRES_URL", url)
    assert wants_postgres(IsolatedSettings(data_dir=tmp_path, dagster_postgres_url=url))


def test_home_and_what_is_above_it_are_for_this_user_alone(tmp_path: Path) -> None:
    home = prepare_dagster_home(tmp_path / "a" / "data")
    assert [place.stat().st_mode & 0o777 for place in (home, home.parent, home.parent.parent)] == [0o700] * 3


def test_the_limit_of_pattern_runs_counts_a_tag_that_the_job_has(tmp_path: Path) -> None:
    parsed = yaml.safe_load((prepare_dagster_home(tmp_path) / "dagster.yaml").read_text())
    (limit,) = parsed["concurrency"]["runs"]["tag_concurrency_limits"]
    assert defs.resolve_job_def("run_patterns").tags[limit["key"]] == limit["value"]
    assert limit["limit"] == 1


def test_processes_that_start_together_do_not_break_each_other(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    starters = [context.Process(target=prepare_dagster_home, args=(tmp_path,)) for _ in range(2)]
    for starter in starters:
        starter.start()
    for starter in starters:
        starter.join()
    assert [starter.exitcode for starter in starters] == [0, 0]


def test_the_module_prepares_home_and_lake(tmp_path: Path) -> None:
    main([str(tmp_path)])
    assert (tmp_path / "dagster" / "dagster.yaml").is_file()
    assert {folder.name for folder in (tmp_path / "lake").iterdir() if (folder / "_delta_log").is_dir()} == set(TABLES)
