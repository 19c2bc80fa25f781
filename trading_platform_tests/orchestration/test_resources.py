"""Resources are made from the settings; what needs the outside is asked for late and refused by name."""

from datetime import date
from pathlib import Path

import pytest

from trading_platform.errors import JournalError
from trading_platform.orchestration.resources import JournalsResource, KiteResource, LakeResource, platform_resources
from trading_platform.settings import Settings

SESSION = date(2026, 7, 30)


def test_resources_follow_the_settings(tmp_path: Path) -> None:
    made = platform_resources(Settings(data_dir=tmp_path, shard="k9"))
    assert set(made) == {"lake", "redis_manager", "kite", "journals", "calculation"}
    lake, journals = made["lake"], made["journals"]
    assert isinstance(lake, LakeResource)
    assert isinstance(journals, JournalsResource)
    assert (lake.root, journals.shard) == (str(tmp_path / "lake"), "k9")
    assert lake.open().sessions("patterns") == []


def test_journals_of_a_shard(tmp_path: Path) -> None:
    (tmp_path / "k1" / "20260730").mkdir(parents=True)
    (tmp_path / "k2" / "20260731").mkdir(parents=True)
    assert JournalsResource(root=str(tmp_path), shard="k1").sessions() == [SESSION]


def test_a_replay_that_fails_says_what_the_process_said(tmp_path: Path) -> None:
    journals = JournalsResource(root=str(tmp_path), shard="k1")
    with pytest.raises(JournalError, match="is not the folder of a session's journal"):
        journals.replay_in_fresh_process(SESSION, tmp_path)


def test_dumps_are_found_in_their_folder(tmp_path: Path) -> None:
    kite = platform_resources(Settings(data_dir=tmp_path))["kite"]
    assert isinstance(kite, KiteResource)
    assert kite.dump_sessions() == []
    (tmp_path / "dumps").mkdir()
    for name in ("instruments_20260730.csv", "instruments_20260729.csv.gz", "instruments_20261399.csv", "other.csv"):
        (tmp_path / "dumps" / name).touch()
    assert kite.dump_sessions() == [date(2026, 7, 29), SESSION]
