import pytest

from trading_platform.errors import MigrationFileDamaged
from trading_platform.migration.ledger_records import FIRST_SUM, LedgerEntry, ledger_line, read_ledger_line

BODY = {"op": "written", "targets": ["a", "é\n"], "n": 1764570000000, "none": None}


def test_a_line_comes_back() -> None:
    line, checksum = ledger_line(BODY, FIRST_SUM)
    assert line.count(b"\n") == 1
    assert read_ledger_line(line, FIRST_SUM) == (BODY, checksum)


def test_any_changed_byte_is_seen() -> None:
    line, _ = ledger_line(BODY, FIRST_SUM)
    for place in range(len(line)):
        for bit in (1, 32):
            changed = bytearray(line)
            changed[place] ^= bit
            with pytest.raises(MigrationFileDamaged):
                read_ledger_line(bytes(changed), FIRST_SUM)


def test_a_line_stands_only_behind_the_one_before_it() -> None:
    _, first = ledger_line(BODY, FIRST_SUM)
    second, _ = ledger_line({"op": "x"}, first)
    assert read_ledger_line(second, first)[0] == {"op": "x"}
    with pytest.raises(MigrationFileDamaged):
        read_ledger_line(second, FIRST_SUM)


def test_an_entry_comes_back() -> None:
    entry = LedgerEntry("t", 1, ("a", "b"), "f", "digest", None, 5)
    assert LedgerEntry.unpacked(entry.packed()) == entry
