from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from trading_platform.batch.volume_files import read_volumes
from trading_platform.errors import BadFileError


def _file(path: Path, columns: dict[str, Any]) -> Path:
    pl.DataFrame(columns).write_parquet(path / "volumes.parquet")
    return path / "volumes.parquet"


def test_bins_of_a_file_become_a_grid(tmp_path: Path) -> None:
    columns = {"symbol": ["B", "A", "A"], "session": [4, 4, 9], "bin": [3, 1, 3], "volume": [7, 5, 6]}
    grid = read_volumes(_file(tmp_path, columns))
    assert (grid.symbols, grid.sessions, grid.bins) == (["A", "B"], [4, 9], [1, 3])
    np.testing.assert_array_equal(grid.volume, [[[5, np.nan], [np.nan, 6]], [[np.nan, 7], [np.nan, np.nan]]])
    np.testing.assert_array_equal(grid.present, [[True, True], [False, True]])


def test_moments_are_indian_time_and_late_stamps_belong_to_their_bin(tmp_path: Path) -> None:
    day = date(2016, 4, 1)
    minutes = [(9, 15), (9, 45), (10, 15), (9, 16), (9, 45), (10, 15)]
    naive = [datetime(day.year, day.month, day.day, *at) for at in minutes]
    columns = {"symbol": ["A"] * 3 + ["B"] * 3, "ts": naive, "volume": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]}
    grid = read_volumes(_file(tmp_path, columns))
    assert grid.bins == [0, 1, 2]
    assert grid.bar_seconds == 30 * 60
    np.testing.assert_array_equal(grid.volume[1, 0], [4, 5, 6])
    aware = pl.Series(naive).dt.replace_time_zone("Asia/Kolkata").dt.convert_time_zone("UTC")
    again = read_volumes(_file(tmp_path, columns | {"ts": aware}))
    assert again.sessions == [day]
    np.testing.assert_array_equal(again.volume, grid.volume)


def test_rows_that_cannot_be_are_set_aside_with_their_reason(tmp_path: Path) -> None:
    columns = {
        "symbol": ["A", "A", "A", "A", None, "A", "A"],
        "session": [1, 1, 1, 1, 1, 1, 1],
        "bin": [0, 0, 1, 2, 3, 4, None],
        "volume": [1.0, 2.0, -1.0, float("inf"), 1.0, None, 3.0],
    }
    grid = read_volumes(_file(tmp_path, columns))
    assert grid.volume.tolist() == [[[1.0]]]
    assert grid.rejected["row"].to_list() == [2, 3, 4, 5, 6, 7]
    assert grid.rejected["reason"][0] == "a bar that was there before"
    assert grid.rejected["reason"].n_unique() == 4


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"symbol": ["A"], "day": [1], "volume": [1]}, "it needs symbol, session, bin, volume, or symbol, ts, volume"),
        ({"symbol": ["A"], "session": ["x"], "bin": [1], "volume": [1]}, "column session is String"),
        ({"symbol": ["A"], "session": [1], "bin": [1.5], "volume": [1]}, "column bin is Float64"),
        ({"symbol": ["A"], "session": [1], "bin": [1], "volume": ["many"]}, "column volume is String"),
        ({"symbol": ["A"], "session": [1], "bin": [1], "volume": [-1]}, "no volume that can be used"),
        ({"symbol": ["A"], "ts": [5], "volume": [1]}, "column ts is Int64"),
        ({"symbol": ["A"], "ts": [datetime(2016, 4, 1)], "volume": [1]}, "no two bars"),
        ({"symbol": ["A"] * 1500, "session": [1] * 1500, "bin": range(1500), "volume": [1] * 1500}, "1500 different"),
    ],
)
def test_other_files_are_refused_by_name(tmp_path: Path, columns: dict[str, Any], words: str) -> None:
    with pytest.raises(BadFileError, match=words):
        read_volumes(_file(tmp_path, columns))


def test_what_is_no_parquet_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("symbol,volume")
    with pytest.raises(BadFileError, match="cannot be read as Parquet"):
        read_volumes(tmp_path / "text")
    with pytest.raises(BadFileError, match="does not exist"):
        read_volumes(tmp_path)
