"""The sensors say what health finds, once, again after a while, and when it is over; never on a holiday."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import orjson
import pytest

from trading_platform.calc.volume_baseline import INTERVALS, BaselineBlock
from trading_platform.market.clock import NS_PER_SECOND, Clock
from trading_platform.orchestration.sensors_guard import (
    APART_SECONDS,
    OBSERVE_SECONDS,
    REPEAT_SECONDS,
    SILENT_SECONDS,
    Silence,
    baseline_stale_sensor,
    feed_silent_sensor,
    guard_sensors,
    health_sensor,
)
from trading_platform.settings import IsolatedSettings
from trading_platform.storage.redis_manager import RedisManager
from trading_platform.storage.redis_store import RedisStore
from trading_platform_tests.health.made import FRIDAY, at, clock_at, feed_values, socket
from trading_platform_tests.orchestration.webhook_server import Webhook, webhook

THURSDAY, SATURDAY = date(2026, 7, 30), date(2026, 8, 1)
REPUBLIC_DAY = date(2026, 1, 26)


@pytest.fixture
def hook() -> Iterator[Webhook]:
    with webhook() as made:
        yield made


@pytest.fixture
def settings(hook: Webhook, tmp_path: Path) -> IsolatedSettings:
    return IsolatedSettings(data_dir=tmp_path, alert_webhook_url=hook.url)


def now() -> int:
    return Clock.wall().now_ns() // NS_PER_SECOND


def ago(seconds: int, **changed: Any) -> str:
    """Return the cursor of a silence that began so many seconds ago."""
    return Silence(**{"since": now() - seconds, **changed}).text()


def tick(sensor: dg.SensorDefinition, cursor: str | None = None) -> tuple[str, Silence | str]:
    result = sensor(dg.build_sensor_context(cursor=cursor))
    assert isinstance(result, dg.SensorResult)
    assert result.skip_reason is not None
    text = result.cursor or ""
    return str(result.skip_reason.skip_message), Silence.parse(text) if text.startswith("{") else text


def silent_at(settings: IsolatedSettings, clock: Clock, cursor: str | None = None) -> tuple[str, Silence]:
    says, after = tick(feed_silent_sensor(lambda: settings, clock=clock), cursor)
    assert isinstance(after, Silence)
    return says, after


def write_feed(settings: IsolatedSettings, **changed: Any) -> None:
    settings.feed_dir.mkdir(exist_ok=True)
    values = orjson.dumps(feed_values(pid=1, **changed), option=orjson.OPT_NON_STR_KEYS)
    (settings.feed_dir / "k1.json").write_bytes(values)


OPEN = clock_at(at(10))


def test_a_silence_is_told_when_it_has_lasted(settings: IsolatedSettings, hook: Webhook) -> None:
    before = now()
    says, begun = silent_at(settings, OPEN)
    assert "no feed of this shard has run here" in says
    assert before <= begun.since <= now()
    assert hook.posted == []
    says, after = silent_at(settings, OPEN, ago(SILENT_SECONDS + 1))
    assert says.startswith("logged and posted: feed is red")
    (posted,) = hook.posted
    assert (posted["kind"], posted["level"]) == ("feed_silent", "red")
    assert posted["advice"] == "start it: trading-platform feed"
    assert posted["facts"]["silent_seconds"] > SILENT_SECONDS
    assert after.is_told


def test_a_silence_that_goes_on_is_repeated_only_after_a_while(settings: IsolatedSettings, hook: Webhook) -> None:
    silent_at(settings, OPEN, ago(REPEAT_SECONDS, told=now() - REPEAT_SECONDS // 2, is_told=True))
    assert hook.posted == []
    silent_at(settings, OPEN, ago(REPEAT_SECONDS, told=now() - REPEAT_SECONDS, is_told=True))
    assert len(hook.posted) == 1


def test_a_feed_that_comes_and_goes_is_not_told_each_time(settings: IsolatedSettings, hook: Webhook) -> None:
    silent_at(settings, OPEN, ago(SILENT_SECONDS + 1, told=now() - APART_SECONDS // 2))
    assert hook.posted == []
    silent_at(settings, OPEN, ago(SILENT_SECONDS + 1, told=now() - APART_SECONDS))
    assert len(hook.posted) == 1


def test_that_it_is_over_is_told_once(settings: IsolatedSettings, hook: Webhook) -> None:
    write_feed(settings)
    _, after = silent_at(settings, OPEN, ago(300, told=now() - 200, is_told=True))
    (posted,) = hook.posted
    assert (posted["level"], posted["kind"]) == ("green", "feed_silent")
    assert (after.since, after.is_told) == (0, False)
    silent_at(settings, OPEN, after.text())
    assert len(hook.posted) == 1


def test_sockets_that_are_all_away_are_silence_and_one_is_not(settings: IsolatedSettings, hook: Webhook) -> None:
    away = {"state": "waiting", "last_ending": "connection refused"}
    write_feed(settings, sockets=[socket(0, **away), socket(1)])
    assert silent_at(settings, OPEN, ago(60))[1].since == 0
    write_feed(settings, sockets=[socket(0, **away), socket(1, **away)])
    says, _ = silent_at(settings, OPEN, ago(60))
    assert "sockets is red: 0 of 2 connected" in says
    assert len(hook.posted) == 1


@pytest.mark.parametrize(
    "moment",
    [at(10, on=SATURDAY), at(10, on=REPUBLIC_DAY), at(20), at(7)],
    ids=["saturday", "holiday", "evening", "early"],
)
def test_a_closed_market_is_no_silence(moment: int, settings: IsolatedSettings, hook: Webhook) -> None:
    # the classes of shares alone: other exchanges are open in the evening
    write_feed(settings, state="stopped", sockets=[])
    _, after = silent_at(settings, clock_at(moment), ago(60))
    assert (after.since, hook.posted) == (0, [])


def test_what_the_webhook_did_not_take_is_told_again_soon(settings: IsolatedSettings, hook: Webhook) -> None:
    hook.statuses = [500]
    _, after = silent_at(settings, OPEN, ago(60))
    assert not after.is_told
    hook.statuses = [200]
    hook.posted.clear()
    silent_at(settings, OPEN, Silence(after.since, now() - APART_SECONDS).text())
    assert len(hook.posted) == 1


@pytest.fixture
def redis(settings: IsolatedSettings) -> Iterator[RedisManager]:
    manager = RedisManager(None, settings.valkey_dir)
    manager.connect()
    yield manager
    manager.stop_server()


def publish(redis: RedisManager, session: date) -> None:
    block = BaselineBlock(session, np.array([1], np.uint32), 555, {k: np.ones((1, 2)) for k in INTERVALS}, ())
    RedisStore(redis.connect(), "k1").publish_block("baseline", block.encode())


def stale_at(settings: IsolatedSettings, moment: int, cursor: str | None = None) -> tuple[str, str]:
    says, after = tick(baseline_stale_sensor(lambda: settings, clock=clock_at(moment)), cursor)
    assert isinstance(after, str)
    return says, after


def test_a_stale_baseline_is_told_once_before_the_open(
    settings: IsolatedSettings, redis: RedisManager, hook: Webhook
) -> None:
    write_feed(settings)
    publish(redis, THURSDAY)
    assert stale_at(settings, at(7, 30))[0] == "no session opens within an hour"
    says, cursor = stale_at(settings, at(8, 30))
    assert cursor == str(FRIDAY)
    assert "1 sessions old" in says
    (posted,) = hook.posted
    assert posted["kind"] == "baseline_stale"
    assert posted["says"].startswith(f"the baseline of session {FRIDAY}, which opens at 09:00, is not there")
    assert "materialize_baselines" in posted["advice"]
    assert stale_at(settings, at(8, 31), cursor)[0].startswith("said already")
    assert len(hook.posted) == 1
    publish(redis, FRIDAY)
    assert stale_at(settings, at(8, 40), cursor) == (stale_at(settings, at(8, 40))[0], "ready")
    assert len(hook.posted) == 1


def test_it_is_told_while_the_market_is_open_when_nobody_looked_before(
    settings: IsolatedSettings, redis: RedisManager, hook: Webhook
) -> None:
    write_feed(settings)
    assert stale_at(settings, at(10))[1] == str(FRIDAY)
    assert "none is published" in hook.posted[0]["says"]


def test_no_baseline_is_asked_for_on_a_holiday(settings: IsolatedSettings, hook: Webhook) -> None:
    write_feed(settings)
    for on in (SATURDAY, REPUBLIC_DAY):
        assert stale_at(settings, at(8, 30, on=on))[0] == "no session opens within an hour"
    assert hook.posted == []


def observed(settings: IsolatedSettings, cursor: str | None) -> dg.SensorResult:
    with dg.DagsterInstance.ephemeral() as instance:
        result = health_sensor(lambda: settings)(dg.build_sensor_context(instance=instance, cursor=cursor))
    assert isinstance(result, dg.SensorResult)
    return result


def test_health_is_recorded_when_a_level_changes_and_every_quarter_of_an_hour(settings: IsolatedSettings) -> None:
    first = observed(settings, None)
    observation, verdict = first.asset_events
    assert isinstance(observation, dg.AssetObservation)
    assert observation.metadata["level"].value in (0, 1, 2)
    assert isinstance(verdict, dg.AssetCheckEvaluation)
    same = observed(settings, first.cursor)
    assert (list(same.asset_events), same.cursor) == ([], first.cursor)
    held = orjson.loads(first.cursor or "")
    later = {**held, "at": held["at"] - OBSERVE_SECONDS}
    assert len(observed(settings, orjson.dumps(later).decode()).asset_events) == 2
    changed = {**held, "levels": {**held["levels"], "redis": 7}}
    assert len(observed(settings, orjson.dumps(changed).decode()).asset_events) == 2


def test_all_run_by_default() -> None:
    sensors = guard_sensors(IsolatedSettings)
    assert {one.name for one in sensors} == {"feed_silent", "baseline_stale", "health_over_time"}
    assert {one.default_status for one in sensors} == {dg.DefaultSensorStatus.RUNNING}
