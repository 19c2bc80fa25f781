from datetime import date

import numpy as np
import pytest

from trading_platform.errors import ExchangeRefusal
from trading_platform.market.instruments import InstrumentDay
from trading_platform.market.sessions import load_session_table
from trading_platform.simulator.exchange.history import Asked, Candle, History, PastSession
from trading_platform.simulator.exchange.market import Market
from trading_platform_tests.simulator.exchange.offered import (
    BEFORE,
    DAY,
    FUTURE,
    INSTRUMENTS,
    NEXT_FUTURE,
    made,
    yesterday,
)
from trading_platform_tests.simulator.made_bars import INDEX, OTHER, START, STOCK, columns

END = START + 86_400
TODAY = ("2016-08-16 00:00:00", "2016-08-16 23:59:59")
BOTH = ("2016-08-12", "2016-08-16")


def history() -> History:
    past = PastSession(InstrumentDay(BEFORE, INSTRUMENTS), yesterday(columns(made(shift=-1000))))
    table = load_session_table()
    return History(Market(columns(made())), DAY, table=table, past=[BEFORE], load=lambda _: past)


def ask(token: int, interval: str, window: tuple[str, str], second: int = END, **more: str) -> list[Candle]:
    return history().candles(Asked(str(token), interval, *window, **more), second)


def bar(token: int, minute: int) -> tuple[float, float, float, float, int]:
    (found,) = [one for one in made() if one.key == (token, START + 60 * minute)]
    opened, high, low, close = (word / 100 for word in found.words)
    return opened, high, low, close, found.volume


def test_minutes_are_the_bars_with_indian_timestamps() -> None:
    candles = ask(OTHER, "minute", TODAY)
    assert len(candles) == 30
    assert candles[0] == ["2016-08-16T09:15:00+0530", *bar(OTHER, 0)]
    assert candles[-1] == ["2016-08-16T09:44:00+0530", *bar(OTHER, 29)]
    assert len(ask(STOCK, "minute", TODAY)) == 29


@pytest.mark.parametrize(
    ("interval", "length"), [("3minute", 3), ("5minute", 5), ("10minute", 10), ("15minute", 15), ("30minute", 30)]
)
def test_longer_intervals_gather_minutes_from_the_open(interval: str, length: int) -> None:
    candles = ask(OTHER, interval, TODAY)
    wanted = []
    for first in range(0, 30, length):
        part = [bar(OTHER, minute) for minute in range(first, first + length)]
        wanted.append(
            [
                f"2016-08-16T09:{15 + first}:00+0530",
                part[0][0],
                max(one[1] for one in part),
                min(one[2] for one in part),
                part[-1][3],
                sum(one[4] for one in part),
            ]
        )
    assert candles == wanted


def test_days_stand_at_midnight_and_past_sessions_are_there() -> None:
    before, today = ask(INDEX, "day", BOTH)
    assert before[0] == "2016-08-12T00:00:00+0530"
    assert today == ["2016-08-16T00:00:00+0530", 110.0, 113.15, 109.75, 113.0, 0]
    assert before[1] == 100.0
    assert [candle[0][:10] for candle in ask(OTHER, "60minute", ("2016-08-12", "2016-08-17"))] == [
        "2016-08-12",
        "2016-08-16",
    ]


def test_the_window_counts_starts_of_candles_both_ends_included() -> None:
    candles = ask(OTHER, "minute", ("2016-08-16 09:16:00", "2016-08-16 09:18:00"))
    assert [candle[0][11:16] for candle in candles] == ["09:16", "09:17", "09:18"]


def test_the_running_minute_is_as_far_as_its_ticks_are() -> None:
    assert ask(OTHER, "minute", TODAY, START - 1) == []
    grown = [ask(OTHER, "minute", TODAY, START + 120 + second)[2:] for second in range(60)]
    assert [len(one) for one in grown] == sorted(len(one) for one in grown)
    assert grown[-1] == [["2016-08-16T09:17:00+0530", *bar(OTHER, 2)]]
    volumes = [one[0][5] for one in grown if one]
    assert volumes == sorted(volumes)
    assert volumes[0] < volumes[-1]
    assert len(ask(OTHER, "minute", TODAY, START + 119)) == 2


def test_open_interest_is_a_seventh_number_and_that_of_the_packets() -> None:
    assert [len(candle) for candle in ask(FUTURE, "day", BOTH, oi="1")] == [7, 7]
    market = Market(columns(made()))
    minutes = ask(FUTURE, "minute", TODAY, oi="1")
    place = market.places(np.array([FUTURE]))
    shown = [
        int(market.rows(market.latest(place, START + 60 * minute + 59))["open_interest"][0]) for minute in range(30)
    ]
    assert [candle[6] for candle in minutes] == shown
    assert len(set(shown)) > 5
    assert ask(FUTURE, "5minute", TODAY, oi="1")[0][6] == shown[4]
    forming = ask(FUTURE, "minute", TODAY, START + 3 * 60 + 59, oi="1")
    assert [candle[6] for candle in forming] == shown[:4]
    assert {candle[6] for candle in ask(STOCK, "minute", TODAY, oi="1")} == {0}


def test_continuous_data_follows_the_nearest_future() -> None:
    near, own = ask(NEXT_FUTURE, "day", BOTH, continuous="1"), ask(FUTURE, "day", BOTH)
    assert near == own != ask(NEXT_FUTURE, "day", BOTH)
    for token, interval in ((FUTURE, "minute"), (STOCK, "day")):
        with pytest.raises(ExchangeRefusal, match="continuous"):
            ask(token, interval, BOTH, continuous="1")


@pytest.mark.parametrize(
    ("token", "interval", "window", "said"),
    [
        ("9999", "minute", TODAY, "token"),
        ("x", "minute", TODAY, "token"),
        (str(STOCK), "7minute", TODAY, "interval"),
        (str(STOCK), "minute", ("yesterday", "2016-08-16"), "from"),
        (str(STOCK), "minute", ("2016-08-16", ""), "to"),
        (str(STOCK), "minute", ("2016-08-17", "2016-08-16"), "later"),
    ],
)
def test_what_cannot_be_answered_is_an_input_exception(
    token: str, interval: str, window: tuple[str, str], said: str
) -> None:
    with pytest.raises(ExchangeRefusal, match=said) as refusal:
        history().candles(Asked(token, interval, *window), END)
    assert (refusal.value.status, refusal.value.error_type) == (400, "InputException")


@pytest.mark.parametrize(
    ("interval", "days"),
    [
        ("minute", 60),
        ("3minute", 100),
        ("5minute", 100),
        ("10minute", 100),
        ("15minute", 200),
        ("30minute", 200),
        ("60minute", 400),
        ("day", 2000),
    ],
)
def test_each_interval_has_its_longest_window(interval: str, days: int) -> None:
    begin = date.fromordinal(date(2016, 8, 20).toordinal() - days)
    ask(STOCK, interval, (str(begin), "2016-08-20"))
    with pytest.raises(ExchangeRefusal, match=f"{days} days"):
        ask(STOCK, interval, (str(begin), "2016-08-20 00:00:01"))


def test_a_day_is_asked_for_by_its_date_whatever_the_time() -> None:
    assert [candle[0][:10] for candle in ask(OTHER, "day", ("2016-08-12 15:00:00", "2016-08-16 09:15:00"))] == [
        "2016-08-12",
        "2016-08-16",
    ]


@pytest.mark.parametrize("token", ["1", "x", "-1", "9" * 5000])
def test_a_token_that_names_no_instrument_is_refused(token: str) -> None:
    with pytest.raises(ExchangeRefusal, match="invalid token"):
        history().candles(Asked(token, "minute", *TODAY), END)
