import io
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

from trading_platform.cli.output_files import csv_bytes, parquet_bytes, write_output
from trading_platform.errors import BadFileError
from trading_platform.market.clock import IST


def test_a_file_is_written_with_its_folder_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "new" / "out.bin"
    write_output(path, b"one")
    write_output(path, b"two")
    assert path.read_bytes() == b"two"
    assert list(path.parent.iterdir()) == [path]


def test_what_is_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "file" / "out", tmp_path / "folder", Path("/dev/full/out")):
        with pytest.raises(BadFileError, match=f"{path} cannot be written"):
            write_output(path, b"content")
    assert sorted(place.name for place in tmp_path.iterdir()) == ["file", "folder"]


def test_on_a_full_disk_the_file_before_stays(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"before")
    program = """
import resource, sys
from pathlib import Path
from trading_platform.cli.output_files import write_output
from trading_platform.errors import BadFileError
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_output(Path(sys.argv[1]), bytes(5000))
except BadFileError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=False)
    assert f"{path} cannot be written: File too large" in done.stdout, done.stderr
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_tables_are_written_as_they_are() -> None:
    rows = pl.DataFrame(
        {"ts": [datetime(2026, 7, 30, 9, 15, tzinfo=IST)], "x": [None]}, schema_overrides={"x": pl.Int8}
    )
    assert pl.read_parquet(io.BytesIO(parquet_bytes(rows))).equals(rows)
    assert csv_bytes(rows) == b"ts,x\n2026-07-30T09:15:00+05:30,\n"
