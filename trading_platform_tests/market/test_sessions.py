import csv
import json
from collections.abc import Iterable
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import exchange_calendars
import pandas_market_calendars
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_platform.errors import BadFileError, NoSessionError, UnknownSessionDate
from trading_platform.market.sessions import (
    PhaseKind,
    Session,
    SessionClass,
    StepKind,
    VolumeClass,
    load_session_table,
    session_table_from,
)

TABLE = load_session_table()
FIRST, LAST = date(2016, 1, 1), date(2026, 12, 31)
ANSWERS = Path(__file__).parents[1] / "answers"
SHARED = Path(__file__).parents[3] / "shared" / "data"
MUHURAT_2026 = date(2026, 11, 8)
OUTAGE_2017 = date(2017, 7, 10)

classes = st.sampled_from(list(SessionClass))
covered = st.sampled_from(sorted(TABLE.rows.coverage.items())).flatmap(
    lambda entry: st.sampled_from(entry[1]).flatmap(
        lambda span: st.tuples(st.just(entry[0]), st.dates(span.first, span.last))
    )
)


def answers(name: str) -> list[dict[str, str]]:
    lines = (ANSWERS / name).read_text().splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


def clocks(session: Session, kind: PhaseKind) -> list[str]:
    return [f"{phase.start:%H:%M}-{phase.end:%H:%M}" for phase in session.phases if phase.kind is kind]


HOURS = answers("session_hours.csv")


@pytest.mark.parametrize("row", HOURS, ids=[f"{row['session_class']} {row['date']}" for row in HOURS])
def test_hours_are_those_that_other_sources_tell(row: dict[str, str]) -> None:
    session = TABLE.session(SessionClass(row["session_class"]), date.fromisoformat(row["date"]))
    assert (f"{session.opens:%H:%M}", f"{session.closes:%H:%M}") == (row["opens"], row["closes"])


# Packages against our table: the set of differences must be the written one, so that a new difference is seen.


def open_days_of(package: str) -> set[date]:
    if package == "XBOM":
        days: Iterable[object] = exchange_calendars.get_calendar("XBOM", start=FIRST, end=LAST).sessions
    else:
        days = pandas_market_calendars.get_calendar(package).valid_days(FIRST, LAST)
    return {date.fromisoformat(str(day)[:10]) for day in days}


@pytest.mark.parametrize(
    ("package", "session_class"),
    [("XBOM", SessionClass.BSE_CASH), ("NSE", SessionClass.NSE_CASH), ("BSE", SessionClass.BSE_CASH)],
)
def test_differences_from_a_calendar_package_are_the_known_ones(package: str, session_class: SessionClass) -> None:
    ours, theirs = set(TABLE.sessions(session_class, FIRST, LAST)), open_days_of(package)
    found = {(day, "open") for day in ours - theirs} | {(day, "closed") for day in theirs - ours}
    rows = [row for row in answers("session_calendar_differences.csv") if row["package"] == package]
    assert found == {(date.fromisoformat(row["date"]), row["ours"]) for row in rows}
    assert all(row["reason"] and row["session_class"] == session_class for row in rows)


def test_hours_equal_those_of_the_package_on_every_day_it_knows() -> None:
    schedule = pandas_market_calendars.get_calendar("NSE").schedule(FIRST, LAST, tz="Asia/Kolkata")
    theirs = {row.market_open.date(): (row.market_open, row.market_close) for row in schedule.itertuples()}
    sessions = [TABLE.session(SessionClass.NSE_CASH, day) for day in theirs]
    assert {s.date: (s.opens, s.closes) for s in sessions} == theirs


def recorded_days() -> dict[str, tuple[SessionClass, set[date]]]:
    rows = answers("session_trade_dates.csv")
    days = {
        f"bhavcopy {month}": (
            SessionClass.NSE_DERIVATIVES,
            {date.fromisoformat(row["date"]) for row in rows if row["month"] == month},
        )
        for month in ("2025-01", "2026-02")
    }
    # The recordings stay outside the project; where they lie beside it they are asked too
    for name in ("kite-daily-nifty50/daily.parquet", "nse-30min-2016/nse_30min_2016.parquet"):
        if (SHARED / name).exists():
            stamps = pl.read_parquet(SHARED / name, columns=["ts"])["ts"]
            days[name] = (SessionClass.NSE_CASH_FNO, set(stamps.dt.date().to_list()))
    return days


@pytest.mark.parametrize(("session_class", "days"), recorded_days().values(), ids=recorded_days().keys())
def test_sessions_are_the_days_on_which_data_was_recorded(session_class: SessionClass, days: set[date]) -> None:
    assert set(TABLE.sessions(session_class, min(days), max(days))) == days


# What is not known is refused


def test_an_unknown_year_is_refused_by_name() -> None:
    with pytest.raises(UnknownSessionDate, match=r"NSE_CASH on 2027-01-04 .*2016-01-01 to 2026-12-31.*holidays.csv"):
        TABLE.is_session(SessionClass.NSE_CASH, date(2027, 1, 4))


def test_a_year_without_a_source_between_two_that_have_one_is_refused() -> None:
    assert TABLE.covered(SessionClass.NSE_CURRENCY) == (date(2023, 1, 1), LAST)
    with pytest.raises(UnknownSessionDate, match=r"NSE_CURRENCY on 2025-06-02"):
        TABLE.session(SessionClass.NSE_CURRENCY, date(2025, 6, 2))
    with pytest.raises(UnknownSessionDate, match=r"NSE_CURRENCY on 2025-12-31"):
        TABLE.previous_session(SessionClass.NSE_CURRENCY, date(2026, 1, 1))


@pytest.mark.parametrize(
    ("session_class", "on"), [(SessionClass.NSE_CASH, MUHURAT_2026), (SessionClass.NSE_DERIVATIVES, OUTAGE_2017)]
)
def test_an_open_day_whose_hours_no_source_tells_counts_but_has_no_hours(session_class: SessionClass, on: date) -> None:
    assert TABLE.is_session(session_class, on)
    assert TABLE.session_type(session_class, on) in {VolumeClass.SPECIAL, VolumeClass.SHORT}
    with pytest.raises(UnknownSessionDate, match=rf"{session_class} was open on {on}.*special_sessions.csv"):
        TABLE.session(session_class, on)


@pytest.mark.parametrize(
    ("session_class", "on", "why"),
    [
        (SessionClass.NSE_CASH, date(2024, 1, 26), "holiday: Republic Day"),
        (SessionClass.BSE_CASH, date(2023, 6, 29), "holiday: Bakri Id"),
        (SessionClass.NSE_DERIVATIVES, date(2024, 11, 20), "holiday: Maharashtra assembly elections"),
        (SessionClass.NSE_CASH, date(2024, 1, 27), "weekend: Saturday"),
        (SessionClass.NSE_CURRENCY, date(2026, 4, 1), "holiday: Annual bank closing"),
        (SessionClass.MCX, date(2026, 4, 3), "holiday: Good Friday"),
        (SessionClass.MCX, date(2020, 4, 6), "holiday: Mahavir Jayanti"),
    ],
)
def test_a_closed_day_is_refused_with_the_reason(session_class: SessionClass, on: date, why: str) -> None:
    assert not TABLE.is_session(session_class, on)
    with pytest.raises(NoSessionError, match=f"{session_class} has no session on {on}: {why}"):
        TABLE.session(session_class, on)
    with pytest.raises(NoSessionError, match=why):
        TABLE.session_type(session_class, on)


# Rules of the exchanges, with their dates


def test_the_closing_auction_begins_on_3_august_2026_and_changes_on_7_december() -> None:
    phases = {
        day: clocks(TABLE.session(SessionClass.NSE_CASH_FNO, day), PhaseKind.CLOSING_AUCTION)
        for day in (date(2026, 7, 31), date(2026, 8, 3), date(2026, 12, 4), date(2026, 12, 7))
    }
    assert list(phases.values()) == [[], ["15:15-15:35"], ["15:15-15:35"], ["15:30-15:40"]]
    assert not clocks(TABLE.session(SessionClass.NSE_CASH, date(2026, 8, 3)), PhaseKind.CLOSING_AUCTION)


def test_the_closing_auction_has_its_four_steps() -> None:
    auction = TABLE.session(SessionClass.NSE_CASH_FNO, date(2026, 8, 3)).phases[2]
    assert [(step.kind, f"{step.start:%H:%M}-{step.end:%H:%M}") for step in auction.steps] == [
        (StepKind.REFERENCE_PRICE, "15:15-15:20"),
        (StepKind.ORDER_ENTRY, "15:20-15:25"),
        (StepKind.LIMIT_ENTRY, "15:25-15:30"),
        (StepKind.MATCHING, "15:30-15:35"),
    ]
    assert f"{auction.steps[2].may_end_from:%H:%M}" == "15:28"


@pytest.mark.parametrize(
    ("on", "steps"),
    [
        (date(2026, 9, 4), ["09:00-09:08", "09:08-09:12", "09:12-09:15"]),
        (date(2026, 9, 7), ["09:00-09:05", "09:05-09:10", "09:10-09:12", "09:12-09:15"]),
    ],
)
def test_pre_open_steps_change_on_7_september_2026(on: date, steps: list[str]) -> None:
    pre_open = TABLE.session(SessionClass.NSE_CASH, on).phases[0]
    assert [f"{step.start:%H:%M}-{step.end:%H:%M}" for step in pre_open.steps] == steps


def test_futures_have_a_pre_open_from_8_december_2025() -> None:
    for session_class in (SessionClass.NSE_DERIVATIVES, SessionClass.BSE_DERIVATIVES):
        assert not clocks(TABLE.session(session_class, date(2025, 12, 5)), PhaseKind.PRE_OPEN)
        assert clocks(TABLE.session(session_class, date(2025, 12, 8)), PhaseKind.PRE_OPEN) == ["09:00-09:15"]


def test_an_outage_leaves_a_hole_in_continuous_trading() -> None:
    session = TABLE.session(SessionClass.NSE_CASH, date(2021, 2, 24))
    assert clocks(session, PhaseKind.CONTINUOUS) == ["09:15-11:40", "15:45-17:00"]
    assert clocks(session, PhaseKind.PRE_OPEN) == ["09:00-09:15", "15:30-15:45"]
    assert session.special == "outage: NSE telecom links"


def test_a_commodity_holiday_closes_the_morning_or_the_evening() -> None:
    holi = TABLE.session(SessionClass.MCX, date(2026, 3, 3))
    assert (clocks(holi, PhaseKind.CONTINUOUS), holi.special) == (["17:00-23:55"], "morning closed: Holi")
    new_year = TABLE.session(SessionClass.MCX, date(2026, 1, 1))
    assert clocks(new_year, PhaseKind.CONTINUOUS) == ["09:00-17:00"]


@pytest.mark.parametrize(
    ("session_class", "on", "volume_class"),
    [
        (SessionClass.NSE_CASH_FNO, date(2026, 7, 31), VolumeClass.REGULAR_PRE_CAS),
        (SessionClass.NSE_CASH_FNO, date(2026, 8, 3), VolumeClass.REGULAR_CAS),
        (SessionClass.NSE_CASH_FNO, date(2026, 12, 7), VolumeClass.REGULAR_CAS_REVISED),
        (SessionClass.NSE_DERIVATIVES, date(2026, 8, 3), VolumeClass.REGULAR_CAS),
        (SessionClass.NSE_CASH, date(2026, 8, 3), VolumeClass.NON_CAS),
        (SessionClass.NSE_CASH, date(2025, 10, 21), VolumeClass.SPECIAL),
        (SessionClass.NSE_CASH, date(2025, 2, 1), VolumeClass.SPECIAL),
        (SessionClass.NSE_CASH, date(2020, 3, 23), VolumeClass.SHORT),
        (SessionClass.MCX, date(2026, 3, 3), VolumeClass.SHORT),
        (SessionClass.MCX, date(2026, 3, 4), VolumeClass.NON_CAS),
    ],
)
def test_days_of_different_shape_have_different_volume_classes(
    session_class: SessionClass, on: date, volume_class: VolumeClass
) -> None:
    assert TABLE.session_type(session_class, on) is volume_class


def test_any_session_dates_are_those_on_which_some_exchange_trades() -> None:
    week = TABLE.any_session_dates(date(2026, 3, 1), date(2026, 3, 8))
    assert week == [date(2026, 3, day) for day in (2, 3, 4, 5, 6)]
    assert not TABLE.is_session(SessionClass.NSE_CASH, date(2026, 3, 3))
    with pytest.raises(UnknownSessionDate, match=r"2015-12-31"):
        TABLE.any_session_dates(date(2015, 12, 31), date(2016, 1, 4))


def test_the_version_names_the_content() -> None:
    again = session_table_from(TABLE.content)
    assert (again.version, again.rows) == (TABLE.version, TABLE.rows)
    tables = json.loads(TABLE.content)
    tables["holidays.csv"] += "2026-12-31,NSE,all,A new holiday,a circular\n"
    edited = session_table_from(json.dumps(tables).encode())
    assert edited.version != TABLE.version
    assert not edited.is_session(SessionClass.NSE_CASH, date(2026, 12, 31))
    with pytest.raises(BadFileError, match="not JSON"):
        session_table_from(b"\x00")
    with pytest.raises(BadFileError, match="holds no files"):
        session_table_from(b"[]")


# Properties


@given(covered)
def test_phases_and_steps_are_in_order_and_apart(entry: tuple[SessionClass, date]) -> None:
    session_class, on = entry
    if not TABLE.is_session(session_class, on) or on in {MUHURAT_2026, OUTAGE_2017}:
        return
    session = TABLE.session(session_class, on)
    assert session.opens < session.closes
    assert all(before.end <= after.start for before, after in pairwise(session.phases))
    for phase in session.phases:
        assert phase.start.date() == on == phase.end.date()
        assert phase.start < phase.end
        assert str(phase.start.tzinfo) == "Asia/Kolkata"
        assert all(before.end == after.start for before, after in pairwise(phase.steps))
        assert all(phase.start <= step.start < step.end <= phase.end for step in phase.steps)


@given(covered, st.integers(1, 30))
def test_previous_and_next_are_inverse(entry: tuple[SessionClass, date], n: int) -> None:
    session_class, on = entry
    first, last = next((s.first, s.last) for s in TABLE.rows.coverage[session_class] if s.first <= on <= s.last)
    days = TABLE.sessions(session_class, first, last)
    later = [day for day in days if day > on]
    if len(later) < n:
        with pytest.raises(UnknownSessionDate, match=f"{session_class} on {last + timedelta(days=1)}"):
            TABLE.next_session(session_class, on, n)
        return
    reached = TABLE.next_session(session_class, on, n)
    assert reached == later[n - 1]
    if TABLE.is_session(session_class, on):
        assert TABLE.previous_session(session_class, reached, n) == on


@given(covered)
def test_sessions_are_the_days_that_answer_yes(entry: tuple[SessionClass, date]) -> None:
    session_class, on = entry
    assert TABLE.sessions(session_class, on, on) == ([on] if TABLE.is_session(session_class, on) else [])


@given(classes, st.dates())
def test_a_date_answers_or_is_refused_by_name(session_class: SessionClass, on: date) -> None:
    if TABLE.is_covered(session_class, on):
        TABLE.is_session(session_class, on)
        return
    for ask in (TABLE.session, TABLE.is_session, TABLE.session_type, TABLE.previous_session, TABLE.next_session):
        with pytest.raises(UnknownSessionDate, match=f"{session_class} on {on}"):
            ask(session_class, on)


@pytest.mark.parametrize("session_class", list(SessionClass))
def test_every_special_session_and_holiday_lies_where_it_counts(session_class: SessionClass) -> None:
    specials = [on for known, on in TABLE.rows.specials if known is session_class]
    assert all(TABLE.is_covered(session_class, on) for on in specials)


def test_asking_for_no_session_at_all_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="n must be 1 or more"):
        TABLE.next_session(SessionClass.NSE_CASH, FIRST, 0)
