from datetime import date
from pathlib import Path

import pytest

from trading_platform.cli.journal_folder import JournalPlace, journal_place
from trading_platform.errors import BadFileError


def test_a_folder_is_taken_apart(tmp_path: Path) -> None:
    folder = tmp_path / "journal" / "k1" / "20160817"
    folder.mkdir(parents=True)
    assert journal_place(folder) == JournalPlace((tmp_path / "journal").resolve(), "k1", date(2016, 8, 17))


@pytest.mark.parametrize("name", ["20161399", "yesterday", "2016-08-17"])
def test_another_name_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(BadFileError, match="SHARD/YYYYMMDD"):
        journal_place(tmp_path / name)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadFileError, match="SHARD/YYYYMMDD"):
        journal_place(tmp_path / "20160817")
