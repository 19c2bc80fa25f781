import csv
from datetime import date
from importlib.resources import files

from trading_platform.market.index_names import begins_like_index, is_index_name, load_index_names


def test_each_row_has_a_name_of_its_own_a_date_and_a_source() -> None:
    text = files("trading_platform").joinpath("reference", "indices.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    assert len({row["name"] for row in rows}) == len(rows) == len(load_index_names())
    for row in rows:
        assert row["name"] == row["name"].strip().upper()
        assert date.fromisoformat(row["as_of"]).year >= 2016
        assert row["source"]


def test_indices_are_known_and_shares_and_funds_are_not() -> None:
    assert all(is_index_name(name) for name in ("NIFTY50", "NIFTYPSU BANK", "INDIAVIX", "NIFTY BANK", "SENSEX"))
    assert not any(is_index_name(name) for name in ("INFY", "NIFTYBEES", "SENSEXIETF", "nifty50", ""))
    assert begins_like_index("NIFTY50 PR 1X INV")
    assert not begins_like_index("INFY")
