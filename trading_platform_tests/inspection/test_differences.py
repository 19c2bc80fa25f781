from typing import Any

from trading_platform.inspection.differences import ABSENT, Difference, compare_rows


def compare(journal: list[dict[str, Any]], stored: list[dict[str, Any]]) -> list[Difference]:
    return compare_rows("S", lambda row: f"row {row['at']}", key=("at",), journal=journal, stored=stored)


def test_equal_rows_give_nothing_whatever_their_order() -> None:
    assert compare([{"at": 1, "x": None}, {"at": 2, "x": 0.1}], [{"at": 2, "x": 0.1}, {"at": 1, "x": None}]) == []


def test_each_value_that_differs_is_named() -> None:
    found = compare([{"at": 1, "x": 0.1, "y": 5, "z": None}], [{"at": 1, "x": 0.1 + 1e-16 * 2, "y": 6, "z": 1}])
    assert found == [
        Difference("S", "row 1: x", 0.1, 0.1 + 1e-16 * 2),
        Difference("S", "row 1: y", 5, 6),
        Difference("S", "row 1: z", None, 1),
    ]


def test_rows_of_one_side_and_rows_held_twice_are_named() -> None:
    found = compare([{"at": 1}, {"at": 2}], [{"at": 2}, {"at": 2}, {"at": 3}])
    assert found == [
        Difference("S", "row 1", "a row", ABSENT),
        Difference("S", "row 2", "a row", "2 rows"),
        Difference("S", "row 3", ABSENT, "a row"),
    ]
