from pathlib import Path

import pytest

from trading_platform.batch.bar_csv import read_csv
from trading_platform.errors import BadFileError


def write(folder: Path, content: bytes) -> Path:
    file = folder / "bars.csv"
    file.write_bytes(content)
    return file


def test_a_stray_quote_breaks_its_own_line_only(tmp_path: Path) -> None:
    found = read_csv(write(tmp_path, b'a,b\n1,2\n"3,4\n5,6"\n7,"8"9\n"a,b",10\n11,12\n'))
    assert found.row.to_list() == [1, 2, 3, 4, 5, 6]
    lost = (None, None)
    # a quote inside a cell that does not begin with one is a plain character
    assert found.cells.rows()[:2] == [("1", "2"), lost]
    assert found.cells.rows()[3:] == [lost, ("a,b", "10"), ("11", "12")]


def test_blank_lines_are_no_rows_and_are_counted_as_lines(tmp_path: Path) -> None:
    found = read_csv(write(tmp_path, b"\xef\xbb\xbf a ,b\r\n\r\n1,2\r\n  \r\n3,4\r\n\r\n"))
    assert found.cells.columns == ["a", "b"]
    assert found.cells.rows() == [("1", "2"), ("3", "4")]
    assert found.row.to_list() == [2, 4]


def test_each_broken_line_is_a_row_without_cells(tmp_path: Path) -> None:
    found = read_csv(write(tmp_path, b"a,b\n1\n1,2,3\n1,\xff\n1,\x00\n" + b"A" * 200_000 + b"\n1,2"))
    assert found.row.to_list() == [1, 2, 3, 4, 5, 6]
    assert found.cells.rows() == [(None, None)] * 5 + [("1", "2")]


def test_a_header_alone_has_no_rows(tmp_path: Path) -> None:
    assert read_csv(write(tmp_path, b"a,b\n")).cells.shape == (0, 2)


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"", "empty"), (b"\n1,2\n", "empty"), (b'a,"b\n1,2\n', "header"), (b"a,a\n1,2\n", "several columns named 'a'")],
)
def test_a_file_without_a_header_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    with pytest.raises(BadFileError, match=says):
        read_csv(write(tmp_path, content))
