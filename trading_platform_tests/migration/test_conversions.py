from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_platform.errors import InstrumentError, MissingInput, UndecodableValue
from trading_platform.migration.conversions import (
    Converted,
    Source,
    convert_numbers,
    convert_vix,
    convert_volume_state,
    vix_is_readable,
)
from trading_platform.migration.typed_values import TypedValue
from trading_platform_tests.migration.legacy_databases import DAY, INFY, dump_of


def made(content: dict[str, object] | str, *fields: str, key: str = "k") -> Source:
    if isinstance(content, str):
        return Source(key, fields, TypedValue("string", [content.encode()]))
    return Source(key, fields, TypedValue("hash", [(n.encode(), str(v).encode()) for n, v in content.items()]))


def test_numbers_are_decoded_text_is_kept_and_unknown_left_out() -> None:
    source = made({"baseline_1min": "15000", "avg_price_20d": "nan", "is_fno": "True", "note": "x y"}, "NSE:INFY")
    assert convert_numbers("vol_baseline", source) == Converted(
        "vol_baseline", ("NSE:INFY",), {"baseline_1min": "15000.0", "is_fno": "1", "note": "x y"}
    )


def test_a_bare_number_is_a_value() -> None:
    assert convert_numbers("b", made("12.5", "INFY")).content == {"value": "12.5"}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ({"baseline_1min": "12,000"}, "baseline_1min"),
        ({"turtle_ready": "yes"}, "turtle_ready"),
        ({"value": "nan"}, "no field"),
    ],
)
def test_what_is_no_number_is_refused(content: dict[str, object], why: str) -> None:
    with pytest.raises(UndecodableValue, match=why):
        convert_numbers("b", made(content, "INFY"))


def test_a_state_is_named_by_the_dump_of_its_own_day() -> None:
    source = made({"last_cumulative": "77.0", "session_date": "2025-12-01", "update_count": 3}, str(INFY))
    found = convert_volume_state("vol_state", source, dump_of)
    assert found.target("L4") == "legacy:l4:vol_state:NSE:INFY:2025-12-01"
    assert found.content == {
        "instrument_token": "408065",
        "last_cumulative": "77",
        "session_date": "2025-12-01",
        "update_count": "3",
    }


@pytest.mark.parametrize(
    ("content", "error", "why"),
    [
        ({"last_cumulative": 1}, InstrumentError, "no date"),
        ({"last_cumulative": 1, "session_date": "01/12/2025"}, InstrumentError, "01/12/2025"),
        ({"last_cumulative": 1, "session_date": "2025-11-28"}, MissingInput, "2025-11-28"),
        ({"session_date": "2025-12-01"}, UndecodableValue, "last_cumulative"),
        ({"session_date": "2025-12-01", "last_cumulative": -1}, UndecodableValue, "last_cumulative"),
    ],
)
def test_a_state_that_cannot_be_named_is_refused(content: dict[str, object], error: type[Exception], why: str) -> None:
    with pytest.raises(error, match=why):
        convert_volume_state("vol_state", made(content, str(INFY)), dump_of)


def test_a_token_is_not_looked_up_in_another_day() -> None:
    asked: list[date] = []

    def noting(session: date) -> Any:
        asked.append(session)
        return dump_of(session)

    convert_volume_state("s", made({"last_cumulative": 1, "session_date": "2025-12-01"}, str(INFY)), noting)
    assert asked == [DAY]


def vix(value: object, stamp: object = None, key: str = "k") -> Source:
    return made({"last_price": value} | ({"timestamp": stamp} if stamp is not None else {}), "X", key=key)


def test_the_newest_spelling_by_its_own_stamp_is_kept() -> None:
    found = convert_vix([vix(11.5, 1764570000, "a"), vix(12.5, 1764570060, "b"), vix(99, None, "c")])
    assert found.target("L4") == "legacy:l4:india_vix"
    assert found.content == {"value": "12.5", "taken_from": "b", "as_of_ns": "1764570060000000000"}


def test_equal_values_need_no_stamp() -> None:
    assert convert_vix([vix(11.5, None, "b"), vix("11.50", None, "a")]).content == {"value": "11.5", "taken_from": "a"}


def test_contradictions_without_a_stamp_are_named_with_all_their_keys() -> None:
    with pytest.raises(UndecodableValue, match=r"index:A = 11\.5, index:B = 12\.5"):
        convert_vix([vix(12.5, None, "index:B"), vix(11.5, None, "index:A")])
    with pytest.raises(UndecodableValue, match="no time stamp decides"):
        convert_vix([vix(12.5, 1764570000, "a"), vix(11.5, 1764570000, "b")])


@given(
    st.permutations(
        [vix(11.5, 1764570000, "a"), vix(12.5, 1764570060, "b"), vix(12.5, 1764570060, "c"), vix(9, 0, "d")]
    )
)
def test_the_order_in_which_spellings_are_found_does_not_matter(sources: list[Source]) -> None:
    assert convert_vix(sources).content == {"value": "12.5", "taken_from": "b", "as_of_ns": "1764570060000000000"}


@pytest.mark.parametrize("content", [{"last_price": 0}, {"last_price": -1}, {"other": 5}, "0", '{"ltp": null}'])
def test_a_vix_that_is_no_positive_number_is_refused(content: dict[str, object] | str) -> None:
    with pytest.raises(UndecodableValue, match="no positive number"):
        vix_is_readable(made(content, "X"))


def test_what_is_written_is_a_hash_of_texts() -> None:
    value = Converted("f", (), {"b": "2", "a": "é"}).value()
    assert (value.kind, value.items) == ("hash", [(b"a", "é".encode()), (b"b", b"2")])
