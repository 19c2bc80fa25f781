from datetime import date
from pathlib import Path

import pytest

from trading_platform.batch import dump_days
from trading_platform.batch.dump_days import DumpDays
from trading_platform.batch.instrument_dump import dump_csv
from trading_platform.errors import BadFileError, MissingInput
from trading_platform.market.synthetic_tokens import assign_tokens

DAYS = [date(2025, 12, day) for day in (1, 2, 3)]


def write(folder: Path, day: date, *names: str) -> Path:
    path = folder / f"instruments_{day:%Y%m%d}.csv"
    path.write_bytes(dump_csv(assign_tokens([(name, False) for name in names])))
    return path


def symbols(days: DumpDays, day: date) -> set[str]:
    return {one.tradingsymbol for one in days(day).instruments}


def test_each_day_has_its_own_instruments(tmp_path: Path) -> None:
    for place, day in enumerate(DAYS):
        write(tmp_path, day, f"NAME{place}")
    days = DumpDays(tmp_path)
    assert [symbols(days, day) for day in DAYS] == [{"NAME0"}, {"NAME1"}, {"NAME2"}]
    assert days(DAYS[0]).session == DAYS[0]


def test_the_days_used_last_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for day in DAYS:
        write(tmp_path, day, "NAME")
    read: list[str] = []
    real = dump_days.read_dump
    monkeypatch.setattr(dump_days, "read_dump", lambda path: [read.append(path.name), real(path)][1])
    days = DumpDays(tmp_path)
    for day in (DAYS[0], DAYS[1], DAYS[0], DAYS[2], DAYS[0], DAYS[1]):
        days(day)
    assert [name[-6:-4] for name in read] == ["01", "02", "03", "02"]


def test_a_missing_or_broken_dump_is_named_each_time_and_tried_once(tmp_path: Path) -> None:
    days = DumpDays(tmp_path)
    with pytest.raises(MissingInput, match=r"no dump of 2025-12-01 at .*instruments_20251201\.csv"):
        days(DAYS[0])
    write(tmp_path, DAYS[0], "LATE")
    with pytest.raises(MissingInput):
        days(DAYS[0])
    (tmp_path / "instruments_20251202.csv").write_text("nothing of the kind\n")
    for _ in range(2):
        with pytest.raises(BadFileError, match="instruments_20251202"):
            days(DAYS[1])
