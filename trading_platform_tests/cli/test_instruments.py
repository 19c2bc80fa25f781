import csv
import errno
import gzip
import json
from pathlib import Path

import polars as pl
import pytest
import typer
from typer.testing import CliRunner, Result

from trading_platform.batch.instrument_dump import DUMP_SCHEMA, dump_csv, rows_of
from trading_platform.cli.instruments import register
from trading_platform.market.synthetic_tokens import assign_tokens

MADE = assign_tokens([(f"NAME{number}", False) for number in range(300)])
TEXT = dump_csv(MADE)
BROKEN_LINE = b'7,8,"HALF A ROW'


def run(*arguments: object) -> Result:
    app = typer.Typer()
    register(app)
    return CliRunner().invoke(app, ["instruments", "parse", *(str(one) for one in arguments)])


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "made" / "day.parquet"


def saved(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def with_broken_line(at: int) -> bytes:
    lines = TEXT.split(b"\n")
    return b"\n".join([*lines[:at], BROKEN_LINE, *lines[at:]])


@pytest.mark.parametrize(("name", "content"), [("day.csv", TEXT), ("day.csv.gz", gzip.compress(TEXT))])
def test_a_good_dump_becomes_parquet(tmp_path: Path, out: Path, name: str, content: bytes) -> None:
    result = run(saved(tmp_path, name, content), "--out", out)
    assert result.exit_code == 0
    assert "300 rows in = 300 written" in result.stdout
    assert "+ 0 set aside" in result.stdout
    assert result.stderr == ""
    written = pl.read_parquet(out)
    assert dict(written.schema) == DUMP_SCHEMA
    assert written.equals(rows_of(MADE))
    assert [path.name for path in out.parent.iterdir()] == ["day.parquet"]


def test_a_broken_row_is_kept_aside_with_its_line(tmp_path: Path, out: Path) -> None:
    result = run(saved(tmp_path, "day.csv", with_broken_line(150)), "--out", out)
    assert result.exit_code == 3
    assert "301 rows in = 300 written" in result.stdout
    assert "1 rows set aside" in result.stderr
    assert "unterminated_quote 1" in result.stderr
    assert pl.read_parquet(out).equals(rows_of(MADE))
    with (out.parent / "day.rejected.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["line"], row["reason"], row["raw"]) for row in rows] == [
        ("151", "unterminated_quote", BROKEN_LINE.decode())
    ]


def test_an_older_account_of_broken_rows_goes_with_its_dump(tmp_path: Path, out: Path) -> None:
    run(saved(tmp_path, "day.csv", with_broken_line(2)), "--out", out)
    assert (out.parent / "day.rejected.csv").exists()
    assert run(saved(tmp_path, "day.csv", TEXT), "--out", out).exit_code == 0
    assert not (out.parent / "day.rejected.csv").exists()


def test_the_summary_can_be_read_by_a_program(tmp_path: Path, out: Path) -> None:
    file = saved(tmp_path, "day.csv", with_broken_line(5) + TEXT.split(b"\n")[1] + b"\n\n")
    result = run(file, "--out", out, "--json")
    assert result.exit_code == 3
    assert json.loads(result.stdout) == {
        "file": str(file),
        "out": str(out),
        "rows_in": 302,
        "rows_written": 301,
        "rows_aside": 1,
        "rejected_file": str(out.parent / "day.rejected.csv"),
        "reasons": {"unterminated_quote": 1},
        "notes": {
            "repeated_token": {"rows": 1, "first_lines": [303]},
            "repeated_key": {"rows": 1, "first_lines": [303]},
        },
        "blank_lines": 1,
        "unknown_columns": [],
        "damage": None,
    }
    assert "repeated_token in 1 rows, first on line 303" in result.stderr
    assert "1 blank lines" in result.stderr


def test_what_came_before_a_cut_is_written_and_the_damage_named(tmp_path: Path, out: Path) -> None:
    packed = gzip.compress(TEXT)
    result = run(saved(tmp_path, "day.csv.gz", packed[: len(packed) // 2]), "--out", out)
    assert result.exit_code == 3
    assert "gzip ends early" in result.stderr
    written = pl.read_parquet(out)
    assert 0 < len(written) < 300
    assert written.equals(rows_of(MADE[: len(written)]))


@pytest.mark.parametrize(
    ("name", "content", "named"),
    [
        ("day.csv.gz", TEXT, "is not gzip"),
        ("day.csv", b"a,b\n1,2\n", "lacks instrument_token"),
        ("day.csv", b"", "lacks instrument_token"),
    ],
)
def test_a_file_that_cannot_be_used_writes_nothing(
    tmp_path: Path, out: Path, name: str, content: bytes, named: str
) -> None:
    result = run(saved(tmp_path, name, content), "--out", out)
    assert result.exit_code == 2
    assert named in result.stderr
    assert result.stdout == ""
    assert not out.exists()


def test_a_missing_file_and_an_unusable_out_are_named(tmp_path: Path, out: Path) -> None:
    missing = run(tmp_path / "absent.csv", "--out", out)
    assert (missing.exit_code, "cannot be read" in missing.stderr) == (2, True)
    file = saved(tmp_path, "day.csv", TEXT)
    below_a_file = run(file, "--out", file / "day.parquet")
    assert (below_a_file.exit_code, "cannot be written" in below_a_file.stderr) == (2, True)
    a_folder = run(file, "--out", tmp_path)
    assert (a_folder.exit_code, "cannot be written" in a_folder.stderr) == (2, True)


@pytest.mark.parametrize(("name", "target"), [("day.csv", "day.csv"), ("day.rejected.csv", "day.parquet")])
def test_the_dump_itself_is_never_replaced(tmp_path: Path, name: str, target: str) -> None:
    file = saved(tmp_path, name, TEXT)
    result = run(file, "--out", tmp_path / target)
    assert result.exit_code == 2
    assert "would replace" in result.stderr
    assert file.read_bytes() == TEXT


def test_a_full_disk_is_named_and_leaves_what_was_there(
    tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(saved(tmp_path, "day.csv", TEXT), "--out", out).exit_code == 0

    def refuse(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", refuse)
    result = run(saved(tmp_path, "short.csv", TEXT[: len(TEXT) // 2]), "--out", out)
    assert result.exit_code == 2
    assert "No space left on device" in result.stderr
    assert pl.read_parquet(out).equals(rows_of(MADE))
    assert [path.name for path in out.parent.iterdir()] == ["day.parquet"]


def test_columns_that_are_not_kites_are_named(tmp_path: Path, out: Path) -> None:
    head, _, rest = TEXT.partition(b"\n")
    content = head + b",isin\n" + rest.replace(b"\n", b",X\n")
    result = run(saved(tmp_path, "day.csv", content), "--out", out)
    assert result.exit_code == 0
    assert "left out: isin" in result.stderr
    assert pl.read_parquet(out).equals(rows_of(MADE))


def test_help_shows_an_example_and_the_exit_codes() -> None:
    result = run("--help")
    assert result.exit_code == 0
    assert "Exit codes" in result.stdout
    assert "Example" in result.stdout
