"""The job says what the command says, and fails by name where something differs."""

from collections.abc import Iterator

import dagster as dg
import pytest

from trading_platform.definitions import build_definitions
from trading_platform.orchestration.job_debug_pipeline import DebugConfig
from trading_platform.wire import redis_keys
from trading_platform_tests.inspection.made import Place, make_place
from trading_platform_tests.orchestration.world import reason
from trading_platform_tests.session_data import SESSION, SHARD, TOKENS, make_session


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    made = make_place(tmp_path_factory.mktemp("debug"), make_session(5, minutes=8))
    yield made
    made.manager.stop_server()


def run(place: Place, monkeypatch: pytest.MonkeyPatch, **config: str) -> dg.ExecuteInProcessResult:
    for name in ("TP_REDIS_URL", "REDIS_URL"):
        monkeypatch.delenv(name, raising=False)
    job = build_definitions(place.settings).resolve_job_def("debug_pipeline")
    run_config = {"ops": {"debug_symbol": {"config": config}}}
    return job.execute_in_process(run_config=run_config, raise_on_error=False)


def test_the_report_stands_on_the_run(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    result = run(place, monkeypatch, symbol="NAME1", at="09:20", why_not="breakout")
    assert result.success
    (output,) = [event for event in result.all_node_events if event.is_successful_output]
    metadata = output.step_output_data.metadata
    assert metadata["differences"].value == 0
    report = str(metadata["report"].value)
    assert report.startswith("```text\nNSE:NAME1  EQ")
    assert "at 09:20:00 IST" in report


def test_a_difference_fails_the_run_and_is_named(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    key = redis_keys.latest(SHARD, SESSION)
    with place.redis_with(key, "HDEL", key, TOKENS[1]):
        said = reason(run(place, monkeypatch, symbol="NAME1"))
    assert "1 differences: Redis  latest  journal a row  stored no such row" in said


def test_what_cannot_be_answered_fails_with_what_can(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "the nearest are NAME" in reason(run(place, monkeypatch, symbol="NAME9"))
    assert "the patterns are volume_spike" in reason(run(place, monkeypatch, symbol="NAME1", why_not="flag"))


def test_every_field_says_what_it_is() -> None:
    assert all(field.description for field in DebugConfig.model_fields.values())
