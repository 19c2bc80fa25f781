"""The commands as a user gives them: one migration there, compared, and back."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from trading_platform.batch.instrument_dump import dump_csv
from trading_platform.cli.main import app
from trading_platform.errors import PlatformError
from trading_platform.storage.embedded_valkey import EmbeddedValkey
from trading_platform_tests.migration.legacy_databases import DAY, Made, dump_of, legacy_keys, write_keys
from trading_platform_tests.migration.two_servers import PASSWORD, TwoServers, snapshot, two_servers

COMMANDS = ("plan", "run", "verify", "rollback")


class Platform:
    """The command line with a data folder of its own, whose server is that of the target."""

    def __init__(self, servers: TwoServers, data: Path) -> None:
        self.servers, self.data = servers, data
        self.source = ("--source", servers.url, "--password-file", str(servers.password_file))

    def migrate(self, *arguments: str, layout: str = "L4") -> tuple[int, str, str]:
        """Give a command; errors that the program's entry prints are returned as it prints them."""
        done = CliRunner().invoke(app, ["migrate", *arguments, "--layout", layout])
        assert PASSWORD not in done.output
        if isinstance(done.exception, PlatformError):
            return 2, done.stdout, f"error: {done.exception}"
        return done.exit_code, done.stdout, done.stderr


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoServers]:
    with two_servers(tmp_path_factory.mktemp("servers")) as both:
        yield both


@pytest.fixture
def platform(servers: TwoServers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Platform:
    servers.flush()
    monkeypatch.setenv("TP_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("TP_REDIS_URL", f"unix://{servers.target_socket}")
    return Platform(servers, tmp_path)


def written(layout: str, *, whole: bool) -> list[Made]:
    return [one for one in legacy_keys(layout, 2, buckets=5) if one.target or not whole]


def test_a_whole_migration_there_and_back(platform: Platform) -> None:
    made = written("l4", whole=True)
    write_keys(platform.servers.source, made)
    (platform.data / "dumps").mkdir()
    # the dump of a real day names each token once
    (platform.data / "dumps" / f"instruments_{DAY:%Y%m%d}.csv").write_bytes(dump_csv(dump_of(DAY).instruments[:2]))
    code, out, _ = platform.migrate("plan", *platform.source)
    assert code == 0, out
    assert f"{len(made):,} keys = {len(made):,} taken + 0 set aside" in out
    assert any(line.split()[:3] == ["india_vix", "convert", "8"] for line in out.splitlines())
    code, out, _ = platform.migrate("run", *platform.source, "--json")
    assert (code, orjson.loads(out)["done"]["written"]["keys"]) == (0, len(made))
    assert set(snapshot(platform.servers.target)) == {str(one.target).encode() for one in made}
    code, out, _ = platform.migrate("verify", *platform.source)
    assert (code, out.splitlines()[-1]) == (0, f"verify: {len(made):,} keys as they should be, 0 set aside")
    platform.servers.target.hset("legacy:l4:ticks_latest:INFY", "changed", 1)
    code, out, _ = platform.migrate("verify", *platform.source)
    assert code == 3
    assert "the target was changed since it was written" in out
    assert "ticks:latest:INFY -> legacy:l4:ticks_latest:INFY" in out
    code, out, _ = platform.migrate("rollback")
    assert code == 3
    assert list(snapshot(platform.servers.target)) == [b"legacy:l4:ticks_latest:INFY"]


def test_what_is_set_aside_is_named_and_exits_3(platform: Platform) -> None:
    made = written("l3", whole=False)
    write_keys(platform.servers.source, made)
    code, out, _ = platform.migrate("plan", *platform.source, "--json", layout="L3")
    report = orjson.loads(out)
    assert (code, report["keys"], report["whole"]) == (3, len(made), False)
    assert report["unmatched"]["no rule knows its shape"]["samples"]
    code, out, _ = platform.migrate("run", *platform.source, layout="L3")
    assert code == 3
    assert "no rule knows its shape" in out
    assert "nobody:knows:this" in out
    assert "\x1b" not in out
    assert (platform.data / "migration" / "l3" / "plan.jsonl").is_file()


def test_a_run_makes_its_plan_where_there_is_none(platform: Platform, tmp_path: Path) -> None:
    platform.servers.database(1).set("price:realtime:INFY", 1)
    code, _, _ = platform.migrate("run", *platform.source, "--folder", str(tmp_path / "m"), "--copy", "type")
    assert code == 0
    assert sorted(path.name for path in (tmp_path / "m").iterdir()) == ["ledger.jsonl", "lock", "plan.jsonl"]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("plan", "--source", "redis://localhost:1"), "cannot be reached|refuses"),
        (("plan", "--source", "redis://localhost/1"), "leave the database out"),
        (("verify", "--source", "redis://localhost:1"), "refuses"),
    ],
)
def test_what_cannot_be_done_exits_2(platform: Platform, arguments: tuple[str, ...], why: str) -> None:
    code, _, error = platform.migrate(*arguments)
    assert code == 2
    assert error.startswith("error: ")
    assert any(word in error for word in why.split("|"))


def test_other_things_that_cannot_be_done_exit_2(platform: Platform, tmp_path: Path) -> None:
    code, _, error = platform.migrate("plan", *platform.source, layout="L1")
    assert (code, "known are L3, L4" in error) == (2, True)
    code, _, error = platform.migrate("rollback", "--folder", str(tmp_path))
    assert (code, "no ledger" in error) == (2, True)
    own = ("--source", f"unix://{platform.servers.target_socket}")
    code, _, error = platform.migrate("plan", *own)
    assert (code, "source and target are the same" in error) == (2, True)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_an_example_and_exit_codes(command: str) -> None:
    shown = CliRunner().invoke(app, ["migrate", command, "--help"]).stdout
    assert f"trading-platform migrate {command}" in shown
    assert "Exit codes: 0" in shown


def test_without_a_url_the_embedded_server_is_written(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    platform.servers.database(1).set("price:realtime:INFY", 1)
    monkeypatch.delenv("TP_REDIS_URL")
    monkeypatch.delenv("REDIS_URL", raising=False)
    embedded = EmbeddedValkey(platform.data / "valkey")
    try:
        assert platform.migrate("run", *platform.source)[0] == 0
        assert platform.migrate("rollback")[0] == 0
    finally:
        embedded.stop()


def test_the_program_itself_exits_with_the_code(platform: Platform) -> None:
    platform.servers.database(1).set("nobody:knows:this", 1)
    command = [sys.executable, "-m", "trading_platform", "migrate", "plan", *platform.source, "--layout", "L4"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, "nobody:knows:this" in done.stdout, done.stderr) == (3, True, "")


def test_the_commands_of_the_docs_work(platform: Platform) -> None:
    write_keys(platform.servers.source, written("l4", whole=False))
    document = (Path(__file__).resolve().parents[2] / "docs" / "migrate.md").read_text()
    (block,) = re.findall(r"```bash\n(.*?)```", document, flags=re.DOTALL)
    lines = [line.split()[2:] for line in block.splitlines() if not line.startswith("#")]
    assert [line[0] for line in lines] == list(COMMANDS)
    real = {"redis://migrate@legacy-host:6379": platform.source[1], "legacy.password": platform.source[3]}
    codes = []
    for line in lines:
        done = CliRunner().invoke(app, ["migrate", *(real.get(word, word) for word in line)])
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        codes.append(done.exit_code)
    assert codes == [3, 3, 0, 0]
    assert snapshot(platform.servers.target) == {}
