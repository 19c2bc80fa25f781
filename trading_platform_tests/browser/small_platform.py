"""A platform that is small enough to start in a test: a few sessions in the lake, and Dagster's three processes."""

import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import dagster as dg

from trading_platform.batch.bars import bars_of_import, import_bars
from trading_platform.batch.instrument_dump import read_dump
from trading_platform.batch.reference import dump_path, instrument_rows
from trading_platform.cli.children import Children
from trading_platform.cli.play_records import write_dump
from trading_platform.market.instruments import InstrumentDay
from trading_platform.market.sessions import SessionClass, load_session_table
from trading_platform.orchestration.instance import prepare_dagster_home
from trading_platform.settings import IsolatedSettings, child_environment
from trading_platform.simulator.synthetic_market import synthetic_session
from trading_platform.storage.embedded_valkey import EmbeddedValkey
from trading_platform.storage.lake import Lake
from trading_platform.wire.lake_tables import IMPORTED_BARS, INSTRUMENTS, MINUTE_BARS

SESSION = date(2026, 7, 31)
PAST_SESSIONS = 3
NAMES = 6
_LIMIT_SECONDS = 90.0
_MODULE = "trading_platform.definitions"


@contextmanager
def small_platform(folder: Path) -> Iterator[str]:
    """Yield the address of the UI of a platform below `folder`; everything is stopped afterwards."""
    settings = IsolatedSettings(data_dir=folder / "data")
    settings.data_dir.mkdir(mode=0o700)
    home = prepare_dagster_home(settings.data_dir)
    _fill(settings, home)
    environment = child_environment(settings, home) | {"TP_CALCULATION__BASELINE_MIN_SESSIONS": "2"}
    children = Children(environment, settings.data_dir / "logs")
    try:
        yield _started(children, settings.data_dir)
    finally:
        children.stop_all()
        EmbeddedValkey(settings.valkey_dir).stop()


def _fill(settings: IsolatedSettings, home: Path) -> None:
    """Write what stands before a baseline into the lake, and tell Dagster of it, as its assets would."""
    table = load_session_table()
    days = [table.previous_session(SessionClass.NSE_CASH, SESSION, back) for back in range(PAST_SESSIONS, 0, -1)]
    lake = Lake(settings.lake_dir)
    lake.create_tables()
    with dg.DagsterInstance.from_config(str(home)) as instance:
        for day in [*days, SESSION]:
            made = synthetic_session(day, 1, NAMES, table=table)
            write_dump(settings.dumps_dir, InstrumentDay(day, made.instruments))
            dump = dump_path(settings.dumps_dir, day)
            assert dump is not None
            import_bars(made.bars, "synthetic", lake)
            named = instrument_rows(read_dump(dump), day)
            bars = bars_of_import(lake.read_sessions(IMPORTED_BARS.name, [day]), named)
            for table_name, rows in ((INSTRUMENTS.name, named), (MINUTE_BARS.name, bars)):
                written = lake.write_session(table_name, day, rows)
                metadata = {"dagster/row_count": written}
                instance.report_runless_asset_event(
                    dg.AssetMaterialization(table_name, partition=str(day), metadata=metadata)
                )


def _started(children: Children, data_dir: Path) -> str:
    code, port = _free_port(), _free_port()
    workspace = data_dir / "workspace.yaml"
    workspace.write_text(
        "load_from:\n  - grpc_server:\n      host: 127.0.0.1\n"
        f"      port: {code}\n      location_name: trading_platform\n"
    )
    tools = Path(sys.executable).parent
    children.start(
        "code-server", str(tools / "dagster"), "api", "grpc", "-m", _MODULE, "-h", "127.0.0.1", "-p", str(code)
    )
    _wait(children, lambda: _listens(code))
    children.start("daemon", str(tools / "dagster-daemon"), "run", "-w", str(workspace))
    children.start(
        "webserver", str(tools / "dagster-webserver"), "-w", str(workspace), "-h", "127.0.0.1", "-p", str(port)
    )
    address = f"http://127.0.0.1:{port}"
    _wait(children, lambda: _answers(f"{address}/server_info"))
    return address


def _wait(children: Children, is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + _LIMIT_SECONDS
    while not is_so():
        children.require_alive()
        assert time.monotonic() < until, "Dagster did not start"
        time.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310
            return answer.status == 200
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False
