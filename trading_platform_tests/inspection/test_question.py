from datetime import date

import pytest

from trading_platform.errors import BadQuestion
from trading_platform.inspection.question import (
    Question,
    instrument_asked,
    moment_asked,
    pattern_asked,
    session_asked,
)
from trading_platform.market.instruments import InstrumentDay
from trading_platform_tests.calc.feeding import DAY, instrument

NS = 1_000_000_000
BEFORE = date(2026, 7, 30)
OPTION = "NIFTY26AUG25000CE"


def day() -> InstrumentDay:
    return InstrumentDay(
        DAY,
        (
            instrument(256 * 1 + 1, "RELIANCE"),
            instrument(256 * 2 + 4, "RELIANCE", exchange="BSE", segment="BSE"),
            instrument(256 * 3 + 9, "NIFTY 50", segment="INDICES"),
            instrument(256 * 4 + 2, OPTION, exchange="NFO", segment="NFO-OPT", kind="CE"),
            instrument(256 * 5 + 1, "RELINFRA"),
        ),
    )


@pytest.mark.parametrize(
    ("asked", "token"),
    [
        ("RELINFRA", 256 * 5 + 1),
        ("relinfra", 256 * 5 + 1),
        ("NIFTY 50", 256 * 3 + 9),
        ("NSE:NIFTY 50", 256 * 3 + 9),
        (f"NFO:{OPTION}", 256 * 4 + 2),
        ("BSE:RELIANCE", 256 * 2 + 4),
        (str(256 * 2 + 4), 256 * 2 + 4),
    ],
)
def test_an_instrument_is_named_as_people_name_it(asked: str, token: int) -> None:
    assert instrument_asked(asked, day(), ()).token == token


def test_a_symbol_of_two_exchanges_means_the_one_that_is_subscribed() -> None:
    assert instrument_asked("RELIANCE", day(), {256 * 2 + 4}).exchange == "BSE"
    with pytest.raises(BadQuestion, match=r"BSE:RELIANCE \(516\), NSE:RELIANCE \(257\)"):
        instrument_asked("RELIANCE", day(), ())


def test_an_unknown_symbol_names_the_nearest() -> None:
    with pytest.raises(BadQuestion, match="the nearest are RELIANCE, RELINFRA"):
        instrument_asked("RELAINCE", day(), ())
    with pytest.raises(BadQuestion, match=r"the nearest are RELINFRA$"):
        instrument_asked("NSE:RELAINCE", day(), {256 * 5 + 1})
    with pytest.raises(BadQuestion, match="no symbol is near it"):
        instrument_asked("ZZZZ", day(), ())


@pytest.mark.parametrize(
    ("asked", "milliseconds"),
    [
        ("10:30", 0),
        ("9:15", -75 * 60_000),
        ("10:30:05", 5000),
        ("10:30:05.250", 5250),
        ("2026-07-31T10:30:05", 5000),
        ("2026-07-31 10:30:05+05:30", 5000),
        ("2026-07-31T05:00:05+00:00", 5000),
        ("2026-07-31T05:00:05Z", 5000),
    ],
)
def test_a_time_is_of_the_session_or_says_its_day(asked: str, milliseconds: int) -> None:
    # 10:30 IST is 05:00 UTC; seconds since the epoch by `date -u -d '2026-07-31 05:00' +%s`
    assert moment_asked(asked, DAY) == 1785474000 * NS + milliseconds * 1_000_000


@pytest.mark.parametrize("asked", ["soon", "25:00", "10:30+05:30", "2026-07-31", "20260731", "10"])
def test_what_is_no_time_is_refused_with_how_to_write_one(asked: str) -> None:
    with pytest.raises(BadQuestion, match="HH:MM"):
        moment_asked(asked, DAY)


def test_a_time_of_another_day_is_refused() -> None:
    with pytest.raises(BadQuestion, match="name --session too"):
        moment_asked("2026-07-30T10:30", DAY)


def test_the_session_is_the_one_named_or_the_newest() -> None:
    both = [BEFORE, DAY]
    assert moment_asked(None, DAY) is None
    assert session_asked(Question("A"), both, "k1") == DAY
    assert session_asked(Question("A", at="10:30"), both, "k1") == DAY
    assert session_asked(Question("A", at="2026-07-30T10:30"), both, "k1") == BEFORE
    assert session_asked(Question("A", session="2026-07-30"), both, "k1") == BEFORE


@pytest.mark.parametrize(
    ("question", "sessions", "says"),
    [
        (Question("A"), [], "no journal at all"),
        (Question("A", session="2026-07-29"), [BEFORE, DAY], "journals of 2026-07-30, 2026-07-31"),
        (Question("A", session="yesterday"), [DAY], "write it as"),
    ],
)
def test_a_session_without_a_journal_names_those_there_are(question: Question, sessions: list[date], says: str) -> None:
    with pytest.raises(BadQuestion, match=says):
        session_asked(question, sessions, "k1")


def test_a_pattern_goes_by_its_name() -> None:
    assert pattern_asked(None) is None
    found = pattern_asked("Breakout")
    assert found is not None
    assert found.number == 2
    with pytest.raises(BadQuestion, match="volume_spike, breakout, vwap_cross"):
        pattern_asked("flag")
