"""The sensor asks for one run for all intervals since its cursor, and says in words why it does not."""

from datetime import date

import dagster as dg
import orjson
import pytest

from trading_platform.orchestration.context import FROM_RECORD, TO_RECORD
from trading_platform.orchestration.sensors import closed_bars_sensor
from trading_platform.ports import LivePosition
from trading_platform_tests.batch.lake_rows import SESSION
from trading_platform_tests.orchestration.fakes import FakeJournals, FakeStore, fake_redis, position

FIVE = 300


@dg.op
def nothing() -> None:
    """Do nothing."""


@dg.job
def run_patterns() -> None:
    nothing()


SENSOR = closed_bars_sensor(run_patterns, block_milliseconds=7)


def tick(store: FakeStore, cursor: str | None = None, sessions: str = str(SESSION)) -> dg.SensorResult | dg.SkipReason:
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_sensor_context(instance=instance, cursor=cursor)
        return SENSOR(context, redis_manager=fake_redis(store), journals=FakeJournals(root=sessions, shard="k1"))


def test_closed_intervals_give_one_run_and_a_cursor() -> None:
    result = tick(FakeStore(position(record=50, last_closed=2 * FIVE, closed=False), "48-1"))
    assert isinstance(result, dg.SensorResult)
    (request,) = result.run_requests or []
    assert request.run_key == f"{SESSION}-48-1"
    assert request.partition_key == str(SESSION)
    assert (request.tags[FROM_RECORD], request.tags[TO_RECORD]) == ("0", "50")
    assert orjson.loads(result.cursor)["record"] == 50


def test_the_next_run_begins_where_the_last_ended() -> None:
    first = tick(FakeStore(position(record=50, last_closed=FIVE, closed=False), "48-1"))
    second = tick(FakeStore(position(record=90, last_closed=4 * FIVE, closed=False), "88-0"), first.cursor)
    (request,) = second.run_requests
    assert (request.tags[FROM_RECORD], request.tags[TO_RECORD]) == ("50", "90")


def test_nothing_new_waits_and_skips() -> None:
    store = FakeStore(position(record=50, last_closed=FIVE, closed=False), "48-1")
    first = tick(store)
    second = tick(store, first.cursor)
    assert isinstance(second, dg.SkipReason)
    assert "closed after entry 48-1" in second.skip_message
    assert store.waits == [("48-1", 7)]


def test_an_interval_that_closes_while_waiting_is_acted_on() -> None:
    store = FakeStore(position(record=50, last_closed=FIVE, closed=False), "48-1")
    cursor = tick(store).cursor
    store.after_wait = (position(record=60, last_closed=2 * FIVE, closed=False), "60-0")
    result = tick(store, cursor)
    assert [request.run_key for request in result.run_requests] == [f"{SESSION}-60-0"]


def test_a_minute_that_ends_no_interval_is_named() -> None:
    store = FakeStore(position(record=50, last_closed=FIVE, closed=False), "48-1")
    cursor = tick(store).cursor
    store.after_wait = (position(record=60, last_closed=FIVE, closed=False), "60-0")
    result = tick(store, cursor)
    assert "no five-minute interval since 05:35" in result.skip_message


def test_the_end_of_a_session_gives_a_last_run() -> None:
    cursor = tick(FakeStore(position(record=50, last_closed=FIVE, closed=False), "48-1")).cursor
    result = tick(FakeStore(position(record=51, last_closed=FIVE, closed=True), "48-1"), cursor)
    assert [request.run_key for request in result.run_requests] == [f"{SESSION}-48-1-closed"]
    again = tick(FakeStore(position(record=51, last_closed=FIVE, closed=True), "48-1"), result.cursor)
    assert isinstance(again, dg.SkipReason)


class SeveralSessions(FakeStore):
    """A store whose sessions stand at different positions."""

    def __init__(self, positions: dict[str, LivePosition], entry: str = "8-0") -> None:
        super().__init__(None, entry)
        self._positions = positions

    def position(self, session: date) -> LivePosition | None:
        return self._positions.get(str(session))


LATER, LATEST = "2026-07-31", "2026-08-03"


def asked(result: dg.SensorResult | dg.SkipReason) -> list[tuple[str | None, str]]:
    assert isinstance(result, dg.SensorResult), result.skip_message
    return [(request.partition_key, request.tags[FROM_RECORD]) for request in result.run_requests or []]


def test_a_new_session_starts_over() -> None:
    ended = position(record=50, last_closed=FIVE, closed=True)
    cursor = tick(FakeStore(ended, "48-1")).cursor
    store = SeveralSessions({str(SESSION): ended, LATER: position(record=9, last_closed=FIVE, closed=False)})
    assert asked(tick(store, cursor, f"{SESSION},{LATER}")) == [(LATER, "0")]


def test_a_session_that_ended_while_nobody_looked_comes_first() -> None:
    cursor = tick(FakeStore(position(record=50, last_closed=FIVE, closed=False), "48-1")).cursor
    store = SeveralSessions(
        {
            str(SESSION): position(record=99, last_closed=9 * FIVE, closed=True),
            LATER: position(record=9, last_closed=FIVE, closed=False),
        }
    )
    first = tick(store, cursor, f"{SESSION},{LATER}")
    assert asked(first) == [(str(SESSION), "50")]
    second = tick(store, first.cursor, f"{SESSION},{LATER}")
    assert asked(second) == [(LATER, "0")]


def test_journals_ahead_of_the_engine_are_waited_for_and_expired_ones_passed_over() -> None:
    ended = position(record=50, last_closed=FIVE, closed=True)
    journals = f"{SESSION},{LATER},{LATEST}"
    # the engine is at the second of three journals; nothing of the first is left in Redis
    assert asked(tick(SeveralSessions({LATER: ended}), None, journals)) == [(LATER, "0")]
    # the third has no engine yet: the sensor waits at the second
    store = SeveralSessions({LATER: ended})
    cursor = tick(store, None, journals).cursor
    waiting = tick(store, cursor, journals)
    assert isinstance(waiting, dg.SkipReason)
    assert LATER in waiting.skip_message


@pytest.mark.parametrize(
    ("store", "sessions", "reason"),
    [
        (FakeStore(), "", "has no journal yet"),
        (FakeStore(), str(SESSION), "closed after entry 0-0"),
        (FakeStore(position(record=5, last_closed=FIVE), None), str(SESSION), "has closed no bar"),
    ],
)
def test_reasons_to_skip(store: FakeStore, sessions: str, reason: str) -> None:
    result = tick(store, None, sessions)
    assert isinstance(result, dg.SkipReason)
    assert reason in result.skip_message


def test_while_a_run_of_its_own_is_under_way_none_is_asked_for() -> None:
    store = FakeStore(position(record=50, last_closed=FIVE, closed=False), "48-1")
    with dg.DagsterInstance.ephemeral() as instance:
        for tags in ({"dagster/sensor_name": "closed_bars"}, {"dagster/sensor_name": "another"}, {}):
            instance.create_run_for_job(run_patterns, status=dg.DagsterRunStatus.STARTED, tags=tags)

        def look() -> dg.SensorResult | dg.SkipReason:
            context = dg.build_sensor_context(instance=instance)
            return SENSOR(
                context, redis_manager=fake_redis(store), journals=FakeJournals(root=str(SESSION), shard="k1")
            )

        waiting = look()
        assert isinstance(waiting, dg.SkipReason)
        assert "under way" in waiting.skip_message
        (run,) = instance.get_runs(dg.RunsFilter(tags={"dagster/sensor_name": "closed_bars"}))
        instance.report_run_canceled(run)
        assert [request.run_key for request in look().run_requests] == [f"{SESSION}-48-1"]


def test_the_sensor_runs_by_default() -> None:
    assert SENSOR.default_status is dg.DefaultSensorStatus.RUNNING
