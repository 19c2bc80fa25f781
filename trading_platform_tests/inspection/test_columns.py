import math

import pytest

from trading_platform.inspection.columns import age, number, price, short, table, under


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1402.35, "1,402.35"),
        (100.0, "100.00"),
        (84.4125, "84.4125"),
        (0.5, "0.50"),
        (84.412, "84.412"),
        (math.nan, "-"),
    ],
)
def test_prices_keep_what_they_are_quoted_with(value: float, text: str) -> None:
    assert price(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (2.14, "2.1 s ago"),
        (0.0, "0.0 s ago"),
        (185.0, "3 min 5 s ago"),
        (7325.0, "2 h 2 min ago"),
        (-0.4, "0.4 s ahead"),
    ],
)
def test_ages_are_said_as_people_say_them(seconds: float, text: str) -> None:
    assert age(seconds) == text


def test_unknown_is_a_dash_and_thousands_have_commas() -> None:
    assert [number(None), number(math.nan), number(1234567.0), number(1.256, 2)] == ["-", "-", "1,234,567", "1.26"]
    assert [short(None), short(math.nan), short(0.1), short(1234), short("x")] == ["-", "-", "0.1", "1,234", "x"]


def test_columns_line_up() -> None:
    assert table(("name", "n"), [("a", "1"), ("bb", "100")], left=frozenset({0})) == [
        "name    n",
        "a       1",
        "bb    100",
    ]
    assert under("now", ["one", "two"], 5) == ["now  one", "     two"]
    assert under("now", []) == []
