from datetime import date, datetime

from trading_platform.market.clock import IST
from trading_platform.market.session_kinds import (
    HOLIDAY_LIST_OF,
    Phase,
    PhaseKind,
    Session,
    SessionClass,
    StepKind,
)

DAY = date(2026, 8, 3)


def at(clock: str) -> datetime:
    return datetime.fromisoformat(f"{DAY} {clock}").replace(tzinfo=IST)


SESSION = Session(
    date=DAY,
    session_class=SessionClass.NSE_CASH_FNO,
    phases=(
        Phase(PhaseKind.PRE_OPEN, at("09:00"), at("09:15")),
        Phase(PhaseKind.CONTINUOUS, at("09:15"), at("10:00")),
        Phase(PhaseKind.CONTINUOUS, at("11:30"), at("12:30")),
        Phase(PhaseKind.POST_CLOSE, at("12:40"), at("12:50")),
    ),
    special=None,
)


def test_stored_numbers_keep_their_meaning() -> None:
    assert {kind.name: int(kind) for kind in PhaseKind} == {
        "CONTINUOUS": 0,
        "PRE_OPEN": 1,
        "CLOSING_AUCTION": 2,
        "POST_CLOSE": 3,
    }
    assert {kind.name: int(kind) for kind in StepKind} == {
        "ORDER_ENTRY": 0,
        "LIMIT_ENTRY": 1,
        "MATCHING": 2,
        "REFERENCE_PRICE": 3,
        "BUFFER": 4,
    }


def test_every_class_follows_a_holiday_list() -> None:
    assert set(HOLIDAY_LIST_OF) == set(SessionClass)


def test_opens_and_closes_are_those_of_continuous_trading() -> None:
    assert (SESSION.opens, SESSION.closes) == (at("09:15"), at("12:30"))


def test_a_phase_holds_its_start_and_not_its_end() -> None:
    assert SESSION.phase_at(at("09:14:59.999999")) is SESSION.phases[0]
    assert SESSION.phase_at(at("09:15")) is SESSION.phases[1]
    assert SESSION.phase_at(at("10:00")) is None
    assert SESSION.phase_at(at("12:50")) is None
