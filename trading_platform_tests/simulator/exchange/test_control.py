import pytest
import websocket

from trading_platform.market.clock import Clock
from trading_platform.simulator.exchange.server import Options
from trading_platform_tests.simulator.exchange.offered import running
from trading_platform_tests.simulator.made_bars import START


def test_clock_and_planted_events_are_published() -> None:
    with running(Options(speed=60.0)) as exchange:
        told = exchange.get("/simulator/clock")
        assert (told["rate"], told["epoch_ns"], told["session"]) == (60.0, (START - 60) * 10**9, "2016-08-16")
        assert (told["first_bar"], told["end"], told["instruments"]) == (START, START + 1800, 6)
        same = Clock(told["epoch_ns"], told["rate"], told["anchor_ns"])
        assert told["now_ns"] <= same.now_ns() <= exchange.get("/simulator/clock")["now_ns"]
        assert exchange.get("/simulator/planted") == [{"kind": "spike", "symbol": "ALPHA"}]


def test_a_held_clock_is_started_by_a_call_or_by_the_first_subscription() -> None:
    with running(Options(held=True)) as exchange:
        assert exchange.get("/simulator/clock")["running"] is False
        exchange.post("/simulator/clock", None)
        assert exchange.get("/simulator/clock")["running"] is True
    with running(Options(held=True)) as exchange:
        client = websocket.create_connection(exchange.socket_url, timeout=5)
        assert exchange.get("/simulator/clock")["running"] is False
        client.send('{"a":"subscribe","v":[257]}')
        client.recv()
        assert exchange.get("/simulator/clock")["running"] is True
        client.close()


@pytest.mark.parametrize(
    ("path", "body"),
    [("faults", {"kind": "fire"}), ("faults", 7), ("messages", {}), ("messages", {"type": "x", "data": 1})],
)
def test_what_cannot_be_asked_is_refused(path: str, body: object) -> None:
    with running(Options()) as exchange:
        answer = exchange.post(f"/simulator/{path}", body)
        assert (answer.status_code, answer.json()["error_type"]) == (400, "InputException")
