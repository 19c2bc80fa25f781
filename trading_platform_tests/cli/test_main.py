import re
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from trading_platform import __version__
from trading_platform.cli.main import app
from trading_platform_tests.command_tree import PROGRAM, arguments_of, commands, parse

EVERY = commands()

# what they do is their result: files, services, or lines that are JSON already
NOTHING_TO_REPORT = {
    "backup": "the command without a word is `backup run`",
    "decode": "each line is JSON",
    "demo": "a show for people",
    "engine": "a service; `health --json` says how it is",
    "feed": "a service; `health --json` says how it is",
    "forecast": "`--report` is JSON",
    "init": "a line for the shell",
    "logs": "the text of the processes",
    "restart": "`status --json` says what came of it",
    "simulate": "a service",
    "start": "`status --json` says what came of it",
    "stop": "`status --json` says what came of it",
    "warmup": "nothing but done",
}


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "trading_platform", *arguments], capture_output=True, text=True, check=False
    )


def test_the_module_is_the_console_script_and_knows_its_version() -> None:
    done = _run("--version")
    assert (done.returncode, done.stdout.strip()) == (0, __version__)


def test_an_error_that_we_know_is_one_line_and_exit_2() -> None:
    done = _run("replay", "/nowhere/k1/20260820", "--out", "/nowhere/out")
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", EVERY)
def test_every_command_has_help_an_example_of_itself_that_it_takes_and_exit_codes(name: str) -> None:
    command = EVERY[name]
    assert command.help.split("\n\n")[0].endswith(".")
    assert any(one.startswith(f"{PROGRAM} {name}") for one in command.examples)
    for example in command.examples:
        parse(arguments_of(example) or [])
    codes = command.exit_codes
    assert codes is not None
    assert re.search(r"\b0 |\bthose of\b", codes), codes


@pytest.mark.parametrize("name", [name for name in EVERY if name not in NOTHING_TO_REPORT])
def test_every_command_that_reports_does_it_for_machines_too(name: str) -> None:
    assert "--json" in EVERY[name].options


@pytest.mark.parametrize("name", EVERY)
def test_help_is_shown_as_it_was_written(name: str) -> None:
    shown = CliRunner().invoke(app, [*name.split(), "--help"], terminal_width=200)
    assert shown.exit_code == 0
    assert "Exit codes" in shown.output
