"""The commands in the docs are run, as a reader would: in order, in one folder, with the files that they name."""

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
import yaml

from trading_platform.definitions import defs
from trading_platform.orchestration.instance import prepare_dagster_home
from trading_platform.storage.embedded_valkey import EmbeddedValkey
from trading_platform_tests.command_tree import arguments_of, commands, parse
from trading_platform_tests.reader import ROOT, SESSION, Block, Reader, blocks, documents, make_folder

DEMO = "/.demo/"

# what the CI script or the reader's own machine runs, not this test
RUN_ELSEWHERE = ("git clone", "make demo", "make setup", "make test")

# what a page may tell a reader to type beside commands of ours
SHELL = ("cd ", "cp ", "git ", "mkdir ", "rsync ", "zstd ", "curl ", "kill ", "sudo ", "chmod ", "ls ", "tail ")

# started, or proven, by tests of their own: each would take longer here than all other commands together
PARSED = {
    "backfill": "a Kite login",
    "bench": "minutes of load",
    "demo": "make demo",
    "feed": "a service that connects to Kite",
    "forecast": "more sessions than the folder has",
    "login": "a person at Kite",
    "start": "seven processes", "stop": "what start started", "restart": "what start started",
    "status": "what start started", "logs": "what start started",
    "migrate plan": "a legacy server", "migrate run": "a legacy server", "migrate verify": "a legacy server",
    "migrate rollback": "a plan",
    "simulate": "a service",
    "warmup": "make setup",
}  # fmt: skip

# what a page or a help says of a day or a backup that the folder here does not have, and what it has instead
OURS = {
    "--until 2026-08-20": "--until 2026-07-29",
    "2026-08-20": f"{SESSION}",
    "20260820": f"{SESSION:%Y%m%d}",
    "--sessions 20": "--sessions 1 --names 3",
}

# health is degraded or red where nothing runs, and says so
MAY_END = {"health": {0, 1, 2}}


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reader]:
    """A folder in which a session was played, computed and backed up."""
    make_folder(tmp_path)
    made = Reader(tmp_path, monkeypatch)
    made.export("export TP_DATA_DIR=$PWD/data")
    prepare_dagster_home(tmp_path / "data")
    try:
        for line in ("play --bars minutes.parquet", "engine --until-closed", "backup run"):
            code, result = made.run(f"trading-platform {line}")
            assert code == 0, f"{line}\n{result.output}"
        yield made
    finally:
        _stop_server(tmp_path)


@pytest.mark.timeout(900)
def test_the_commands_of_the_readme_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_folder(tmp_path)
    reader = Reader(tmp_path, monkeypatch)
    found = [line for block in blocks("README.md") for line in block.commands if not line.startswith(RUN_ELSEWHERE)]
    assert sum("trading-platform" in line for line in found) >= 7
    assert sum("dagster" in line for line in found) >= 3
    try:
        for line in found:
            if line.startswith("export"):
                reader.export(line)
            elif "dagster dev" in line:
                _start_and_stop(line, tmp_path)
            elif line.startswith(".venv/bin/trading-platform"):
                code, result = reader.run(line)
                assert code == 0, f"{line}\n{result.output}\n{result.exception!r}"
            else:
                _run_in_shell(line, tmp_path)
    finally:
        _stop_server(tmp_path)
    assert (tmp_path / "out" / "summary.json").exists()
    assert pl.read_parquet(tmp_path / "indicators.parquet").height > 0


def _run_in_shell(line: str, folder: Path) -> None:
    done = subprocess.run(["bash", "-ec", line], cwd=folder, capture_output=True, text=True, check=False)
    # no demo runs in this folder: health has to say so, and anything but a table is an error
    right = done.returncode in (1, 2) and "dagster" in done.stdout if DEMO in line else done.returncode == 0
    assert right, f"{line}\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}"


def _start_and_stop(line: str, folder: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = folder / "dagster-dev.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            ["bash", "-ec", f"{line} -h 127.0.0.1 -p {port}"],
            cwd=folder,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        limit = time.monotonic() + 120
        while not _answers(port):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < limit, log.read_text()
            time.sleep(0.5)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _stop_server(folder: Path) -> None:
    EmbeddedValkey(folder / "data" / "valkey").stop()


def test_every_line_of_every_page_is_one_that_can_be_typed() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    for document in documents():
        for block in blocks(document):
            for line in block.commands:
                _require_typable(document, line, targets)


def _require_typable(document: str, line: str, targets: set[str]) -> None:
    arguments = arguments_of(line)
    if arguments is not None:
        parse(arguments)
    elif "dagster " in line or line.startswith("export "):
        return
    elif line.startswith("make "):
        assert line.split()[1] in targets, f"{document}: {line}"
    else:
        assert line.startswith(SHELL), f"{document}: {line}"


def test_jobs_in_the_docs_exist_and_take_their_configuration() -> None:
    repository = defs.get_repository_def()
    seen = 0
    for document in documents():
        files = {
            block.lines[0].split()[1].rstrip(":"): block
            for block in blocks(document, "yaml")
            if block.lines[0][:2] == "# "
        }
        for name, file in re.findall(
            r"dagster job execute -m \S+ -j (\w+)(?: -c ([\w.]+))?", (ROOT / document).read_text()
        ):
            job = repository.get_job(name)
            assert dg.validate_run_config(job, _configuration(files[file])) if file else job, f"{document}: {name}"
            seen += 1
    assert seen >= 4


def _configuration(block: Block) -> dict[str, object]:
    read = yaml.safe_load("\n".join(block.lines))
    assert isinstance(read, dict)
    return read


def test_the_commands_of_the_pages_work(reader: Reader) -> None:
    run = 0
    for document in documents()[2:]:
        for block in blocks(document):
            for line in block.commands if block.needs is None else ():
                if line.startswith("export "):
                    reader.export(line)
                elif arguments_of(line) is not None:
                    run += _work(reader, line)
    assert run >= 5


def test_the_examples_of_the_help_work(reader: Reader) -> None:
    run = [_work(reader, line) for one in commands().values() for line in one.examples]
    assert sum(run) >= 12


def _work(reader: Reader, line: str) -> bool:
    """Run a line unless it is only parsed; what it says of other days is said of ours."""
    name = _name(line)
    if name in PARSED or "--speed" in line or "--serve" in line:
        return False
    (backup,) = [one.name for one in (reader.folder / "data" / "backups").iterdir() if one.is_dir()][:1]
    for theirs, ours in {"20260820-190000": backup, "--out /tmp/": f"--out {reader.folder}/", **OURS}.items():
        line = line.replace(theirs, ours)
    code, result = reader.run(line)
    assert code in MAY_END.get(name, {0}), f"{line}\n{result.output}\n{result.exception!r}"
    return True


def _name(line: str) -> str:
    """Return the words of a line that name the command."""
    words = arguments_of(line) or []
    return next((" ".join(words[:count]) for count in (2, 1) if " ".join(words[:count]) in commands()), "")


def test_every_command_that_the_docs_name_exists() -> None:
    first = {name.split()[0] for name in commands()}
    named = {
        match
        for document in (*documents(), "ARCHITECTURE.md")
        for match in re.findall(r"trading-platform ([a-z][a-z-]*)", (ROOT / document).read_text())
    }
    assert len(named) > 10
    assert named - first == set()


def test_every_page_is_in_the_navigation() -> None:
    listed = set(re.findall(r'"([a-z-]+\.md)"', (ROOT / "zensical.toml").read_text()))
    assert listed == {one.name for one in (ROOT / "docs").glob("*.md")}, "add the page to `nav` in zensical.toml"


def test_pictures_that_the_docs_show_are_there_and_small() -> None:
    for document in documents():
        for shown in re.findall(r"!\[[^]]*\]\(([^)]+)\)", (ROOT / document).read_text()):
            picture = (ROOT / document).parent / shown
            assert picture.is_file(), f"{document}: {shown}"
            assert picture.stat().st_size < 300_000, shown
