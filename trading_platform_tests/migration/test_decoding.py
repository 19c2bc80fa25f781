"""Legacy values are hostile: what can be read is read, the rest is refused by its name, and no pickle is loaded."""

import json
import pickle
from contextlib import suppress
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_platform.errors import UndecodableValue
from trading_platform.migration.decoding import (
    as_moment_ns,
    as_number,
    as_text,
    as_truth,
    as_whole,
    fields_of,
    is_pickle,
)
from trading_platform.migration.typed_values import TypedValue


class Bomb:
    """What fires when it is loaded."""

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return (open, ("/nowhere/loaded", "w"))


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_pickle_is_recognised_and_not_loaded(protocol: int) -> None:
    raw = pickle.dumps(Bomb(), protocol)
    assert is_pickle(raw)
    with pytest.raises(UndecodableValue, match="never loaded"):
        fields_of(TypedValue("string", [raw]))
    with pytest.raises(UndecodableValue, match="never loaded"):
        fields_of(TypedValue("hash", [(b"value", raw)]))


@given(st.text())
def test_text_is_no_pickle(text: str) -> None:
    assert not is_pickle(text.encode())
    assert as_text(text.encode()) == text.strip()


@pytest.mark.parametrize(
    ("value", "fields"),
    [
        (TypedValue("hash", [(b"a", b" 1 "), (b"b", b"x")]), {"a": "1", "b": "x"}),
        (TypedValue("string", [b"15000.5"]), {"value": "15000.5"}),
        (
            TypedValue("string", [b'{"a": 1, "b": null, "c": "x", "d": NaN, "e": [1], "f": true}']),
            {"a": "1", "b": "", "c": "x", "d": "", "e": "[1]", "f": "true"},
        ),
    ],
)
def test_hashes_objects_and_numbers_are_fields(value: TypedValue, fields: dict[str, str]) -> None:
    assert fields_of(value) == fields


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b'{"a": ', "no JSON: .*char"),
        (b"[1]", "kind list"),
        (b'"text"', "kind str"),
        (b"\xff\xfe", "no UTF-8 text.*byte 0"),
        (b"[" * 100_000, "nested too deeply|no JSON"),
        (b"9" * 500_000 + b"x", "no JSON"),
        (b"", "no JSON"),
    ],
)
def test_what_cannot_be_read_is_named(raw: bytes, why: str) -> None:
    with pytest.raises(UndecodableValue, match=why):
        fields_of(TypedValue("string", [raw]))


@given(st.binary())
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    with suppress(UndecodableValue):
        assert all(isinstance(text, str) for text in fields_of(TypedValue("string", [raw])).values())


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_finite_number_comes_back(number: float) -> None:
    assert as_number(json.dumps(number), "x") == number


@pytest.mark.parametrize("text", ["", "None", "nan", "NULL", "N/A"])
def test_words_for_unknown_are_unknown(text: str) -> None:
    assert as_number(text, "x") is None
    assert as_whole(text, "x") is None
    assert as_truth(text, "x") is None


@pytest.mark.parametrize("text", ["12,000", "1_000", "inf", "-Infinity", "0x10", "1e999", "many", ".", "9" * 500_000])
def test_what_is_no_number_is_refused_with_its_field(text: str) -> None:
    with pytest.raises(UndecodableValue, match="field baseline_1min"):
        as_number(text, "baseline_1min")


def test_whole_numbers_are_exact() -> None:
    assert as_whole("123456789012345678", "x") == 123456789012345678
    assert as_whole("77.0", "x") == 77
    with pytest.raises(UndecodableValue, match="no whole number"):
        as_whole("77.5", "x")


def test_truth() -> None:
    assert [as_truth(text, "x") for text in ("True", "1", "false", "0")] == [True, True, False, False]
    with pytest.raises(UndecodableValue, match="neither"):
        as_truth("maybe", "x")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1764570000", 1764570000_000_000_000),
        ("1764570000.25", 1764570000_250_000_000),
        ("1764570000123", 1764570000_123_000_000),
        ("1764570000123456", 1764570000_123_456_000),
        ("1764570000123456789", 1764570000_123_456_789),
        ("2025-12-01T09:15:00+05:30", 1764560700_000_000_000),
        ("2025-12-01 09:15:00", 1764560700_000_000_000),
        ("2025-12-01T03:45:00Z", 1764560700_000_000_000),
        ("0", None),
        ("12", None),
        ("1e30", None),
        ("-5", None),
        ("1e-9999", None),
        ("1e9999", None),
        ("soon", None),
        ("", None),
    ],
)
def test_times_are_read_by_their_size_and_in_ist(text: str, expected: int | None) -> None:
    assert as_moment_ns(text) == expected


def test_a_time_without_a_zone_is_that_of_the_exchange() -> None:
    assert as_moment_ns("2025-12-01 09:15:00") == int(
        datetime(2025, 12, 1, 9, 15, tzinfo=ZoneInfo("Asia/Kolkata")).timestamp() * 1e9
    )
