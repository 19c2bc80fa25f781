"""What a reader of the docs has: a folder with the files that the docs name, and their blocks of commands."""

import gzip
import os
import re
import shlex
import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from textwrap import dedent

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner, Result

from trading_platform.cli.main import app
from trading_platform.errors import PlatformError
from trading_platform.market.sessions import SessionClass, load_session_table
from trading_platform.simulator.synthetic_market import synthetic_session
from trading_platform.wire.kite_encoder import encode_frame
from trading_platform.wire.kite_layout import TICK, Mode
from trading_platform_tests.command_tree import arguments_of

ROOT = Path(__file__).resolve().parent.parent
SESSION = date(2026, 7, 31)
NEEDS = "# needs "
"""How the first line of a block begins that a reader can only run with something that a test has not."""

_NAMES, _PAST_SESSIONS = 6, 10
_DUMP = (
    "instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,tick_size,lot_size,"
    "instrument_type,segment,exchange\n408065,1594,INFY,INFOSYS,0,,0,0.05,1,EQ,NSE,NSE\n"
)


@dataclass(frozen=True)
class Block:
    """A fenced block of a document: its language and its lines."""

    document: str
    language: str
    lines: tuple[str, ...]

    @property
    def needs(self) -> str | None:
        """Return what a test has not and a reader has to have, None when it runs anywhere."""
        return self.lines[0].removeprefix(NEEDS) if self.lines and self.lines[0].startswith(NEEDS) else None

    @property
    def commands(self) -> list[str]:
        """Return the lines of shell without comments."""
        return [line for line in (one.split("  #")[0].strip() for one in self.lines) if line and line[0] != "#"]


def documents() -> list[str]:
    """Return all documents that a reader is given, the README first."""
    return ["README.md", "CONTRIBUTING.md", *sorted(f"docs/{one.name}" for one in (ROOT / "docs").glob("*.md"))]


def blocks(document: str, language: str = "bash") -> list[Block]:
    """Return the fenced blocks of a document in a language."""
    # a block that belongs to a point of a list is indented
    text = (ROOT / document).read_text()
    found = re.findall(r"^ *```(\w+)\n(.*?)^ *```$", text, flags=re.DOTALL | re.MULTILINE)
    return [Block(document, name, tuple(dedent(body).splitlines())) for name, body in found if name == language]


def make_folder(place: Path) -> None:
    """Write the files that the docs name, a past of ten sessions, and where `.venv` is."""
    table = load_session_table()
    synthetic_session(SESSION, 1, _NAMES, table=table).bars.write_parquet(place / "minutes.parquet")
    before = [table.previous_session(SessionClass.NSE_CASH, SESSION, back) for back in range(_PAST_SESSIONS, 0, -1)]
    past = [synthetic_session(day, 1, _NAMES, table=table).bars for day in before]
    pl.concat(past).write_parquet(place / "past_minutes.parquet")
    tick = np.zeros(1, TICK)
    tick["token"], tick["segment"], tick["mode"], tick["last_price"] = 408065, 1, int(Mode.LTP), 1500.5
    (place / "frame.bin").write_bytes(encode_frame(tick))
    (place / "instruments.csv.gz").write_bytes(gzip.compress(_DUMP.encode()))
    (place / "workspace.yaml").write_text((ROOT / "workspace.yaml").read_text())
    (place / ".venv").mkdir()
    (place / ".venv" / "bin").symlink_to(Path(sys.executable).parent)


class Reader:
    """Runs lines of ours in this process, in a folder, with what was exported before: no interpreter starts anew."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self._patch = folder, monkeypatch
        monkeypatch.chdir(folder)
        for name in [name for name in os.environ if name.startswith(("TP_", "DAGSTER_")) and name != "TP_JIT_CACHE"]:
            monkeypatch.delenv(name)

    def export(self, line: str) -> None:
        """Take over `export NAME=VALUE ...`; $PWD is the folder."""
        for word in shlex.split(line)[1:]:
            name, value = word.split("=", 1)
            self._patch.setenv(name, value.replace("$PWD", str(self.folder)))

    def run(self, line: str) -> tuple[int, Result]:
        """Run a line of ours; return the exit code that the program would end with."""
        arguments = arguments_of(line)
        assert arguments is not None, line
        result = CliRunner().invoke(app, arguments)
        return 2 if isinstance(result.exception, PlatformError) else result.exit_code, result
