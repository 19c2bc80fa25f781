from collections.abc import Mapping
from datetime import date, time

import pytest

from trading_platform.errors import BadFileError
from trading_platform.market.session_kinds import DayPart, HolidayList, PhaseKind, SessionClass, VolumeClass
from trading_platform.market.session_table import Hours, Span, parse_session_tables

TABLES: Mapping[str, str] = {
    "coverage.csv": "classes,first,last,source\nMCX,2026-01-01,2026-12-31,x\n",
    "holidays.csv": "date,lists,closed,name,source\n2026-01-01,MCX,evening,New Year Day,x\n",
    "hours.csv": (
        "classes,effective_from,volume_class,phase,part,start,end,source\n"
        "MCX,2026-01-01,NON_CAS,CONTINUOUS,morning,09:00,17:00,x\n"
        "MCX,2026-01-01,NON_CAS,CONTINUOUS,evening,17:00,23:30,x\n"
    ),
    "special_sessions.csv": (
        "date,classes,volume_class,phase,start,end,name,source\n"
        "2026-02-01,MCX,SPECIAL,CONTINUOUS,09:00,17:00,budget,x\n"
        "2026-11-08,MCX,SPECIAL,,,,muhurat,x\n"
    ),
    "steps.csv": "classes,effective_from,phase,step,after,until,may_end_after,source\n",
}


def with_line(name: str, line: str) -> dict[str, str]:
    return {**TABLES, name: TABLES[name] + line + "\n"}


def test_rows_are_read_as_values() -> None:
    rows = parse_session_tables(TABLES)
    assert rows.coverage == {SessionClass.MCX: (Span(date(2026, 1, 1), date(2026, 12, 31)),)}
    assert rows.holidays[HolidayList.MCX, date(2026, 1, 1)].closed is DayPart.EVENING
    assert rows.schedules[SessionClass.MCX][0].hours[1] == Hours(
        PhaseKind.CONTINUOUS, DayPart.EVENING, time(17), time(23, 30)
    )
    assert rows.specials[SessionClass.MCX, date(2026, 2, 1)].volume_class is VolumeClass.SPECIAL
    assert rows.specials[SessionClass.MCX, date(2026, 11, 8)].hours == ()


REFUSED = [
    ("holidays.csv", "2026-13-01,MCX,all,x,x", r"holidays.csv line 3: date '2026-13-01' is not a date"),
    ("holidays.csv", "2026-05-01,MCY,all,x,x", r"lists 'MCY' is none of NSE, BSE"),
    ("holidays.csv", "2026-05-01,,all,x,x", r"lists is empty"),
    ("holidays.csv", "2026-05-01,MCX,all,x,", r"names no source"),
    ("holidays.csv", "2026-05-01,MCX,all,x", r"has not 5 cells"),
    ("holidays.csv", "2026-01-01,MCX,all,x,x", r"MCX has this date twice"),
    ("holidays.csv", "2026-01-01,NSE,evening,x,x", r"NSE has no evening to close"),
    ("hours.csv", "MCX,2026-03-09,NON_CAS,CONTINUOUS,morning,9 am,17:00,x", r"start '9 am' is not a time"),
    ("hours.csv", "MCX,2026-03-09,NON_CAS,CONTINUOUS,morning,17:00,09:00,x", r"start 17:00:00 is not before"),
    ("hours.csv", "MCX,2026-01-01,NON_CAS,POST_CLOSE,evening,23:00,23:55,x", r"may not overlap"),
    ("hours.csv", "MCX,2026-01-01,SHORT,POST_CLOSE,evening,23:30,23:55,x", r"two volume classes"),
    ("hours.csv", "MCX,2026-03-09,NON_CAS,POST_CLOSE,evening,23:30,23:55,x", r"MCX never trades from 2026-03-09 on"),
    ("special_sessions.csv", "2026-02-01,MCX,SPECIAL,CONTINUOUS,16:00,18:00,budget,x", r"may not overlap"),
    ("special_sessions.csv", "2026-02-01,MCX,SPECIAL,CONTINUOUS,18:00,19:00,other,x", r"two names"),
    ("special_sessions.csv", "2026-02-08,MCX,SPECIAL,PRE_OPEN,18:00,19:00,x,x", r"never trades on 2026-02-08"),
    ("coverage.csv", "MCX,2026-06-01,2027-12-31,x", r"must be in order and apart"),
    ("coverage.csv", "NSE_CASH,2026-06-01,2027-12-31,x", r"NSE_CASH is covered from 2026-06-01 but has no hours"),
    ("steps.csv", "MCX,2026-01-01,PRE_OPEN,MATCHING,8,x,,x", r"until 'x' is not a whole number"),
    ("steps.csv", "MCX,2026-01-01,PRE_OPEN,MATCHING,8,8,,x", r"must be in order"),
]


@pytest.mark.parametrize(("name", "line", "message"), REFUSED, ids=[f"{name}: {text}" for name, _, text in REFUSED])
def test_a_line_that_cannot_be_used_is_refused_by_name(name: str, line: str, message: str) -> None:
    with pytest.raises(BadFileError, match=message):
        parse_session_tables(with_line(name, line))


def test_a_missing_file_is_refused_by_name() -> None:
    with pytest.raises(BadFileError, match=r"steps.csv missing"):
        parse_session_tables({name: text for name, text in TABLES.items() if name != "steps.csv"})


def test_other_columns_are_refused() -> None:
    with pytest.raises(BadFileError, match=r"coverage.csv: columns must be classes, first, last, source"):
        parse_session_tables({**TABLES, "coverage.csv": "classes,from,to\n"})
