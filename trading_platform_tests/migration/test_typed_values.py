"""A digest changes with any change of the value, and with nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_platform.migration.typed_values import Group, StreamTail, TypedValue, ValueDigest, item_identity

TAIL = StreamTail(b"5-0", 5, b"0-0")
VALUES = {
    "string": [b"abc"],
    "hash": [(b"a", b"1"), (b"b", b"2")],
    "list": [b"a", b"b"],
    "set": [b"a", b"b"],
    "zset": [(b"a", 1.0), (b"b", 2.0)],
    "stream": [(b"1-0", b"a", b"1"), (b"2-0", b"a", b"1", b"a", b"2")],
}


def digest(kind: str, items: list[object]) -> str:
    return TypedValue(kind, items, TAIL if kind == "stream" else None).digest()


@given(st.lists(st.binary(max_size=5), max_size=6), st.data())
def test_pieces_do_not_matter(items: list[bytes], data: st.DataObject) -> None:
    for kind in ("string", "list", "set"):
        unique = list(dict.fromkeys(items)) if kind == "set" else items
        cut = data.draw(st.integers(0, len(unique)))
        pieces = ValueDigest(kind)
        pieces.add(unique[:cut])
        pieces.add(unique[cut:])
        assert pieces.finish() == digest(kind, [b"".join(unique)] if kind == "string" else unique)


@pytest.mark.parametrize(
    ("kind", "same"), [("hash", True), ("set", True), ("zset", True), ("list", False), ("stream", False)]
)
def test_order_matters_where_the_type_has_one(kind: str, *, same: bool) -> None:
    assert (digest(kind, VALUES[kind]) == digest(kind, VALUES[kind][::-1])) is same


@pytest.mark.parametrize(
    ("kind", "other"),
    [
        ("string", [b"abd"]),
        ("string", [b"ab"]),
        ("hash", [(b"a", b"1"), (b"b", b"1")]),
        ("hash", [(b"a", b"2"), (b"b", b"1")]),
        ("hash", [(b"a", b"1")]),
        ("list", [b"ab"]),
        ("list", [b"a", b"b", b""]),
        ("set", [b"a", b"c"]),
        ("zset", [(b"a", 1.0), (b"b", 2.0000000000000004)]),
        ("zset", [(b"a", 2.0), (b"b", 1.0)]),
        ("stream", [(b"1-0", b"a", b"1"), (b"2-1", b"a", b"1", b"a", b"2")]),
        ("stream", [(b"1-0", b"a", b"1"), (b"2-0", b"a", b"2")]),
        ("stream", [(b"1-0", b"a", b"1"), (b"2-0", b"a", b"1a", b"", b"2")]),
    ],
)
def test_any_change_is_seen(kind: str, other: list[object]) -> None:
    assert digest(kind, VALUES[kind]) != digest(kind, other)


def test_types_are_told_apart() -> None:
    assert len({TypedValue(kind, []).digest() for kind in VALUES}) == len(VALUES)


def test_where_a_stream_and_its_readers_stand_is_part_of_it() -> None:
    def with_tail(tail: StreamTail) -> str:
        return TypedValue("stream", VALUES["stream"], tail).digest()

    one, other = Group(b"g", b"1-0", 1, 0), Group(b"h", b"2-0", None, 3)
    tails = (
        TAIL,
        StreamTail(b"6-0", 5, b"0-0"),
        StreamTail(b"5-0", 5, b"0-0", (one,)),
        StreamTail(b"5-0", 5, b"0-0", (one, other)),
    )
    assert len({with_tail(tail) for tail in tails}) == 4
    assert with_tail(StreamTail(b"5-0", 5, b"0-0", (other, one))) == with_tail(tails[3])
    assert tails[3].pending == 3


def test_what_names_an_item() -> None:
    assert [item_identity(item) for item in (b"a", (b"f", b"v"))] == [b"a", b"f"]
