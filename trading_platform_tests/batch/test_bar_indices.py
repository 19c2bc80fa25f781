import pytest
from polars import DataFrame

from trading_platform.batch.bar_indices import ALIKE, KNOWN, MOVING, NAMED, find_indices
from trading_platform.errors import BadFileError

Row = tuple[str | None, float | None, float | None, float | None, bool]


def rows(*given: Row) -> DataFrame:
    return DataFrame(list(given), schema=["symbol", "high", "low", "volume", "no_volume"], orient="row")


FOUND = rows(
    ("FLAT", 5.0, 5.0, 0.0, False),
    ("FLAT", 5.0, 5.0, 0.0, False),
    ("FLAT", 6.0, 5.0, 0.0, False),
    ("HALF", 5.0, 5.0, 0.0, False),
    ("HALF", 6.0, 5.0, None, True),
    ("EMPTY", 6.0, 5.0, None, True),
    ("STILL", 5.0, 5.0, None, True),
    ("SHARE", 6.0, 5.0, 0.0, False),
    ("SHARE", 6.0, 5.0, 7.0, False),
    ("ODD", 6.0, 5.0, None, False),
    ("NIFTY50", 5.0, 5.0, 0.0, False),
    ("NIFTY50 PR", 5.0, 5.0, 0.0, False),
    ("SENSEXIETF", 6.0, 5.0, 7.0, False),
    (None, 6.0, 5.0, 0.0, False),
)


def test_an_index_has_a_known_name_or_moves_without_volume() -> None:
    expected = {"EMPTY": MOVING, "HALF": MOVING, "NIFTY50": KNOWN, "NIFTY50 PR": ALIKE}
    assert find_indices(FOUND, []) == expected


def test_names_given_leave_only_known_names_beside_them() -> None:
    assert find_indices(FOUND, ["SHARE"]) == {"NIFTY50": KNOWN, "SHARE": NAMED}
    with pytest.raises(BadFileError, match="NONE"):
        find_indices(FOUND, ["NONE"])


def test_a_broken_row_does_not_make_a_share_of_an_index() -> None:
    broken = rows(("I", 6.0, 5.0, 0.0, False), ("I", 4.0, 5.0, 9.0, False), ("I", None, None, 8.0, False))
    assert find_indices(broken, []) == {"I": MOVING}
