import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_platform.simulator.exchange.subscriptions import Subscriptions
from trading_platform.wire.kite_packets import Mode


def say(action: str, value: object) -> str:
    return json.dumps({"a": action, "v": value})


def test_subscribing_gives_quotes_and_a_mode_changes_them() -> None:
    book = Subscriptions()
    assert book.apply(say("subscribe", [3, 1])).tokens == (3, 1)
    assert book.apply(say("mode", ["full", [1]])).tokens == (1,)
    tokens, modes = book.arrays()
    assert (tokens.tolist(), modes.tolist()) == ([1, 3], [Mode.FULL, Mode.QUOTE])
    book.apply(say("mode", ["ltp", [3]]))
    assert book.mode_of(3) is Mode.LTP
    book.apply(say("subscribe", [1]))
    assert book.mode_of(1) is Mode.QUOTE


def test_a_mode_without_a_subscription_subscribes() -> None:
    book = Subscriptions()
    assert book.apply(say("mode", ["full", [7]])).tokens == (7,)
    assert book.mode_of(7) is Mode.FULL


def test_unsubscribing_forgets() -> None:
    book = Subscriptions()
    book.apply(say("subscribe", [1, 2]))
    assert book.apply(say("unsubscribe", [1, 9])).tokens == ()
    assert len(book) == 1
    assert book.arrays()[0].tolist() == [2]


def test_one_instrument_too_many_is_refused_and_said() -> None:
    book = Subscriptions()
    assert book.apply(say("subscribe", list(range(1, 3001)))).error is None
    change = book.apply(say("mode", ["full", [3000, 3001, 3002]]))
    assert change.tokens == (3000,)
    assert change.error is not None
    assert "2 instruments" in change.error
    assert "3000" in change.error
    assert len(book) == 3000


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "7",
        '{"a":"subscribe"}',
        '{"a":"mode","v":["best",[1]]}',
        '{"a":"mode","v":[1,2]}',
        '{"a":"x","v":[1]}',
        '{"a":["subscribe"],"v":[1]}',
        '{"a":{},"v":[1]}',
    ],
)
def test_what_cannot_be_read_is_an_error_and_changes_nothing(text: str) -> None:
    book = Subscriptions()
    change = book.apply(text)
    assert change.error
    assert change.asked == "unknown"
    assert len(book) == 0


def test_what_was_asked_is_told_in_words() -> None:
    book = Subscriptions()
    asked = [say("subscribe", [1, 2]), say("mode", ["full", [1]]), say("unsubscribe", [1, 2, "x"])]
    assert [book.apply(text).asked for text in asked] == ["subscribe 2", "mode full 1", "unsubscribe 3"]


def test_tokens_as_text_are_passed_over() -> None:
    book = Subscriptions()
    assert book.apply(say("subscribe", ["256265", 1.5, True, None, -1, 2**32, 5])).tokens == (5,)


@given(st.binary(max_size=200))
def test_no_bytes_break_it(content: bytes) -> None:
    Subscriptions().apply(content)
