from collections.abc import Callable
from typing import Any

import orjson
import pytest

from trading_platform.cli.feed_clock import HeldClock, exchange_clock, not_behind, published_clock, waits_for_us
from trading_platform.errors import FeedError
from trading_platform.market.clock import NS_PER_SECOND, Clock, as_told, elapsed_ns

EPOCH = 1_471_318_500 * NS_PER_SECOND  # 2016-08-16 09:05:00 IST
Answers = Callable[[Any], None]


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    """Sets what the exchange publishes; bytes are sent as they are."""
    given: list[bytes] = []

    def publish(values: Any) -> None:
        given[:] = [values if isinstance(values, bytes) else orjson.dumps({"data": values})]

    monkeypatch.setattr("requests.get", lambda *_, **__: type("R", (), {"content": given[0]}))
    return publish


HELD = {"epoch_ns": EPOCH, "rate": 2.0, "running": False}


def test_a_published_clock_is_followed(answers: Answers) -> None:
    answers({"epoch_ns": 5, "rate": 2.0, "anchor_ns": 7, "running": True})
    assert published_clock("http://x/clock") == exchange_clock("http://x/clock", print) == Clock(5, 2.0, 7)
    assert not waits_for_us(Clock(5, 2.0, 7))


@pytest.mark.parametrize(
    "wrong", [b"x", b"[]", {"epoch_ns": 5, "rate": 2.0}, {"rate": 2.0, "told_on_sockets": True}, ["epoch_ns"], None]
)
def test_what_is_no_clock_is_refused(answers: Answers, wrong: Any) -> None:
    answers(wrong)
    for read in (lambda: published_clock("http://x/clock"), lambda: exchange_clock("http://x/clock", print)):
        with pytest.raises(FeedError, match="gives no running clock"):
            read()


def test_a_held_clock_stands_until_it_runs(answers: Answers) -> None:
    said: list[str] = []
    answers(HELD)
    clock = exchange_clock("http://x/clock", said.append)
    assert isinstance(clock, HeldClock)
    assert clock.is_held
    assert waits_for_us(clock)
    assert (clock.now_ns(), clock.rate, clock.today().isoformat()) == (EPOCH, 2.0, "2016-08-16")
    assert clock.real_seconds_until(EPOCH + 10 * NS_PER_SECOND) == 5.0
    answers(b"the exchange is busy")
    assert clock.now_ns() == EPOCH
    anchor = elapsed_ns() - 1000 * NS_PER_SECOND
    answers({**HELD, "running": True, "anchor_ns": anchor})
    # it has run for a while when we learn of it: we are where it is, not where it began
    assert clock.now_ns() >= EPOCH + 2000 * NS_PER_SECOND
    assert not clock.is_held
    assert not waits_for_us(clock)
    answers(b"asked no more")
    assert clock.now_ns() >= EPOCH + 2000 * NS_PER_SECOND
    assert said == [
        "the exchange holds its clock at 09:05:00 until somebody subscribes",
        "the exchange lets its clock run, 2 times as fast as ours",
    ]


def test_a_time_that_sockets_tell_begins_where_the_exchange_stands(answers: Answers) -> None:
    answers({**HELD, "now_ns": EPOCH + 9, "told_on_sockets": True})
    clock = exchange_clock("http://x/clock", print)
    assert (clock.now_ns(), clock.rate) == (EPOCH + 9, 2.0)
    clock.hear(as_told(EPOCH + 12))
    assert clock.now_ns() == EPOCH + 12
    assert waits_for_us(clock)
    assert not_behind(clock, EPOCH + 50, print) is clock


def test_a_running_clock_is_wanted_where_nobody_subscribes(answers: Answers) -> None:
    answers(HELD)
    with pytest.raises(FeedError, match="gives no running clock"):
        published_clock("http://x/clock")


def test_a_clock_behind_the_journal_goes_on_from_its_end() -> None:
    said: list[str] = []
    clock = Clock.starting_at(EPOCH, 3.0)
    assert not_behind(clock, EPOCH, said.append) is clock
    assert said == []
    last = EPOCH + 3600 * NS_PER_SECOND
    ahead = not_behind(clock, last, said.append)
    assert ahead.rate == 3.0
    assert last <= ahead.now_ns() < last + 3600 * NS_PER_SECOND
    assert "s behind the journal" in said[0]
    assert "set the clock right" in said[0]
