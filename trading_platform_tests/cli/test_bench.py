from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

from trading_platform.cli import bench
from trading_platform.cli.main import app
from trading_platform.errors import SettingsError


def case(**equal: bool) -> bench.Case:
    return bench.Case(lambda seconds, _within: {"seconds": seconds, "equal": equal}, 7.0, "made up")


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "CASES", {"good": case(frames=True), "bad": case(frames=True, digests=False)})


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["bench", *arguments])


@pytest.mark.usefixtures("made_up")
def test_only_what_is_asked_for_is_run_and_printed() -> None:
    done = run("--only", "good", "--json")
    told = orjson.loads(done.stdout)
    assert done.exit_code == 0
    assert told["benches"] == {"good": {"seconds": 7.0, "equal": {"frames": True}}}
    assert told["machine"]["cores"] >= 1
    assert {"socket_to_readable", "backlog", "equal"} <= set(told["definitions"])


@pytest.mark.usefixtures("made_up")
def test_a_difference_ends_it_with_one_and_is_named() -> None:
    done = run("--seconds", "2")
    assert done.exit_code == 1
    assert "bad: digests differ" in done.stderr
    assert 'good {"seconds":2.0' in done.stdout


def test_a_bench_that_is_not_there_is_named() -> None:
    done = run("--only", "feed-19k")
    assert isinstance(done.exception, SettingsError)
    assert "feed-19k" in str(done.exception)
    assert "feed-18k-20" in str(done.exception)
