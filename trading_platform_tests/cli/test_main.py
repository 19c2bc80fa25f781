import subprocess
import sys

import pytest

from trading_platform import __version__
from trading_platform.cli.main import app


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


@pytest.mark.parametrize("command", [command.name for command in app.registered_commands])
def test_every_command_has_help_an_example_and_exit_codes(command: str) -> None:
    shown = _run(command, "--help").stdout
    assert f"trading-platform {command}" in shown
    assert "Exit codes" in shown
