import pytest

from trading_platform.errors import ExchangeRefusal
from trading_platform.market.instruments import InstrumentDay
from trading_platform.simulator.exchange.market import Market
from trading_platform.simulator.exchange.quotes import Quotes
from trading_platform_tests.simulator.exchange.offered import (
    DAY,
    INSTRUMENTS,
    PREVIOUS_CLOSE,
    SESSION,
    instrument,
    made,
)
from trading_platform_tests.simulator.made_bars import INDEX, START, STOCK, columns

YESTERDAY = START - 4 * 86_400 + 22_499
END = START + 86_400


def quotes() -> Quotes:
    return Quotes(Market(columns(made(), previous_close=PREVIOUS_CLOSE)), DAY, YESTERDAY)


def test_a_full_quote_after_the_close() -> None:
    found = quotes().full(["NSE:ALPHA"], END)["NSE:ALPHA"]
    # bars of minutes 0 to 29 without minute 2: open of the first, extremes of first and last, close of the last
    assert found["ohlc"] == {"open": 100.0, "high": 103.15, "low": 99.75, "close": PREVIOUS_CLOSE}
    assert found["last_price"] == 103.0
    assert found["net_change"] == 1.5
    assert found["volume"] == sum(100 + minute for minute in range(30) if minute != 2)
    assert found["timestamp"] == "2016-08-17 09:15:00"
    assert found["last_trade_time"].startswith("2016-08-16 09:44:")
    assert (found["lower_circuit_limit"], found["upper_circuit_limit"]) == (81.2, 121.8)
    assert found["buy_quantity"] > 0
    assert [found["depth"]["buy"][0]["price"] < 103.05, len(found["depth"]["sell"])] == [True, 5]


def test_before_the_first_tick_yesterday_is_told() -> None:
    found = quotes().full(["NSE:ALPHA"], START - 1)["NSE:ALPHA"]
    assert found["last_price"] == PREVIOUS_CLOSE
    assert found["last_trade_time"] == "2016-08-12 15:29:59"
    never = Quotes(Market(columns(made())), DAY, YESTERDAY).full(["NSE:ALPHA"], START - 1)["NSE:ALPHA"]
    assert (never["last_price"], never["last_trade_time"]) == (0.0, None)


def test_an_index_has_no_book_and_no_volume() -> None:
    found = quotes().full(["NSE:INDEX 1"], END)["NSE:INDEX 1"]
    assert found["instrument_token"] == INDEX
    assert not {"depth", "volume", "oi"} & set(found)


def test_tokens_stand_for_instruments_too_and_unknown_ones_are_absent() -> None:
    found = quotes().ltp([str(STOCK), "NSE:NOBODY", "999", "NSE", "", "NSE:ALPHA"], END)
    assert found == {
        str(STOCK): {"instrument_token": STOCK, "last_price": 103.0},
        "NSE:ALPHA": {"instrument_token": STOCK, "last_price": 103.0},
    }


def test_an_instrument_of_the_dump_without_a_market_is_absent() -> None:
    day = InstrumentDay(SESSION, (*INSTRUMENTS, instrument(999 * 256 + 1, "IDLE")))
    market = Market(columns(made()))
    assert Quotes(market, day, YESTERDAY).ohlc(["NSE:IDLE"], END) == {}


def test_a_number_that_is_far_too_long_for_a_token_is_absent() -> None:
    assert quotes().ltp(["9" * 5000], END) == {}


@pytest.mark.parametrize(("call", "most"), [("full", 500), ("ohlc", 1000), ("ltp", 1000)])
def test_limits_of_one_request(call: str, most: int) -> None:
    ask = getattr(quotes(), call)
    assert ask([f"NSE:N{number}" for number in range(most)], END) == {}
    for names in ([], [f"NSE:N{number}" for number in range(most + 1)]):
        with pytest.raises(ExchangeRefusal) as refusal:
            ask(names, END)
        assert (refusal.value.status, refusal.value.error_type) == (400, "InputException")
