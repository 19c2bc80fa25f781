"""No secret leaves the settings: not by output, logs, errors, Dagster, metadata, backups; nothing is open to others.

Every secret setting holds a marker while commands, jobs and sensors run, also where they fail; then all that they said
and every byte that they wrote is searched.
"""

import logging
import stat
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import dagster as dg
import psutil
import pytest
import redis
import zstandard
from pydantic import SecretStr
from typer.testing import CliRunner

from trading_platform.batch.instrument_dump import dump_csv
from trading_platform.cli.main import app
from trading_platform.definitions import build_definitions
from trading_platform.errors import BrokerError
from trading_platform.kite.rest import KiteRest
from trading_platform.market.clock import NS_PER_SECOND, elapsed_ns, pause
from trading_platform.market.synthetic_tokens import assign_tokens
from trading_platform.orchestration import checks
from trading_platform.orchestration.asset_reference import instruments
from trading_platform.orchestration.instance import prepare_dagster_home
from trading_platform.orchestration.resources import platform_resources
from trading_platform.settings import Settings, load_settings
from trading_platform.storage.embedded_valkey import EmbeddedValkey
from trading_platform.storage.redis_manager import RedisManager
from trading_platform_tests.batch.lake_rows import SESSION
from trading_platform_tests.cli.feed_process import start_command

MARK = "leak-marker"
CLOSED_PORT = 1
"""Nobody listens there."""


def secret_settings() -> list[str]:
    return [
        name for name, one in Settings.model_fields.items() if SecretStr in (one.annotation, *get_args(one.annotation))
    ]


def marked(name: str, server: Path) -> str:
    """Return the value of a secret setting: a word of its own, inside a URL where it has to be one."""
    word = f"{MARK}-{name.replace('_', '-')}"
    urls = {
        "redis_url": f"unix://:{word}@{server}",
        "alert_webhook_url": f"http://127.0.0.1:{CLOSED_PORT}/{word}",
        "dagster_postgres_url": f"postgresql+psycopg2://me:{word}@127.0.0.1:{CLOSED_PORT}/db",
    }
    return urls.get(name, word)


@dataclass
class Place:
    """A data folder in which everything ran, and everything that was said."""

    data: Path
    said: list[str] = field(default_factory=list)
    instance: dg.DagsterInstance | None = None

    def command(self, *arguments: str) -> None:
        """Run a command, as far as it goes, and keep what it said."""
        result = CliRunner().invoke(app, list(arguments))
        self.said += [result.stdout, result.stderr]
        if result.exception is not None:
            self.said.append("".join(traceback.format_exception(result.exception)))

    def materialise_instruments(self) -> None:
        """Make one asset from a dump, and ask Kite, where nobody answers."""
        settings = load_settings()
        settings.dumps_dir.mkdir(mode=0o700)
        dump = settings.dumps_dir / f"instruments_{SESSION:%Y%m%d}.csv"
        dump.write_bytes(dump_csv(assign_tokens([("SYNONE", False), ("SYNDEX", True)])))
        result = dg.materialize(
            [instruments, checks.instruments_are_sound],
            instance=self.instance,
            resources=platform_resources(settings),
            partition_key=SESSION.isoformat(),
        )
        self.said += [str(event) for event in result.all_events]
        try:
            KiteRest(settings.kite_api_key, settings.kite_access_token, root=settings.kite_api_root).instruments_csv()
        except BrokerError:
            self.said.append(traceback.format_exc())

    def job(self, definitions: dg.Definitions, name: str, config: dict[str, Any]) -> dg.ExecuteInProcessResult:
        """Run a job; keep its events, as the UI shows them."""
        result = definitions.resolve_job_def(name).execute_in_process(
            run_config=config, instance=self.instance, raise_on_error=False
        )
        self.said += [str(event) for event in result.all_events]
        return result


class Collector(logging.Handler):
    """Keeps every line of every logger, with its traceback."""

    def __init__(self, said: list[str]) -> None:
        super().__init__(logging.DEBUG)
        self._said = said
        self.setFormatter(logging.Formatter("%(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self._said.append(self.format(record))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    made = Place(tmp_path_factory.mktemp("platform"))
    collector = Collector(made.said)
    logging.getLogger().addHandler(collector)
    home = prepare_dagster_home(made.data)
    with pytest.MonkeyPatch.context() as patch, dg.DagsterInstance.from_config(str(home)) as made.instance:
        server = EmbeddedValkey(made.data / "valkey").ensure_running()
        for name in secret_settings():
            patch.setenv(f"TP_{name.upper()}", marked(name, server.socket_path))
        RedisManager(None, made.data / "valkey").connect().config_set("requirepass", f"{MARK}-redis-url")
        patch.setenv("TP_DATA_DIR", str(made.data))
        patch.setenv("TP_KITE_API_ROOT", f"http://127.0.0.1:{CLOSED_PORT}")
        patch.setenv("DAGSTER_HOME", str(home))
        try:
            run_everything(made, patch)
            yield made
        finally:
            logging.getLogger().removeHandler(collector)
            redis.from_url(marked("redis_url", server.socket_path)).config_set("requirepass", "")
            EmbeddedValkey(made.data / "valkey").stop()


def run_everything(made: Place, patch: pytest.MonkeyPatch) -> None:
    definitions = build_definitions(load_settings())
    foreign = {"source_url": f"redis://127.0.0.1:{CLOSED_PORT}", "layout": "L4"}
    # what is searched below has to have worked with the secrets, and failed with them
    made.materialise_instruments()
    for name, ops, succeeds in (
        ("run_patterns", {"recompute_session": {"config": {"session": "2026-08-01"}}}, False),
        ("migrate_redis", {"migrate": {"config": foreign}}, False),
        ("health_check", {"look_at_health": {"config": {"fail_at": "degraded"}}}, False),
        ("backup_data", {}, True),
        ("prune_runs", {}, True),
    ):
        assert made.job(definitions, name, {"ops": ops}).success is succeeds, name
    tick_sensors(made, definitions)
    for arguments in (
        ("health",),
        ("health", "--json"),
        ("backup", "list"),
        ("compact",),
        ("replay", "nowhere"),
        ("login", "--status"),
    ):
        made.command(*arguments)
    patch.setenv("TP_REDIS_URL", f"redis://:{MARK}-redis-url@127.0.0.1:{CLOSED_PORT}/0")
    for arguments in (("health",), ("backup", "run"), ("login", f"{MARK}-request")):
        made.command(*arguments)
    patch.setenv("TP_SHARD", "NOT A SHARD")
    made.command("health")


def tick_sensors(made: Place, definitions: dg.Definitions) -> None:
    """Let each sensor look that does not wait for bars: the failed runs above are told, and posted in vain."""
    for name in ("feed_silent", "baseline_stale", "health_over_time", "run_failures"):
        cursor = '{"event":-1,"tries":0}' if name == "run_failures" else None
        sensor = definitions.resolve_sensor_def(name)
        with dg.build_sensor_context(instance=made.instance, cursor=cursor) as context:
            result = sensor.evaluate_tick(context)
        made.said += [str(result.skip_message), str(result.cursor), str(result.asset_events)]


def contents(path: Path) -> Iterator[bytes]:
    """Return a file, and what it holds when it is packed."""
    raw = path.read_bytes()
    yield raw
    if path.suffix == ".zst":
        yield zstandard.ZstdDecompressor().decompressobj().decompress(raw)


def test_every_secret_has_a_marker_and_was_used(place: Place) -> None:
    assert {"redis_url", "kite_api_key", "kite_access_token", "alert_webhook_url"} <= set(secret_settings())
    assert all(MARK in marked(name, place.data) for name in secret_settings())
    said = "\n".join(place.said)
    assert "the webhook did not take the alert run_failed: it could not be asked" in said
    assert "Kite could not be asked for the dump of instruments" in said


def test_nothing_that_was_said_holds_a_secret(place: Place) -> None:
    assert len(place.said) > 50
    assert [text[:500] for text in place.said if MARK in text] == []


def test_nothing_that_was_written_holds_a_secret(place: Place) -> None:
    files = [path for path in place.data.rglob("*") if path.is_file()]
    parts = {path.relative_to(place.data).parts[0] for path in files}
    assert parts >= {"dagster", "backups", "lake", "valkey", "dumps", "migration"}
    assert any(path.suffix == ".err" for path in files), "no compute log was kept"
    found = [path for path in files if any(MARK.encode() in content for content in contents(path))]
    assert [str(path.relative_to(place.data)) for path in found] == []


def test_others_cannot_read_what_lies_in_the_data_folder(place: Place) -> None:
    open_to_others = []
    # the folder itself is the user's, and so is the dump that this test put there
    below = [path for path in place.data.iterdir() if path.name != "dumps"]
    while below:
        path = below.pop()
        mode = stat.S_IMODE(path.lstat().st_mode)
        if path.is_dir() and mode & 0o077:
            below += path.iterdir()
            open_to_others.append(path)
        elif path.is_file() and mode & 0o077:
            open_to_others.append(path)
    assert [str(path.relative_to(place.data)) for path in open_to_others] == []


def test_no_output_is_pickled(place: Place) -> None:
    kept = [path for path in (place.data / "dagster" / "storage").rglob("*") if path.is_file()]
    assert kept
    assert [path for path in kept if "compute_logs" not in path.parts] == []


def test_what_we_start_listens_on_loopback_alone(tmp_path: Path) -> None:
    environment = {"TP_DATA_DIR": str(tmp_path / "data"), "TP_SETTINGS_FILE": str(tmp_path / "none.toml")}
    (tmp_path / "none.toml").touch()
    market = ("--synthetic", "--names", "5", "--minutes", "2", "--past", "0", "--hold")
    commands = {"health": ("--serve", "0"), "simulate": market}
    server = EmbeddedValkey(tmp_path / "data" / "valkey")
    started = []
    try:
        for name, arguments in commands.items():
            started.append(start_command(tmp_path / name, environment, name, *arguments))
        handle = server.ensure_running()
        for name, process in zip(commands, started, strict=True):
            assert process.pid is not None
            assert {one.ip for one in listening(process.pid, tmp_path / name)} <= {"127.0.0.1", "::1"}
        assert [one for one in psutil.Process(handle.pid).net_connections("inet") if one.status == "LISTEN"] == []
        assert stat.S_IMODE(handle.socket_path.lstat().st_mode) & 0o077 == 0
    finally:
        server.stop()
        for process in started:
            process.kill()
            process.join(20)


def listening(pid: int, log: Path) -> list[Any]:
    """Wait until a process listens; return the addresses."""
    begun = elapsed_ns()
    while not (found := [one.laddr for one in psutil.Process(pid).net_connections("inet") if one.status == "LISTEN"]):
        assert elapsed_ns() - begun < 60 * NS_PER_SECOND, log.read_text()
        pause(0.05)
    return found
