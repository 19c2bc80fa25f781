import asyncio

import pytest

from trading_platform.errors import SettingsError
from trading_platform.market.clock import Clock, elapsed_ns, pause
from trading_platform.simulator.exchange.clock import ExchangeClock

SECOND = 1_000_000_000
BEGIN = 1_471_319_100 * SECOND


def test_it_runs_at_its_rate_and_another_process_can_follow_it() -> None:
    clock = ExchangeClock(BEGIN, 1000.0)
    published = clock.published()
    other = Clock(int(published["epoch_ns"]), float(published["rate"]), int(published["anchor_ns"]))
    before = clock.now_ns()
    assert BEGIN <= before <= other.now_ns() <= clock.now_ns()
    assert clock.now_second() == clock.now_ns() // SECOND


def test_held_it_stands_until_it_is_started() -> None:
    clock = ExchangeClock(BEGIN, 1000.0, held=True)
    assert clock.now_ns() == clock.now_ns() == BEGIN
    assert clock.published()["running"] is False
    clock.start()
    anchor = clock.published()["anchor_ns"]
    clock.start()
    assert clock.published()["anchor_ns"] == anchor
    assert clock.published()["running"] is True


def test_waiting_takes_real_time_by_the_rate() -> None:
    async def wait() -> float:
        clock = ExchangeClock(BEGIN, 1000.0, held=True)
        task = asyncio.create_task(clock.until(BEGIN + 100 * SECOND))
        await asyncio.sleep(0.05)
        assert not task.done()
        clock.start()
        began = elapsed_ns()
        await task
        assert clock.now_ns() >= BEGIN + 100 * SECOND - SECOND
        return (elapsed_ns() - began) / SECOND

    assert 0.09 < asyncio.run(wait()) < 2.0


def test_time_does_not_run_backwards_or_stand() -> None:
    with pytest.raises(SettingsError, match="--speed"):
        ExchangeClock(BEGIN, 0.0)


def test_where_sending_takes_longer_than_the_rate_allows_time_waits() -> None:
    clock = ExchangeClock(BEGIN, 1e6, held=True)
    clock.wait_for(BEGIN)
    assert clock.now_ns() == BEGIN
    clock.start()
    pause(0.3)
    assert clock.now_ns() > BEGIN + 290_000 * SECOND
    clock.wait_for(BEGIN + 20 * SECOND)
    # a quarter of a real second ahead, and what the lines in between took
    assert clock.now_ns() >= BEGIN + 250_020 * SECOND
    published = clock.published()
    assert published["epoch_ns"] == BEGIN + 250_020 * SECOND
    clock.wait_for(clock.now_ns() + SECOND)
    assert clock.published()["anchor_ns"] == published["anchor_ns"]


def test_who_is_late_lets_others_go_first() -> None:
    clock = ExchangeClock(BEGIN, 1.0)
    turns: list[str] = []

    async def catch_up(name: str) -> None:
        for _ in range(3):
            await clock.until(BEGIN - SECOND)
            turns.append(name)

    async def both() -> None:
        await asyncio.gather(catch_up("a"), catch_up("b"))

    asyncio.run(both())
    assert turns == ["a", "b"] * 3
