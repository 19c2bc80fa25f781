"""The job does what the commands do, is configured by typed fields, and keeps no password."""

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import redis

from trading_platform.definitions import build_definitions
from trading_platform.orchestration.job_migrate_redis import MigrateRedisConfig
from trading_platform.settings import Settings
from trading_platform.storage.embedded_valkey import EmbeddedValkey
from trading_platform_tests.migration.two_servers import PASSWORD, TwoServers, snapshot, two_servers
from trading_platform_tests.orchestration.world import reason


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoServers]:
    with two_servers(tmp_path_factory.mktemp("servers")) as both:
        yield both


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    EmbeddedValkey(tmp_path / "valkey").stop()


@functools.cache
def job_of(data: Path) -> dg.JobDefinition:
    return build_definitions(Settings(data_dir=data)).resolve_job_def("migrate_redis")


def run(data: Path, **config: str) -> dg.ExecuteInProcessResult:
    job = job_of(data)
    ops = {"migrate": {"config": {"layout": "L4", **config}}}
    return job.execute_in_process(run_config={"ops": ops}, raise_on_error=False)


def metadata(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    (event,) = [one for one in result.all_events if one.is_successful_output]
    return {name: one.value for name, one in event.step_output_data.metadata.items()}


def test_a_migration_there_and_back(servers: TwoServers, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TP_REDIS_URL", raising=False)
    monkeypatch.delenv("REDIS_URL", raising=False)
    servers.flush()
    servers.database(1).hset("ticks:latest:NSE:INFY", "a", 1)
    servers.database(1).set("nobody:knows:this", 1)
    source = {"source_url": servers.url, "password_file": str(servers.password_file)}
    planned = metadata(run(data, action="plan", **source))
    assert (planned["keys"], planned["taken"], planned["aside"]) == (2, 1, 1)
    assert planned["report"]["unmatched"]["no rule knows its shape"]["keys"] == 1
    assert (data / "migration" / "l4" / "plan.jsonl").is_file()
    done = metadata(run(data, action="run", **source))
    assert (done["done"], done["aside"]) == (1, 1)
    target = EmbeddedValkey(data / "valkey").ensure_running()
    client = redis.Redis(unix_socket_path=str(target.socket_path))
    assert list(snapshot(client)) == [b"legacy:l4:ticks_latest:NSE:INFY"]
    assert metadata(run(data, action="verify", **source))["done"] == 1
    client.hset("legacy:l4:ticks_latest:NSE:INFY", "a", 2)
    refused = run(data, action="verify", **source)
    assert not refused.success
    assert "source and target differ" in reason(refused)
    client.hset("legacy:l4:ticks_latest:NSE:INFY", "a", 1)
    assert metadata(run(data, action="rollback"))["done"] == 1
    assert snapshot(client) == {}


@pytest.mark.parametrize("url", [f"redis://user:{PASSWORD}@localhost:1", f"redis://localhost:1?password={PASSWORD}"])
def test_a_password_in_the_configuration_is_refused(data: Path, url: str) -> None:
    result = run(data, source_url=url)
    assert not result.success
    assert "password_file" in reason(result)
    assert PASSWORD not in reason(result)


def test_what_cannot_be_done_fails_with_its_reason(servers: TwoServers, data: Path) -> None:
    result = run(data, action="run", source_url=f"unix://{data}/nobody.sock")
    assert "nobody.sock" in reason(result)
    assert "no ledger" in reason(run(data, action="rollback"))
    assert "no usable Redis URL" in reason(run(data, action="plan"))


def test_fields_are_typed_and_described() -> None:
    fields = MigrateRedisConfig.to_fields_dict()
    assert set(fields) == {"action", "layout", "source_url", "password_file", "folder", "dumps_dir"}
    assert all(field.description for field in fields.values())
    job = job_of(Path("data"))
    for wrong in (
        {"layout": "L1"},
        {"layout": "L4", "action": "delete"},
        {"action": "plan"},
        {"layout": "L4", "x": "y"},
    ):
        with pytest.raises(dg.DagsterInvalidConfigError):
            job.execute_in_process(run_config={"ops": {"migrate": {"config": wrong}}})
