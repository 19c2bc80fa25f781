"""Each run that failed is told once, in order, also when nobody looked or the webhook was away."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import orjson
import pytest

from trading_platform.orchestration import sensor_failures
from trading_platform.orchestration.context import STARTED_BY
from trading_platform.orchestration.sensor_failures import MOST_TRIES, run_failures_sensor
from trading_platform.settings import IsolatedSettings
from trading_platform_tests.orchestration.webhook_server import Webhook, webhook

SECRET = "hidden-token"  # noqa: S105


@dg.op
def fall() -> None:
    """Fail with a secret in the text."""
    raise dg.Failure(f"the exchange refused {SECRET}", allow_retries=False)


@dg.job
def falling() -> None:
    fall()


@dg.op
def stand() -> None:
    """Do nothing."""


@dg.job
def standing() -> None:
    stand()


@pytest.fixture(scope="module")
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


@pytest.fixture
def hook() -> Iterator[Webhook]:
    with webhook() as made:
        yield made


@pytest.fixture
def settings(hook: Webhook, tmp_path: Path) -> IsolatedSettings:
    return IsolatedSettings(data_dir=tmp_path, kite_access_token=SECRET, alert_webhook_url=hook.url)


def tick(instance: dg.DagsterInstance, settings: IsolatedSettings, cursor: str | None) -> dg.SensorResult:
    sensor = run_failures_sensor(lambda: settings)
    result = sensor(dg.build_sensor_context(instance=instance, cursor=cursor))
    assert isinstance(result, dg.SensorResult)
    return result


def begin(instance: dg.DagsterInstance, settings: IsolatedSettings) -> str:
    result = tick(instance, settings, None)
    assert result.cursor is not None
    return result.cursor


def fail(instance: dg.DagsterInstance, **tags: str) -> str:
    named = {name.replace("__", "/"): value for name, value in tags.items()}
    return falling.execute_in_process(instance=instance, tags=named, raise_on_error=False).run_id


def test_the_first_look_tells_nothing_of_the_past(
    instance: dg.DagsterInstance, settings: IsolatedSettings, hook: Webhook
) -> None:
    fail(instance)
    cursor = begin(instance, settings)
    assert hook.posted == []
    again = tick(instance, settings, cursor)
    assert (str(again.skip_reason.skip_message if again.skip_reason else ""), again.cursor) == ("no run failed", cursor)


def test_each_failure_is_told_once_and_in_order(
    instance: dg.DagsterInstance, settings: IsolatedSettings, hook: Webhook
) -> None:
    cursor = begin(instance, settings)
    first = fail(instance, dagster__partition="2026-07-31")
    standing.execute_in_process(instance=instance)
    second = fail(instance)
    after = tick(instance, settings, cursor)
    assert [one["facts"]["run_id"] for one in hook.posted] == [first, second]
    assert [one["facts"]["partition"] for one in hook.posted] == ["2026-07-31", None]
    assert "job falling failed: " in hook.posted[0]["says"]
    assert "the exchange refused ***" in hook.posted[0]["says"]
    assert SECRET not in orjson.dumps(hook.posted).decode()
    assert SECRET not in str(after)
    tick(instance, settings, after.cursor)
    assert len(hook.posted) == 2


def test_a_run_that_another_one_started_is_told_as_that_one(
    instance: dg.DagsterInstance, settings: IsolatedSettings, hook: Webhook
) -> None:
    cursor = begin(instance, settings)
    falling.execute_in_process(instance=instance, tags={STARTED_BY: "outer"}, raise_on_error=False)
    outer = fail(instance)
    tick(instance, settings, cursor)
    assert [one["facts"]["run_id"] for one in hook.posted] == [outer]


def test_a_webhook_that_is_away_gets_it_later_and_in_order(
    instance: dg.DagsterInstance, settings: IsolatedSettings, hook: Webhook, caplog: pytest.LogCaptureFixture
) -> None:
    cursor = begin(instance, settings)
    first, second = fail(instance), fail(instance)
    hook.statuses = [500]
    away = tick(instance, settings, cursor)
    assert orjson.loads(away.cursor or "") == {**orjson.loads(cursor), "tries": 1}
    hook.posted.clear()
    hook.statuses = [200]
    back = tick(instance, settings, away.cursor)
    assert [one["facts"]["run_id"] for one in hook.posted] == [first, second]
    assert orjson.loads(back.cursor or "")["tries"] == 0
    # one line a failure, however often it was posted
    assert sum("job falling failed" in record.getMessage() for record in caplog.records) == 2


def test_a_webhook_that_stays_away_is_given_up(
    instance: dg.DagsterInstance, settings: IsolatedSettings, hook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sensor_failures, "MOST_TRIES", 2)
    assert MOST_TRIES > 2
    cursor = begin(instance, settings)
    fail(instance)
    hook.statuses = [500]
    once = tick(instance, settings, cursor)
    twice = tick(instance, settings, once.cursor)
    assert orjson.loads(twice.cursor or "")["event"] > orjson.loads(cursor)["event"]
    hook.posted.clear()
    tick(instance, settings, twice.cursor)
    assert hook.posted == []


def test_one_that_refuses_for_good_is_asked_once(
    instance: dg.DagsterInstance, settings: IsolatedSettings, hook: Webhook
) -> None:
    cursor = begin(instance, settings)
    fail(instance)
    hook.statuses = [404]
    after = tick(instance, settings, cursor)
    assert len(hook.posted) == 1
    assert orjson.loads(after.cursor or "")["event"] > orjson.loads(cursor)["event"]


def test_it_runs_by_default() -> None:
    assert run_failures_sensor(IsolatedSettings).default_status is dg.DefaultSensorStatus.RUNNING
