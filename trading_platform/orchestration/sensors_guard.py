"""Sensors that watch: a feed that is silent, a baseline that is stale before the open, and health over time.

What is wrong is judged by the code of `trading-platform health` alone; here is only when to say it, and how often.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import dagster as dg
import orjson

from trading_platform.health.checks_feed import check_feed, check_sockets
from trading_platform.health.checks_store import check_baseline
from trading_platform.health.findings import Finding, Level, worst
from trading_platform.health.look import REDIS_SECONDS, FeedLook, Health, look_at_feed
from trading_platform.health.look_store import look_at_baseline
from trading_platform.health.market_hours import Duty, MarketHours, market_hours
from trading_platform.market.clock import NS_PER_SECOND, Clock, from_ns
from trading_platform.market.sessions import SessionTable, load_session_table
from trading_platform.orchestration.alerts import Alert, Delivery, deliver
from trading_platform.orchestration.job_health import health_events, look_from_here, told
from trading_platform.settings import Settings
from trading_platform.storage.redis_manager import RedisManager

SILENT_SECONDS = 20
"""How long a feed is silent before it is said: a socket that connects again takes a second."""

REPEAT_SECONDS = 900
"""How often a silence that goes on is said again."""

APART_SECONDS = 120
"""A feed that comes and goes is not told of more often than this."""

BEFORE_OPEN_SECONDS = 3600
"""How long before the first phase of the day a baseline has to be there, or it is said."""

OBSERVE_SECONDS = 900
"""How often health is recorded while no level changes."""

_FEED_SECONDS, _BASELINE_SECONDS, _HEALTH_SECONDS = 10, 60, 60

SettingsNow = Callable[[], Settings]


def guard_sensors(settings_now: SettingsNow) -> list[dg.SensorDefinition]:
    """Return all of them."""
    return [feed_silent_sensor(settings_now), baseline_stale_sensor(settings_now), health_sensor(settings_now)]


@dataclass(frozen=True, slots=True)
class Silence:
    """Since when the feed is silent and when that was said last; seconds since the epoch, 0 for never."""

    since: int = 0
    told: int = 0
    is_told: bool = False
    """Whether this very silence was said."""

    @classmethod
    def parse(cls, text: str | None) -> "Silence":
        """Read a cursor."""
        return cls(**orjson.loads(text)) if text else cls()

    def text(self) -> str:
        """Write the cursor down."""
        return orjson.dumps(self).decode()

    def is_due(self, now: int) -> bool:
        """Return whether to say it now."""
        wait = REPEAT_SECONDS if self.is_told else APART_SECONDS
        return now - self.since >= SILENT_SECONDS and now - self.told >= wait


def feed_silent_sensor(settings_now: SettingsNow, *, clock: Clock | None = None) -> dg.SensorDefinition:
    """Return the sensor; `clock` is the market's where it is not the feed's."""

    @dg.sensor(
        name="feed_silent",
        minimum_interval_seconds=_FEED_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Says so when nothing is recorded in market hours, and when it goes on again.",
    )
    def feed_silent(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        """Judge the feed's snapshot by the hours of what it subscribes."""
        settings, now = settings_now(), _seconds()
        findings = _feed_findings(settings, load_session_table(), clock)
        before = Silence.parse(context.cursor)
        if worst(findings) is not Level.RED:
            return _over(before, findings, settings)
        silence = Silence(before.since or now, before.told, before.is_told)
        says = "; ".join(told(one) for one in findings if one.level is Level.RED)
        if not silence.is_due(now):
            return dg.SensorResult(skip_reason=f"{says}; not said yet, or a moment ago", cursor=silence.text())
        advice = next((one.advice for one in findings if one.level is Level.RED), None)
        alert = Alert("feed_silent", "red", says, advice, {"silent_seconds": now - silence.since})
        delivery = deliver(alert, settings)
        return _said(says, delivery, Silence(silence.since, now, is_told=delivery.is_done).text())

    return feed_silent


def _over(before: Silence, findings: Sequence[Finding], settings: Settings) -> dg.SensorResult:
    """Go on; say that a silence which was said is over."""
    after = Silence(0, before.told).text()
    says = "; ".join(one.says for one in findings)
    if not before.is_told:
        return dg.SensorResult(skip_reason=says, cursor=after)
    delivery = deliver(Alert("feed_silent", "green", f"over: {says}"), settings)
    return _said(says, delivery, after)


def _feed_findings(settings: Settings, table: SessionTable, clock: Clock | None) -> list[Finding]:
    """Return the findings that tell of silence; the market's closed hours make none of them red."""
    look = look_at_feed(settings, table, clock=clock)
    return [check_feed(look.feed, look.hours), check_sockets(look.feed, look.hours)]


def baseline_stale_sensor(settings_now: SettingsNow, *, clock: Clock | None = None) -> dg.SensorDefinition:
    """Return the sensor; its cursor names the session of which something was said last."""

    @dg.sensor(
        name="baseline_stale",
        minimum_interval_seconds=_BASELINE_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Says so when the baseline of volumes is not that of the session which opens within an hour.",
    )
    def baseline_stale(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        """Judge the published baseline as health will at the open."""
        settings, table = settings_now(), load_session_table()
        look = look_at_feed(settings, table, clock=clock)
        hours = _hours_to_judge(look, table)
        if hours is None:
            return dg.SensorResult(skip_reason="no session opens within an hour", cursor=context.cursor)
        facts = look_at_baseline(_manager(settings), settings.shard, table, hours.today)
        finding, session = check_baseline(facts, hours), hours.today.isoformat()
        if finding.level is Level.GREEN:
            return dg.SensorResult(skip_reason=f"ready for {session}: {finding.says}", cursor="ready")
        if context.cursor == session:
            return dg.SensorResult(skip_reason=f"said already: {finding.says}", cursor=session)
        opens = "" if hours.opens_ns is None else f", which opens at {from_ns(hours.opens_ns):%H:%M},"
        says = f"the baseline of session {session}{opens} is not there: {finding.says}"
        alert = Alert("baseline_stale", finding.level.word, says, finding.advice, {"session": session})
        delivery = deliver(alert, settings)
        return _said(says, delivery, session if delivery.is_done else "not posted")

    return baseline_stale


def _hours_to_judge(look: FeedLook, table: SessionTable) -> MarketHours | None:
    """Return the hours of the open session, or of one at its open that is an hour off at most."""
    hours = look.hours
    if hours.duty is Duty.OPEN:
        return hours
    opens_ns = hours.next_opens_ns
    if opens_ns is None or opens_ns - hours.now_ns > BEFORE_OPEN_SECONDS * NS_PER_SECOND:
        return None
    return market_hours(table, look.classes, opens_ns)


def health_sensor(settings_now: SettingsNow) -> dg.SensorDefinition:
    """Return the sensor that records health when a level changes, and every quarter of an hour."""

    @dg.sensor(
        name="health_over_time",
        minimum_interval_seconds=_HEALTH_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Records what health finds as observations of platform_health, without a run.",
    )
    def health_over_time(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        """Look, and record what is new."""
        found, now = look_from_here(settings_now(), context.instance), _seconds()
        before = orjson.loads(context.cursor) if context.cursor else {}
        levels = _levels(found)
        if before.get("levels") == levels and now - before["at"] < OBSERVE_SECONDS:
            return dg.SensorResult(skip_reason=f"{found.level.word}, as before", cursor=context.cursor)
        cursor = orjson.dumps({"levels": levels, "at": now}).decode()
        return dg.SensorResult(asset_events=health_events(found), cursor=cursor)

    return health_over_time


def _levels(found: Health) -> dict[str, int]:
    return {one.name: int(one.level) for one in found.findings}


def _said(says: str, delivery: Delivery, cursor: str) -> dg.SensorResult:
    return dg.SensorResult(skip_reason=f"{delivery}: {says}", cursor=cursor)


def _manager(settings: Settings) -> RedisManager:
    url = settings.redis_url
    return RedisManager(url.get_secret_value() if url else None, settings.valkey_dir, timeout_seconds=REDIS_SECONDS)


def _seconds() -> int:
    return Clock.wall().now_ns() // NS_PER_SECOND
