"""`trading-platform demo`: a synthetic session through everything, with the commands that a user would type."""

import shutil
import signal
import socket
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console

from trading_platform.cli.children import Children, our_command
from trading_platform.cli.demo_market import DemoMarket
from trading_platform.cli.demo_summary import problems, summary_table
from trading_platform.cli.play_inputs import DEFAULT_SESSION, synthetic_dates
from trading_platform.errors import BadFileError, PlatformError, TookTooLong
from trading_platform.market.clock import NS_PER_SECOND, elapsed_ns, pause
from trading_platform.market.sessions import load_session_table
from trading_platform.settings import IsolatedSettings, Settings, child_environment
from trading_platform.storage.embedded_valkey import EmbeddedValkey
from trading_platform.storage.journal import journal_folder
from trading_platform.streaming.private_folder import make_private_folder

PAST_SESSIONS = 20
SEED, NAMES = 1, 200
NAMED = ["SYNDEX", *(f"SYN{number:03d}" for number in range(1, 9))]
"""Whose candles the demo fetches."""

LIMIT_SECONDS = 300.0
_POLL_SECONDS = 0.5
_MODULE = "trading_platform.definitions"


class Interrupted(Exception):
    """Somebody asked the demo to stop."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo")(demo)


def demo(
    once: Annotated[bool, typer.Option(help="end after one session with a summary")] = False,
    folder: Annotated[Path, typer.Option(help="where everything goes; emptied first")] = Path(".demo"),
) -> None:
    """Trade a synthetic session through exchange, sockets, feed, engine and Dagster; leave the UI up, or a summary.

    Twenty past sessions, one of them fetched from the exchange, give baselines and indicator seeds. Then a simulated
    exchange trades one session some hundred times as fast as a real one, the feed records what comes on its sockets,
    the engine computes, the sensor starts pattern runs, and checks compare what was sent, recorded, written live and
    replayed in a fresh process. Morning and evening are the jobs that schedules launch on a real day.

    Example: trading-platform demo --once

    Exit codes: 0 everything was right, 1 something failed (the table says what), 2 it could not run.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    _refuse_foreign(folder)
    settings = IsolatedSettings(data_dir=folder.absolute() / "data")
    EmbeddedValkey(settings.valkey_dir).stop()
    shutil.rmtree(folder, ignore_errors=True)
    make_private_folder(settings.data_dir)
    (folder / _MARK).touch()
    show = Demo(settings, Console())
    try:
        faults = show.play()
        if not once:
            show.leave_open()
    except Interrupted:
        faults = []
        show.console.print("stopping ...")
    finally:
        show.stop()
    if faults:
        raise typer.Exit(1)


_MARK = ".made-by-demo"


def _refuse_foreign(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise BadFileError(f"{folder} is no folder: name another --folder")
    if folder.exists() and any(folder.iterdir()) and not (folder / _MARK).exists():
        raise PlatformError(f"{folder} was not made by the demo, which would empty it: name another --folder")


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise Interrupted


class Demo:
    """The steps, in order; each says what it does and how long it took."""

    def __init__(self, settings: Settings, console: Console) -> None:
        self.console = console
        self._settings = settings
        self._session = DEFAULT_SESSION
        self._started = elapsed_ns()
        home = settings.data_dir / "dagster"
        self._children = Children(child_environment(settings, home), settings.data_dir / "logs")
        self._market = DemoMarket(self._children, settings, self._session)
        self._python = sys.executable
        self._ui_port = _free_port(settings.webserver_port)

    def play(self) -> list[str]:
        """Run everything; print the summary and return what was not right."""
        market = ("--seed", str(SEED), "--names", str(NAMES))
        self._market.open(*market, "--past", str(PAST_SESSIONS))
        self._step("Dagster home", self._module("trading_platform.orchestration.instance", self._data_dir))
        self._start_services()
        past = ("--sessions", str(PAST_SESSIONS - 1), "--until", self._past_end())
        self._step(
            f"{PAST_SESSIONS - 1} past sessions into the lake",
            ("import-bars", *our_command("import-bars", "--synthetic", *past, *market)),
        )
        self._wait("the exchange", self._market.is_open)
        # the oldest session that baselines look at is left to the backfill, of some names: Kite's rate is in real time
        self._job("prepare_day", "the morning: instruments, backfill, seeds, baselines", {"prepare": {"names": NAMED}})
        self._wait("the Dagster UI", lambda: _listens(self._ui_port))
        self.console.print(f"         watch it at http://127.0.0.1:{self._ui_port}")
        return self._trade()

    def _trade(self) -> list[str]:
        """Let the exchange trade the session."""
        self._children.start("engine", *our_command("engine", "--session", self._session.isoformat()), ends=True)
        self._market.begin()
        self._wait(f"the session of {self._session}", self._market.is_over, self._market.time)
        self._wait("the engine to close the session", lambda: self._children.has_ended("engine"))
        return self._judge()

    def _judge(self) -> list[str]:
        """Print what became of the session, and return what was not right."""
        out = self._settings.data_dir / "replay"
        journal = journal_folder(self._settings.journal_dir, self._settings.shard, self._session)
        report = self._module("trading_platform.orchestration.report")[1:]
        self._children.start("replay", *our_command("replay", str(journal), "--out", str(out)), ends=True)
        self._children.start("settled", *report, "--settled", ends=True)
        login, account = self._market.login, self._market.account()
        self._wait("a replay of the journal in a fresh process", lambda: self._children.has_ended("replay"))
        self._wait("the sensor's pattern run over the whole session", lambda: self._children.has_ended("settled"))
        self._job("close_day", "the evening: ticks, bars, live == replay, a backup", {"close": {}}, login)
        self._children.run("report", *report)
        report = orjson.loads(self._children.printed("report").splitlines()[-1])
        replayed = orjson.loads((out / "summary.json").read_bytes())
        self.console.print(summary_table(self._session, account, report, replayed))
        faults = problems(self._session, account, report, replayed)
        for fault in faults:
            self.console.print(f"[red]failed:[/red] {fault}")
        self.console.print(f"{'FAILED' if faults else 'all right'} after {self._seconds():.0f} s")
        return faults

    def leave_open(self) -> None:
        """Keep the UI up until somebody asks us to stop."""
        self.console.print(f"Dagster UI: http://127.0.0.1:{self._ui_port}   (Ctrl-C stops everything)")
        while True:
            self._children.require_alive()
            pause(_POLL_SECONDS)

    def stop(self) -> None:
        """Stop what still runs, Valkey last."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        self._children.stop_all()
        EmbeddedValkey(self._settings.valkey_dir).stop()

    def _start_services(self) -> None:
        code_port = str(_free_port(0))
        workspace = self._settings.data_dir / "workspace.yaml"
        workspace.write_text(
            "load_from:\n  - grpc_server:\n      host: 127.0.0.1\n"
            f"      port: {code_port}\n      location_name: trading_platform\n"
        )
        self._children.start(
            "code-server", *self._dagster("api", "grpc", "-m", _MODULE, "-h", "127.0.0.1", "-p", code_port)
        )
        self._wait("the code server", lambda: _listens(int(code_port)))
        tools = Path(self._python).parent
        self._children.start("daemon", str(tools / "dagster-daemon"), "run", "-w", str(workspace))
        self._children.start(
            "webserver", str(tools / "dagster-webserver"), "-w", str(workspace), "-h", "127.0.0.1", "-p",
            str(self._ui_port),
        )  # fmt: skip

    def _past_end(self) -> str:
        before: date = synthetic_dates(self._session, 2, load_session_table())[0]
        return before.isoformat()

    def _step(self, what: str, named: tuple[str, ...], environment: dict[str, str] | None = None) -> None:
        started = elapsed_ns()
        with self.console.status(f"{what} ..."):
            self._children.run(*named, environment=environment)
        self.console.print(f"[{self._seconds():4.0f} s] {what} ({(elapsed_ns() - started) / NS_PER_SECOND:.1f} s)")

    def _job(self, name: str, what: str, config: dict[str, Any], login: dict[str, str] | None = None) -> None:
        """Launch a job over the session, as its schedule does on a real day."""
        given = {"ops": {op: {"config": {"session": self._session.isoformat(), **one}} for op, one in config.items()}}
        path = self._settings.data_dir / f"{name}.yaml"
        path.write_bytes(orjson.dumps(given))  # JSON is YAML
        tags = orjson.dumps({"dagster/partition": self._session.isoformat()}).decode()
        command = self._dagster("job", "execute", "-m", _MODULE, "-j", name, "-c", str(path), "--tags", tags)
        self._step(what, (name, *command), login or self._market.login)

    def _wait(self, what: str, is_done: Callable[[], bool], progress: Callable[[], str] = str) -> None:
        started = elapsed_ns()
        with self.console.status(f"waiting for {what} ...") as shown:
            while not is_done():
                self._children.require_alive()
                if elapsed_ns() - started > LIMIT_SECONDS * NS_PER_SECOND:
                    raise TookTooLong(f"{what} did not come within {LIMIT_SECONDS:.0f} s; logs: {self._data_dir}/logs")
                shown.update(f"waiting for {what} ... {progress()}")
                pause(_POLL_SECONDS)
        self.console.print(f"[{self._seconds():4.0f} s] {what} ({(elapsed_ns() - started) / NS_PER_SECOND:.1f} s)")

    def _module(self, module: str, *arguments: str) -> tuple[str, ...]:
        return (module.rsplit(".", 1)[-1], self._python, "-m", module, *arguments)

    def _dagster(self, *arguments: str) -> tuple[str, ...]:
        return (str(Path(self._python).parent / "dagster"), *arguments)

    def _seconds(self) -> float:
        return (elapsed_ns() - self._started) / NS_PER_SECOND

    @property
    def _data_dir(self) -> str:
        return str(self._settings.data_dir)


def _free_port(wanted: int) -> int:
    """Return the wanted port when nobody listens there, else one that is free."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            return _free_port(0)
        return int(probe.getsockname()[1])


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0
