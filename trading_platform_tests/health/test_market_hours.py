from datetime import date

import pytest

from trading_platform.health.findings import Level
from trading_platform.health.market_hours import Duty, clock_text, market_finding, session_ends_ns
from trading_platform.market.session_kinds import PhaseKind, SessionClass
from trading_platform_tests.health.made import CLASSES, FRIDAY, TABLE, at, hours_at

ALL = (*CLASSES, SessionClass.MCX)


@pytest.mark.parametrize(
    ("now_ns", "duty", "absence", "ignorance"),
    [
        (at(8, 44, 59), Duty.CLOSED, Level.GREEN, Level.GREEN),
        (at(8, 45), Duty.SOON, Level.DEGRADED, Level.DEGRADED),
        (at(9), Duty.OPEN, Level.RED, Level.DEGRADED),
        (at(10), Duty.OPEN, Level.RED, Level.DEGRADED),
        (at(23), Duty.CLOSED, Level.GREEN, Level.GREEN),
        (at(10, on=date(2026, 8, 1)), Duty.CLOSED, Level.GREEN, Level.GREEN),  # a Saturday
    ],
)
def test_what_is_asked_follows_the_phases_of_the_day(now_ns: int, duty: Duty, absence: Level, ignorance: Level) -> None:
    hours = hours_at(now_ns)
    assert (hours.duty, hours.absence, hours.ignorance) == (duty, absence, ignorance)


def test_who_subscribes_commodities_has_an_evening() -> None:
    evening = hours_at(at(20), ALL)
    assert evening.duty is Duty.OPEN
    mcx, index = evening.of(SessionClass.MCX), evening.of(SessionClass.NSE_INDEX)
    assert mcx is not None
    assert index is not None
    assert (mcx.phase, mcx.since_ns) == (PhaseKind.CONTINUOUS, at(17))  # of the evening
    assert (index.phase, index.closed_because) == (None, "outside its phases")
    assert evening.of(SessionClass.BSE_CASH) is None
    assert "MCX" in market_finding(evening).says
    assert "NSE" not in market_finding(evening).says


def test_a_closed_market_is_green_and_says_when_it_opens() -> None:
    told = market_finding(hours_at(at(20)))
    assert (told.level, told.says) == (Level.GREEN, "closed, next opens Mon 03 Aug 09:00")
    holiday = market_finding(hours_at(at(10, on=date(2026, 1, 26))))
    assert holiday.level is Level.GREEN
    assert "holiday" in holiday.says
    assert "Tue 27 Jan" in holiday.says
    assert market_finding(hours_at(at(5))).says == "closed, next opens 09:00"
    assert "should be connected" in market_finding(hours_at(at(8, 50))).says


def test_an_open_market_names_the_phases() -> None:
    assert market_finding(hours_at(at(10))).says == "open (continuous: NSE_INDEX, NSE_CASH_FNO, NSE_DERIVATIVES)"
    assert "pre open" in market_finding(hours_at(at(9, 2))).says


def test_a_day_that_the_table_does_not_know_is_red_and_one_soon_to_come_is_said() -> None:
    unknown = hours_at(at(10, on=date(2029, 1, 2)))
    assert unknown.duty is Duty.OPEN
    assert market_finding(unknown).level is Level.RED
    last, *_ = sorted(TABLE.covered(name)[1] for name in CLASSES)
    soon = market_finding(hours_at(at(20, on=last)))
    assert soon.level is Level.DEGRADED
    assert "not known" in soon.says


def test_a_class_that_is_not_covered_is_left_out_beside_others_that_are() -> None:
    currency_of_2025 = (*CLASSES, SessionClass.NSE_CURRENCY)
    hours = hours_at(at(10, on=date(2025, 7, 31)), currency_of_2025)
    assert (hours.duty, hours.problem) == (Duty.OPEN, None)
    assert {one.name for one in hours.classes} == set(CLASSES)


def test_the_end_of_a_session_is_that_of_its_last_class() -> None:
    nse, both = session_ends_ns(TABLE, CLASSES, FRIDAY), session_ends_ns(TABLE, ALL, FRIDAY)
    assert nse is not None
    assert both is not None
    assert at(15, 30) <= nse <= at(16, 15)
    assert at(23, 30) <= both <= at(23, 59)
    assert session_ends_ns(TABLE, CLASSES, date(2026, 8, 1)) is None
    assert session_ends_ns(TABLE, CLASSES, date(2029, 1, 2)) is None


def test_a_time_of_another_day_names_the_day() -> None:
    assert clock_text(at(9, 5), FRIDAY) == "09:05"
    assert clock_text(at(9, 5), date(2026, 7, 30)) == "Fri 31 Jul 09:05"
