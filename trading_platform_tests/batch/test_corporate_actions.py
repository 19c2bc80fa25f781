from pathlib import Path

import pytest

from trading_platform.batch.corporate_actions import read_corporate_actions
from trading_platform.errors import BadFileError


def test_a_file_of_the_user_is_read(tmp_path: Path) -> None:
    path = tmp_path / "actions.csv"
    path.write_text("symbol,ex_date,kind,volume_factor,source\nABC,2026-07-15,bonus,2,notice\n")
    (row,) = read_corporate_actions(path).rows
    assert (row.symbol, row.volume_factor) == ("ABC", 2.0)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadFileError, match=r"none\.csv cannot be read"):
        read_corporate_actions(tmp_path / "none.csv")
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe")
    with pytest.raises(BadFileError, match=r"bytes\.csv cannot be read"):
        read_corporate_actions(tmp_path / "bytes.csv")
