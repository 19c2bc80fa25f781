import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_platform.errors import MigrationFileDamaged
from trading_platform.migration.decisions import PlannedKey, Reason, Status
from trading_platform.migration.plan_records import (
    PlanDigest,
    PlanHeader,
    header_line,
    key_line,
    read_header,
    read_key,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
LINES = st.builds(
    PlannedKey,
    database=st.integers(0, 15),
    keys=st.lists(TEXT, min_size=1, max_size=3).map(tuple),
    kind=st.sampled_from(["hash", "string"]),
    size=st.integers(0, 1 << 40),
    expires_ms=st.none() | st.integers(0, 1 << 45),
    status=st.sampled_from(Status),
    family=TEXT,
    target=TEXT,
    reason=st.none() | st.sampled_from(Reason),
    detail=TEXT,
)


@given(LINES)
def test_a_line_comes_back(line: PlannedKey) -> None:
    written = key_line(line)
    assert written.count(b"\n") == 1
    assert written.endswith(b"\n")
    assert read_key(written) == line


def test_a_header_comes_back() -> None:
    header = PlanHeader("L4", "rules", "redis://***@host", "target", 1_764_570_000_000)
    assert read_header(header_line(header)) == header


@pytest.mark.parametrize("line", [b"", b"{}\n", b'{"plan": {"layout": "L4"}}\n', b"not json\n"])
def test_what_is_no_header_is_refused(line: bytes) -> None:
    with pytest.raises(MigrationFileDamaged, match="plan again"):
        read_header(line)


def test_a_header_of_another_version_is_refused() -> None:
    header = PlanHeader("L4", "rules", "s", "t", 1, version=99)
    with pytest.raises(MigrationFileDamaged, match="version 99"):
        read_header(header_line(header))


def test_the_end_knows_every_line() -> None:
    ends = set()
    for lines in ((b"a\n", b"b\n"), (b"a\n", b"c\n"), (b"a\n",), (b"a\n", b"b\n", b"")):
        digest = PlanDigest()
        for line in lines:
            assert digest.add(line) is line
        ends.add(digest.end_line())
    assert len(ends) == 4
