import subprocess
import sys
from pathlib import Path

import orjson
import polars as pl
import pytest

from trading_platform.storage.journal import JournalWriter
from trading_platform_tests.as_command import as_command
from trading_platform_tests.session_data import SESSION, SHARD, make_session


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    with JournalWriter.open(tmp_path / "journal", SHARD, SESSION) as writer:
        make_session(3, minutes=12).write_to(writer)
    return tmp_path / "journal" / SHARD / f"{SESSION:%Y%m%d}"


def replay(journal: Path, out: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return as_command("replay", str(journal), "--out", str(out), *options)


def replay_afresh(journal: Path, out: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "trading_platform", "replay", str(journal), "--out", str(out), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_two_processes_give_the_same_digest_and_the_same_files(journal: Path, tmp_path: Path) -> None:
    first, second = (replay_afresh(journal, tmp_path / name, "--json") for name in ("a", "b"))
    assert first.returncode == second.returncode == 0, first.stderr
    one, two = orjson.loads(first.stdout), orjson.loads(second.stdout)
    assert one["digest"] == two["digest"]
    assert one["bars"] > 0
    for name in ("bars", "indicators", "signals"):
        assert pl.read_parquet(tmp_path / "a" / f"{name}.parquet").equals(
            pl.read_parquet(tmp_path / "b" / f"{name}.parquet")
        )
        assert one[name] == pl.read_parquet(tmp_path / "a" / f"{name}.parquet").height
    assert orjson.loads((tmp_path / "a" / "summary.json").read_bytes())["digest"] == one["digest"]


def test_the_digest_is_printed_for_people(journal: Path, tmp_path: Path) -> None:
    done = replay(journal, tmp_path / "out")
    assert "digest " in done.stdout
    assert "ticks/s" in done.stdout


@pytest.mark.parametrize("where", [0.1, 0.5, 0.9])
def test_a_flipped_byte_is_named_and_with_tolerant_passed_over(journal: Path, tmp_path: Path, where: float) -> None:
    whole = orjson.loads(replay(journal, tmp_path / "whole", "--json").stdout)
    segment = next(journal.glob("*.zst"))
    content = bytearray(segment.read_bytes())
    content[int(len(content) * where)] ^= 0x40
    segment.write_bytes(content)
    strict = replay(journal, tmp_path / "strict")
    assert strict.returncode == 2
    assert "segment 000001" in strict.stderr
    assert "Traceback" not in strict.stderr
    tolerant = replay(journal, tmp_path / "tolerant", "--tolerant", "--json")
    # one block holds this whole small journal: nothing before or behind the damage is left, and that is said
    assert tolerant.returncode in {2, 3}
    if tolerant.returncode == 3:
        assert orjson.loads(tolerant.stdout)["digest"] != whole["digest"]


def test_an_output_that_cannot_be_written_is_named(journal: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = replay(journal, tmp_path / "file" / "out")
    assert done.returncode == 2
    assert f"{tmp_path / 'file' / 'out' / 'bars.parquet'} cannot be written" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["20161399", "yesterday"])
def test_a_folder_that_is_no_session_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "k1" / name).mkdir(parents=True)
    done = replay(tmp_path / "k1" / name, tmp_path / "out")
    assert done.returncode == 2
    assert "SHARD/YYYYMMDD" in done.stderr


def test_a_journal_without_records_is_refused(tmp_path: Path) -> None:
    (tmp_path / "k1" / "20160817").mkdir(parents=True)
    done = replay(tmp_path / "k1" / "20160817", tmp_path / "out")
    assert done.returncode == 2
    assert "no journal record of 2016-08-17" in done.stderr


def test_a_missing_content_is_named(journal: Path, tmp_path: Path) -> None:
    gone = sorted((journal / "blobs").iterdir())[0]
    gone.unlink()
    done = replay(journal, tmp_path / "out")
    assert done.returncode == 2
    assert gone.name in done.stderr


def test_a_journal_that_ends_in_the_middle_of_a_record_says_so(tmp_path: Path) -> None:
    writer = JournalWriter.open(tmp_path / "journal", SHARD, SESSION)
    make_session(3, minutes=12).write_to(writer)
    writer.close(compress=False)
    segment = next((tmp_path / "journal" / SHARD / f"{SESSION:%Y%m%d}").glob("*.journal"))
    segment.write_bytes(segment.read_bytes()[:-3])
    done = replay(segment.parent, tmp_path / "out")
    assert done.returncode == 3
    assert "no whole record" in done.stderr
