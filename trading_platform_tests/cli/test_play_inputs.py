from datetime import date
from pathlib import Path

import pytest

from trading_platform.batch.bar_files import read_bars
from trading_platform.cli.play_inputs import (
    DEFAULT_SESSION,
    read_input,
    sessions_of_files,
    synthetic_dates,
    synthetic_sessions,
    warn_of_fno_hours,
)
from trading_platform.errors import BadFileError, NoSessionError
from trading_platform.market.sessions import SessionClass, load_session_table

TABLE = load_session_table()
HEADER = "symbol,ts,open,high,low,close,volume\n"


def write(folder: Path, *rows: tuple[str, str, int, int]) -> Path:
    file = folder / "bars.csv"
    file.write_text(HEADER + "".join(f"{s},{day} 09:15:00,{p},{p},{p},{p},{v}\n" for s, day, p, v in rows))
    return file


def test_files_are_split_by_date_with_the_closes_of_the_session_before(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        ("A", "2016-08-19", 12, 5),
        ("A", "2016-08-16", 10, 5),
        ("A", "2016-08-17", 11, 5),
        ("B", "2016-08-17", 20, 5),
        ("NIFTY 50", "2016-08-17", 500, 0),
    )
    made = list(sessions_of_files(read_bars(file), TABLE))
    assert [one.session for one in made] == [date(2016, 8, 16), date(2016, 8, 17), date(2016, 8, 19)]
    # the 18th was a session without bars here, so its closes are not known on the 19th
    assert [one.previous_closes for one in made] == [{}, {"A": 10.0}, {}]
    assert [[one.tradingsymbol for one in each.instruments] for each in made] == [["A"], ["A", "B", "NIFTY 50"], ["A"]]
    assert len({each.instruments[0].token for each in made}) == 1
    assert [one.is_index for one in made[1].instruments] == [False, False, True]


def test_nothing_playable_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadFileError, match="1 rows are broken"):
        read_input(write(tmp_path, ("A", "2016-08-16", 10, -5)), [], TABLE)


def test_synthetic_dates_are_sessions_up_to_the_last() -> None:
    assert synthetic_dates(date(2026, 3, 2), 3, TABLE) == [date(2026, 2, 26), date(2026, 2, 27), date(2026, 3, 2)]
    assert synthetic_dates(DEFAULT_SESSION, 1, TABLE) == [DEFAULT_SESSION]
    assert TABLE.is_session(SessionClass.NSE_DERIVATIVES, DEFAULT_SESSION)
    with pytest.raises(NoSessionError):
        synthetic_dates(date(2026, 3, 1), 2, TABLE)


def test_synthetic_sessions_come_in_order() -> None:
    made = list(synthetic_sessions([date(2024, 10, 31), date(2024, 11, 1)], 1, 2, table=TABLE))
    assert [one.session for one in made] == [date(2024, 10, 31), date(2024, 11, 1)]
    assert [len(one.instruments) for one in made] == [47, 47]


def test_sessions_with_other_hours_for_fno_names_are_warned_of() -> None:
    said: list[str] = []
    warn_of_fno_hours([date(2016, 8, 16), date(2026, 7, 31)], TABLE, said.append)
    assert said == []
    warn_of_fno_hours([date(2026, 7, 31), date(2026, 8, 3), date(2026, 8, 4)], TABLE, said.append)
    assert len(said) == 1
    assert "2 sessions (2026-08-03 to 2026-08-04)" in said[0]
