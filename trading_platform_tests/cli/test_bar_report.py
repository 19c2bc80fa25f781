import polars as pl
import pytest

from trading_platform.batch.bar_files import BarInput
from trading_platform.cli.bar_report import tell_indices, tell_rejected

SCHEMA = ["file", "row", "symbol", "ts", "reason"]


def found(*rows: tuple[str, int, str, str, str], **indices: str) -> BarInput:
    return BarInput(pl.DataFrame(), pl.DataFrame(list(rows), schema=SCHEMA, orient="row"), indices)


def test_indices_are_told_by_reason(capsys: pytest.CaptureFixture[str]) -> None:
    tell_indices(found(A="moves", B="known", C="moves"))
    said = capsys.readouterr()
    assert said.err == "taken for indices (known): B\ntaken for indices (moves): A, C\n"
    assert not said.out


def test_nothing_is_said_of_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    tell_indices(found())
    tell_rejected(found())
    assert capsys.readouterr() == ("", "")


def test_rows_are_counted_and_the_first_named(capsys: pytest.CaptureFixture[str]) -> None:
    tell_rejected(found(*(("f.csv", row, "A", "then", "late" if row % 2 else "early") for row in range(1, 23))))
    lines = capsys.readouterr().err.splitlines()
    assert lines[:2] == ["22 rows set aside (early: 11; late: 11)", "f.csv row 1: A then: late"]
    assert (len(lines), lines[-1]) == (22, "and 2 more")
