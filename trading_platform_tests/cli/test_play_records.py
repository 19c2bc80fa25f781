from datetime import date
from pathlib import Path

import pytest

from trading_platform.batch.instrument_dump import day_of, read_dump
from trading_platform.cli.play_records import refuse_existing, write_dump
from trading_platform.errors import BadFileError, JournalExists
from trading_platform.market.instruments import InstrumentDay
from trading_platform.market.synthetic_tokens import assign_tokens
from trading_platform.settings import Settings
from trading_platform.storage.journal import JournalWriter

SESSION = date(2016, 8, 16)


def day(*symbols: str) -> InstrumentDay:
    return InstrumentDay(SESSION, tuple(assign_tokens([(symbol, False) for symbol in symbols])))


def test_a_dump_is_written_once_and_found_equal_again(tmp_path: Path) -> None:
    path = write_dump(tmp_path / "dumps", day("A", "B"))
    assert path.name == "instruments_20160816.csv"
    assert day_of(SESSION, read_dump(path).rows) == day("A", "B")
    written = path.read_bytes()
    assert write_dump(tmp_path / "dumps", day("A", "B")) == path
    with pytest.raises(BadFileError, match="other instruments"):
        write_dump(tmp_path / "dumps", day("A"))
    assert path.read_bytes() == written
    assert list(path.parent.iterdir()) == [path]


def test_dumps_are_for_this_user_alone(tmp_path: Path) -> None:
    path = write_dump(tmp_path / "data" / "dumps", day("A"))
    modes = [place.stat().st_mode & 0o777 for place in (path, path.parent, path.parent.parent)]
    assert modes == [0o600, 0o700, 0o700]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadFileError, match="cannot be written"):
        write_dump(tmp_path / "file" / "dumps", day("A"))


def test_only_sessions_without_a_journal_may_be_played(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    refuse_existing(settings, "k1", [SESSION])
    JournalWriter.open(settings.journal_dir, "k1", SESSION).close()
    refuse_existing(settings, "k2", [SESSION])
    refuse_existing(settings, "k1", [date(2016, 8, 17)])
    with pytest.raises(JournalExists, match=r"2016-08-16.*20160816\).*another TP_DATA_DIR"):
        refuse_existing(settings, "k1", [date(2016, 8, 17), SESSION])
