import math
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_platform.errors import UniverseError
from trading_platform.market.instruments import SEGMENT_CODES, Instrument, InstrumentDay
from trading_platform.market.sessions import SessionClass
from trading_platform.market.universe import ChainRule, Universe, UniverseRules, subscription_universe

DAY = date(2026, 7, 1)
PAST, WEEK, MONTH, LATER = date(2026, 6, 30), date(2026, 7, 7), date(2026, 7, 28), date(2026, 8, 25)


class Market:
    """A small dump that grows by one instrument a call."""

    def __init__(self) -> None:
        self.rows: list[Instrument] = []

    def add(self, exchange: str, segment: str, symbol: str, **other: object) -> Instrument:
        number = len(self.rows) + 1
        plain = Instrument(
            number * 256 + SEGMENT_CODES[segment.partition("-")[0]],
            number,
            symbol,
            symbol,
            None,
            0.0,
            0.05,
            1,
            "EQ",
            segment,
            exchange,
        )
        self.rows.append(replace(plain, **other))  # type: ignore[arg-type]
        return self.rows[-1]

    def day(self) -> InstrumentDay:
        return InstrumentDay(DAY, tuple(self.rows))


@pytest.fixture
def market() -> Market:
    made = Market()
    made.add("NSE", "INDICES", "NIFTY 50")
    for name in ("RELIANCE", "INFY", "SMALLCO"):
        made.add("NSE", "NSE", name)
    for name in ("NIFTY", "RELIANCE", "INFY"):
        for expiry in (LATER, PAST, MONTH):
            symbol = f"{name}{expiry:%d%b}FUT"
            made.add("NFO", "NFO-FUT", symbol, name=name, expiry=expiry, instrument_type="FUT")
    for expiry in (MONTH, WEEK, PAST):
        for strike in range(24_000, 26_001, 100):
            for kind in ("PE", "CE"):
                symbol = f"NIFTY{expiry:%d%b}{strike}{kind}"
                row = {"name": "NIFTY", "expiry": expiry, "strike": float(strike), "instrument_type": kind}
                made.add("NFO", "NFO-OPT", symbol, **row)
    return made


def keys(universe: Universe) -> list[str]:
    return [one.key for one in universe.chosen]


def reasons(universe: Universe) -> dict[str, str]:
    return {one.name: one.reason for one in universe.missing}


def chain(**other: object) -> UniverseRules:
    rule = ChainRule("NFO:NIFTY", 1, 2, 25_040.0)
    return UniverseRules(chains=(replace(rule, **other),))  # type: ignore[arg-type]


def test_names_come_first_in_the_order_of_the_rules(market: Market) -> None:
    rules = UniverseRules(indices=("NSE:NIFTY 50",), cash=("NSE:SMALLCO", "NSE:INFY"), all_fno_cash=True)
    universe = subscription_universe(market.day(), rules)
    assert keys(universe) == ["NSE:NIFTY 50", "NSE:SMALLCO", "NSE:INFY", "NSE:RELIANCE"]
    assert [one.reason for one in universe.chosen] == ["index", "cash", "cash", "cash"]
    assert [one.session_class for one in universe.chosen] == [
        SessionClass.NSE_INDEX,
        SessionClass.NSE_CASH,
        SessionClass.NSE_CASH_FNO,
        SessionClass.NSE_CASH_FNO,
    ]
    assert universe.missing == ()
    assert universe.mode == "full"


def test_futures_are_the_nearest_live_ones(market: Market) -> None:
    universe = subscription_universe(market.day(), UniverseRules(futures_of=("NFO:NIFTY",)))
    assert keys(universe) == ["NFO:NIFTY28JulFUT"]
    both = subscription_universe(market.day(), UniverseRules(futures_of=("NFO:NIFTY",), futures_expiries=2))
    assert keys(both) == ["NFO:NIFTY28JulFUT", "NFO:NIFTY25AugFUT"]


def test_futures_of_cash_follow_the_names_and_say_who_has_none(market: Market) -> None:
    rules = UniverseRules(cash=("NSE:INFY", "NSE:SMALLCO"), futures_of_cash=True, futures_expiries=3)
    universe = subscription_universe(market.day(), rules)
    assert keys(universe)[2:] == ["NFO:INFY28JulFUT", "NFO:INFY25AugFUT"]
    assert "no live future" in reasons(universe)["NFO:SMALLCO"]
    assert reasons(universe)["NFO:INFY"] == "2 of 3 future expiries are in the dump"


def test_a_contract_is_chosen_on_its_last_day_and_never_after(market: Market) -> None:
    last = InstrumentDay(MONTH, tuple(market.rows))
    after = InstrumentDay(date(2026, 7, 29), tuple(market.rows))
    rules = UniverseRules(futures_of=("NFO:NIFTY",))
    assert keys(subscription_universe(last, rules)) == ["NFO:NIFTY28JulFUT"]
    assert keys(subscription_universe(after, rules)) == ["NFO:NIFTY25AugFUT"]


def test_a_chain_is_the_strikes_around_the_reference(market: Market) -> None:
    universe = subscription_universe(market.day(), chain())
    expected = [f"NFO:NIFTY07Jul{strike}{kind}" for strike in range(24_800, 25_201, 100) for kind in ("CE", "PE")]
    assert keys(universe) == expected
    assert universe.missing == ()


def test_between_two_strikes_the_lower_is_the_middle(market: Market) -> None:
    universe = subscription_universe(market.day(), chain(reference_price=25_050.0, strikes_each_side=0))
    assert keys(universe) == ["NFO:NIFTY07Jul25000CE", "NFO:NIFTY07Jul25000PE"]


def test_a_chain_of_two_expiries(market: Market) -> None:
    universe = subscription_universe(market.day(), chain(expiries=2, strikes_each_side=0))
    assert [key[9:14] for key in keys(universe)] == ["07Jul", "07Jul", "28Jul", "28Jul"]


def test_a_chain_that_is_shorter_than_wanted_says_so(market: Market) -> None:
    universe = subscription_universe(market.day(), chain(reference_price=25_900.0, strikes_each_side=3))
    assert len(universe.chosen) == 2 * (3 + 1 + 1)
    assert "3 strikes below and 1 above, 3 are wanted" in reasons(universe)["NFO:NIFTY"]


@pytest.mark.parametrize("price", [None, math.nan, math.inf, 0.0, -5.0])
def test_without_a_price_of_today_the_chain_is_refused_and_the_rest_stands(market: Market, price: float | None) -> None:
    rules = replace(chain(reference_price=price), cash=("NSE:INFY",))
    universe = subscription_universe(market.day(), rules)
    assert keys(universe) == ["NSE:INFY"]
    assert "chain refused" in reasons(universe)["NFO:NIFTY"]


def test_a_price_outside_the_strikes_is_none_of_this_chain(market: Market) -> None:
    universe = subscription_universe(market.day(), chain(reference_price=2_504.0))
    assert universe.chosen == ()
    assert "outside its strikes 24000.0..26000.0" in reasons(universe)["NFO:NIFTY"]


def test_unknown_and_unfit_names_are_missing_with_a_reason(market: Market) -> None:
    rules = UniverseRules(
        indices=("NSE:NIFTY 51", "NSE:INFY"),
        cash=("NSE:NIFTY 50", "NFO:NIFTY28JulFUT", "NSE:INFY"),
        futures_of=("MCX:GOLD",),
        chains=(ChainRule("NFO:GHOST", 1, 1, 100.0),),
    )
    universe = subscription_universe(market.day(), rules)
    assert keys(universe) == ["NSE:INFY"]
    found = [one.name for one in universe.missing]
    assert found == ["NSE:NIFTY 51", "NSE:INFY", "NSE:NIFTY 50", "NFO:NIFTY28JulFUT", "MCX:GOLD", "NFO:GHOST"]
    assert "not an index" in reasons(universe)["NSE:INFY"]


def test_unsupported_and_undated_instruments_are_missing_with_a_reason(market: Market) -> None:
    market.add("NCO", "NCO-FUT", "STEELFUT", name="STEEL", expiry=MONTH, instrument_type="FUT")
    market.add("NFO", "NFO-FUT", "GHOSTFUT", name="GHOST", instrument_type="FUT")
    universe = subscription_universe(market.day(), UniverseRules(futures_of=("NCO:STEEL", "NFO:GHOST")))
    assert universe.chosen == ()
    assert "NCO" in reasons(universe)["NCO:STEELFUT"]
    assert "no expiry" in reasons(universe)["NFO:GHOSTFUT"]
    assert "no live future" in reasons(universe)["NFO:GHOST"]


def test_a_dump_without_names_says_why_nothing_is_found(market: Market) -> None:
    nameless = InstrumentDay(DAY, tuple(replace(one, name="") for one in market.rows))
    universe = subscription_universe(nameless, UniverseRules(all_fno_cash=True, futures_of=("NFO:NIFTY",)))
    assert universe.chosen == ()
    assert "no NSE name" in reasons(universe)["all F&O stocks"]
    assert "have no name" in reasons(universe)["NFO:NIFTY"]


def test_what_two_rules_want_is_subscribed_once(market: Market) -> None:
    rules = UniverseRules(
        cash=("NSE:INFY", "NSE:INFY"), all_fno_cash=True, futures_of=("NFO:INFY",), futures_of_cash=True
    )
    tokens = subscription_universe(market.day(), rules).tokens
    assert len(tokens) == len(set(tokens)) == 4


def test_sockets_are_filled_one_after_the_other(market: Market) -> None:
    rules = replace(chain(strikes_each_side=1), cash=("NSE:INFY",), per_socket=3)
    universe = subscription_universe(market.day(), rules)
    assert [len(tokens) for tokens in universe.by_socket] == [3, 3, 1]
    assert sum(universe.by_socket, ()) == universe.tokens


def test_more_than_the_sockets_carry_is_refused_with_what_to_shrink(market: Market) -> None:
    rules = replace(chain(strikes_each_side=4), cash=("NSE:INFY",), per_socket=8, sockets=2)
    with pytest.raises(UniverseError, match=r"19 instruments are 3 more .* shrink chain NFO:NIFTY first"):
        subscription_universe(market.day(), rules)


def test_exactly_what_the_sockets_carry_is_taken(market: Market) -> None:
    rules = replace(chain(strikes_each_side=4), per_socket=9, sockets=2)
    assert len(subscription_universe(market.day(), rules).chosen) == 18


def test_kites_own_limit_is_nine_thousand() -> None:
    many = Market()
    names = tuple(f"N{number}" for number in range(9_001))
    for name in names:
        many.add("NSE", "NSE", name)
    keys_of = tuple(f"NSE:{name}" for name in names)
    assert len(subscription_universe(many.day(), UniverseRules(cash=keys_of[:9_000])).by_socket) == 3
    with pytest.raises(UniverseError, match="9001 instruments are 1 more"):
        subscription_universe(many.day(), UniverseRules(cash=keys_of))


@pytest.mark.parametrize(
    "wrong",
    [{"futures_expiries": 0}, {"per_socket": 3001}, {"per_socket": 0}, {"sockets": 4}, {"sockets": 0}],
)
def test_rules_that_cannot_be_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(UniverseError):
        UniverseRules(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(("expiries", "strikes"), [(0, 1), (1, -1)])
def test_chains_that_cannot_be_are_refused(expiries: int, strikes: int) -> None:
    with pytest.raises(UniverseError):
        ChainRule("NFO:NIFTY", expiries, strikes, 100.0)


@given(
    strikes=st.sets(st.integers(1, 400), min_size=1, max_size=30),
    side=st.integers(0, 10),
    price=st.floats(1, 400, allow_nan=False),
)
def test_a_chain_has_no_strike_nearer_than_those_it_has(strikes: set[int], side: int, price: float) -> None:
    made = Market()
    for strike in strikes:
        row = {"name": "X", "expiry": WEEK, "strike": float(strike), "instrument_type": "CE"}
        made.add("NFO", "NFO-OPT", f"X{strike}CE", **row)
    universe = subscription_universe(made.day(), UniverseRules(chains=(ChainRule("NFO:X", 1, side, price),)))
    taken = {int(one.key[5:-2]) for one in universe.chosen}
    if not min(strikes) <= price <= max(strikes):
        assert not taken
        return
    nearest = min(strikes, key=lambda strike: (abs(strike - price), strike))
    below = sorted(strike for strike in strikes if strike < nearest)[::-1][:side]
    above = sorted(strike for strike in strikes if strike > nearest)[:side]
    assert taken == {nearest, *below, *above}
