import hashlib
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_platform.errors import InstrumentError
from trading_platform.market import synthetic_tokens
from trading_platform.market.instruments import InstrumentDay
from trading_platform.market.synthetic_tokens import EXCHANGE_TOKENS, assign_tokens, exchange_tokens

names = st.lists(st.text("ABCDEFGHIJ", min_size=1, max_size=6), unique=True, max_size=40)


def test_the_token_of_a_name_is_its_hash() -> None:
    first_words = int(hashlib.sha256(b"INFY").hexdigest()[:16], 16)
    assert exchange_tokens(["INFY"]) == {"INFY": 1 + first_words % (2**23 - 1)}


@given(names, names)
def test_more_names_leave_the_old_ones_alone(old: list[str], new: list[str]) -> None:
    before, after = exchange_tokens(old), exchange_tokens({*old, *new})
    assert {name: after[name] for name in old} == before


def test_tokens_fit_their_word_and_do_not_repeat() -> None:
    many = [f"NAME{number}" for number in range(9000)]
    numbers = exchange_tokens(many)
    assert len(set(numbers.values())) == len(many)
    assert 1 <= min(numbers.values()) <= max(numbers.values()) < EXCHANGE_TOKENS <= 1 << 24


def test_names_that_collide_are_probed_by_name_and_not_by_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthetic_tokens, "_hashed", lambda _, attempt: 7 + attempt)
    assert exchange_tokens(["C", "A", "B"]) == exchange_tokens(["B", "C", "A"]) == {"A": 7, "B": 8, "C": 9}
    # what sorts behind never moves what sorts before
    assert exchange_tokens(["A", "B", "C", "D"]) == {"A": 7, "B": 8, "C": 9, "D": 10}


@pytest.mark.parametrize("symbols", [["A", "B", "A"], [""]])
def test_a_name_twice_or_none_is_refused(symbols: list[str]) -> None:
    with pytest.raises(InstrumentError):
        exchange_tokens(symbols)


def test_made_instruments_are_nse_names_and_indices_in_the_order_given() -> None:
    made = assign_tokens([("ZEEL", False), ("NIFTY 50", True), ("M&M", False)])
    assert [one.key for one in made] == ["NSE:ZEEL", "NSE:NIFTY 50", "NSE:M&M"]
    assert [one.token & 0xFF for one in made] == [1, 9, 1]
    assert [one.segment for one in made] == ["NSE", "INDICES", "NSE"]
    assert all(one.token == one.exchange_token * 256 + (one.token & 0xFF) < 1 << 31 for one in made)
    assert {(one.tick_size, one.lot_size, one.expiry) for one in made} == {(0.05, 1, None)}


@given(names)
def test_made_instruments_are_a_day(symbols: list[str]) -> None:
    day = InstrumentDay(date(2026, 7, 1), tuple(assign_tokens([(name, len(name) == 1) for name in symbols])))
    assert len(day) == len(symbols)
