"""Of an answer each candle is kept or counted, and each session that was asked for is accounted for."""

from datetime import date, timedelta

import pytest

from trading_platform.batch.backfill_answers import answered, not_listed, refused
from trading_platform.batch.backfill_plan import Request, Target
from trading_platform.market.session_kinds import SessionClass
from trading_platform.market.sessions import load_session_table
from trading_platform.wire.candle_block import Candle
from trading_platform_tests.batch.backfill_rows import (
    ALPHA,
    AT,
    INDEX,
    MONDAY,
    TUESDAY,
    WEDNESDAY,
    WEEK,
    candle,
    second,
)

TABLE = load_session_table()
MINUTES = 375  # from 09:15 to 15:30


def accounts(found: object, *columns: str) -> list[tuple[object, ...]]:
    return found.account.select(columns).rows()  # type: ignore[attr-defined]


def test_candles_become_rows_with_their_source_and_the_day_of_asking() -> None:
    found = answered(Request(ALPHA, (MONDAY,)), [candle(MONDAY, 1), candle(MONDAY, 0)], 0, table=TABLE, at=AT)
    assert found.bars.select("session", "token", "symbol", "segment", "kind", "volume").row(0) == (
        MONDAY, ALPHA.token, "ALPHA", "NSE", 0, 10,
    )  # fmt: skip
    assert [f"{start:%H:%M}" for start in found.bars["start"]] == ["09:15", "09:16"]
    assert found.bars.select("source", "adjusted_asof").unique().row(0) == ("kite_historical", date(2026, 7, 30))


def test_sessions_are_complete_partial_or_without_candles() -> None:
    whole = [candle(MONDAY, minute) for minute in range(MINUTES)]
    found = answered(Request(ALPHA, WEEK), [*whole, candle(TUESDAY, 5)], 0, table=TABLE, at=AT)
    assert accounts(found, "session", "outcome", "minutes", "expected_minutes") == [
        (MONDAY, "complete", MINUTES, MINUTES),
        (TUESDAY, "partial", 1, MINUTES),
        (WEDNESDAY, "no_candles", 0, MINUTES),
    ]


def test_sessions_before_the_first_candle_are_no_loss() -> None:
    found = answered(Request(ALPHA, WEEK), [candle(TUESDAY, 0)], 0, table=TABLE, at=AT)
    assert accounts(found, "outcome") == [("before_first",), ("partial",), ("no_candles",)]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (candle(MONDAY, 3)._replace(high=1.0), "high is below low"),
        (candle(MONDAY, 3)._replace(close=float("inf")), "does not parse"),
        (candle(MONDAY, 3)._replace(volume=-1.0), "volume is negative"),
        (Candle(ALPHA.token, second(MONDAY, 9, 15) + 7, 1.0, 1.0, 1.0, 1.0, 1.0), "not the start of a minute"),
        (Candle(ALPHA.token, second(MONDAY, 18, 0), 1.0, 1.0, 1.0, 1.0, 1.0), "outside the phases"),
        (candle(MONDAY, 0, price=50.0), "an earlier row has the same symbol and ts"),
    ],
)
def test_a_candle_that_cannot_be_is_counted_with_its_reason(bad: Candle, reason: str) -> None:
    found = answered(Request(ALPHA, (MONDAY,)), [candle(MONDAY, 0), bad], 0, table=TABLE, at=AT)
    assert found.bars["open"].to_list() == [100.0]
    ((aside, told),) = accounts(found, "set_aside", "reason")
    assert aside == 1
    assert reason in told


def test_rows_that_could_not_be_read_are_counted() -> None:
    found = answered(Request(ALPHA, WEEK[:2]), [candle(MONDAY, 0)], 3, table=TABLE, at=AT)
    assert accounts(found, "set_aside") == [(3,), (0,)]


def test_candles_of_other_sessions_are_left_out() -> None:
    found = answered(Request(ALPHA, (MONDAY,)), [candle(TUESDAY, 0)], 0, table=TABLE, at=AT)
    assert found.bars.is_empty()
    assert accounts(found, "session", "outcome") == [(MONDAY, "no_candles")]


def test_an_index_has_no_volume() -> None:
    found = answered(Request(INDEX, (MONDAY,)), [candle(MONDAY, 0, volume=0.0)], 0, table=TABLE, at=AT)
    assert found.bars["volume"].to_list() == [None]


def test_the_evening_of_a_holiday_has_its_own_minutes() -> None:
    # Muhurat trading of Diwali 2024, 18:00 to 19:00
    evening = date(2024, 11, 1)
    share = Target(257, "ALPHA", "NSE", SessionClass.NSE_CASH, is_index=False)
    one = Candle(257, second(evening, 18, 30), 1.0, 1.0, 1.0, 1.0, 1.0)
    found = answered(Request(share, (evening,)), [one], 0, table=TABLE, at=AT)
    assert accounts(found, "minutes", "expected_minutes", "set_aside") == [(1, 60, 0)]


def test_refusals_and_what_was_not_listed_are_accounted_for() -> None:
    found = refused(Request(ALPHA, WEEK[:2]), "invalid token" * 100, at=AT)
    assert accounts(found, "outcome") == [("refused",)] * 2
    assert len(found.account["reason"][0]) == 200
    unlisted = not_listed([(ALPHA, MONDAY)], at=AT + timedelta(days=1))
    assert accounts(unlisted, "outcome", "minutes", "expected_minutes") == [("not_listed", 0, None)]
