"""Keys are split in one way, and patterns that could both take a key are known to do so."""

import re
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_platform.errors import BadKeyPattern
from trading_platform.migration.patterns import APART, ATOMS, EXCHANGES, Pattern


@pytest.mark.parametrize(
    ("pattern", "key", "fields"),
    [
        ("ticks:latest:{symbol}", "ticks:latest:INFY", ("INFY",)),
        ("ticks:latest:{symbol}", "ticks:latest:NFO:NIFTY25NOV26400CE", ("NFO:NIFTY25NOV26400CE",)),
        ("ticks:latest:{symbol}", "ticks:latest:NSE:NIFTY 50", ("NSE:NIFTY 50",)),
        ("ticks:latest:{symbol}", "ticks:latest:M&M", ("M&M",)),
        ("ticks:latest:{symbol}", "ticks:latest:NSE", None),
        ("ticks:latest:{symbol}", "ticks:latest:NSE:NFO", None),
        ("ticks:latest:{symbol}", "ticks:latest:NSEX", ("NSEX",)),
        ("ticks:latest:{symbol}", "ticks:latest:INFY:x", None),
        ("ticks:latest:{symbol}", "ticks:latest:infy", None),
        ("ticks:latest:{symbol}", "ticks:latest:", None),
        ("ticks:latest:{symbol}", "xticks:latest:INFY", None),
        ("ind:greeks:{symbol}:{word}", "ind:greeks:NFO:NIFTY25DECFUT:delta", ("NFO:NIFTY25DECFUT", "delta")),
        ("ind:greeks:{symbol}:{word}", "ind:greeks:INFY:delta", ("INFY", "delta")),
        ("ind:greeks:{symbol}:{word}", "ind:greeks:NSE:INFY", None),
        ("b:bucket{resolution}:{symbol}:{number}", "b:bucket:INFY:9", ("", "INFY", "9")),
        ("b:bucket{resolution}:{symbol}:{number}", "b:bucket15:BSE:SENSEX:9", ("15", "BSE:SENSEX", "9")),
        ("sys:{rest}", "sys:a:b\nc", ("a:b\nc",)),
        ("sys:{rest}", "sys:", None),
        ("index:{vix}", "index:NSE:INDIA VIX", ("NSE:INDIA VIX",)),
        ("index:{vix}", "index:NIFTY 50", None),
        ("index:{index}", "index:nse_india_vix", None),
        ("index:{index}", "index:NSE:VIXEN", ("NSE:VIXEN",)),
        ("vol:state:{token}", "vol:state:408065", ("408065",)),
        ("vol:state:{token}", "vol:state:INFY", None),
    ],
)
def test_a_key_is_split_in_one_way(pattern: str, key: str, fields: tuple[str, ...] | None) -> None:
    assert Pattern(pattern).fields(key) == fields


@pytest.mark.parametrize(
    "pattern",
    [
        "{symbol}:x",
        "a:{nothing}",
        "a:{rest}:b",
        "a:x{rest}",
        "a:x{symbol}",
        "a:{symbol}{word}",
        "a::b",
        "a:b c",
        "{rest}",
        "",
    ],
)
def test_a_pattern_that_cannot_be_read_in_one_way_is_refused(pattern: str) -> None:
    with pytest.raises(BadKeyPattern):
        Pattern(pattern).fields("a:b")


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        ("a:{symbol}", "a:raw:{symbol}", False),  # lower-case words are no exchange
        ("a:{symbol}", "a:{symbol}:{symbol}", False),
        ("a:{symbol}", "a:{symbol}:{word}", False),  # an exchange alone is no symbol
        ("a:{symbol}", "a:{word}", True),
        ("a:{symbol}", "a:{word}:{word}", True),
        ("a:{symbol}", "a:{rest}", True),
        ("a:b:{rest}", "a:c:{rest}", False),
        ("a:{rest}", "a", False),
        ("a:b:{rest}", "a:{symbol}", False),
        ("a:{rest}", "a:b:{rest}", True),
        ("a:{index}", "a:{vix}", False),
        ("a:h:{resolution}:{symbol}", "a:h:{resolution}:{resolution}:{symbol}", False),
        ("a:b{number}", "a:{id}", True),
        ("a:b{number}", "a:b12", True),
        ("a:b{number}", "a:c12", False),
    ],
)
def test_patterns_that_may_take_one_key_are_found(one: str, other: str, *, meet: bool) -> None:
    assert Pattern(one).meets(Pattern(other)) is meet
    assert Pattern(other).meets(Pattern(one)) is meet


@pytest.mark.parametrize("pair", sorted(tuple(sorted(pair)) for pair in APART))
@settings(max_examples=25)
@given(data=st.data())
def test_atoms_that_are_called_apart_are(pair: tuple[str, str], data: st.DataObject) -> None:
    for one, other in (pair, pair[::-1]):
        text = data.draw(st.from_regex(ATOMS[one], fullmatch=True))
        assert re.fullmatch(ATOMS[other], text) is None


PATTERNS = (
    "a:{symbol}",
    "a:{symbol}:{word}",
    "a:raw:{symbol}",
    "a:{index}",
    "a:{vix}",
    "a:{token}",
    "a:{date}",
    "a:x:{rest}",
)


@given(
    st.lists(
        st.sampled_from([*EXCHANGES[:3], "a", "raw", "x", "INFY", "VIX", "NIFTY 50", "rsi", "17", "2025-12-01", ""]),
        max_size=4,
    )
)
def test_patterns_that_take_one_key_meet(parts: list[str]) -> None:
    taking = [Pattern(text) for text in PATTERNS if Pattern(text).fields(":".join(["a", *parts])) is not None]
    assert all(one.meets(other) for one, other in combinations(taking, 2))
