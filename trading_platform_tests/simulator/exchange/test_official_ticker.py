"""The official KiteTicker, in a process of its own, against the exchange."""

import hashlib
import json
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from trading_platform.simulator.exchange.sent import BINARY, read_sent
from trading_platform.simulator.exchange.server import Options
from trading_platform.simulator.exchange.stream import Pace
from trading_platform_tests.simulator.exchange.offered import PREVIOUS_CLOSE, TOKENS, Running, made, running
from trading_platform_tests.simulator.exchange.official_process import ACCESS, official
from trading_platform_tests.simulator.exchange.test_market import given_by, wanted
from trading_platform_tests.simulator.made_bars import INDEX, START, STOCK
from trading_platform_tests.simulator.rebuilding import official_ticks
from trading_platform_tests.streaming.recordings import wait_until

ALL = list(TOKENS)


def sockets(exchange: Running) -> list[dict[str, Any]]:
    return exchange.get("/simulator/sent")["sockets"]


def is_over(exchange: Running) -> bool:
    clock = exchange.get("/simulator/clock")
    return clock["now_ns"] > (clock["end"] + 60) * 10**9


def lengths(frames: list[bytes]) -> list[list[int]]:
    """The lengths of the packets of each frame."""
    found = []
    for frame in frames:
        at, of_frame = 2, []
        while at < len(frame):
            of_frame.append(int.from_bytes(frame[at : at + 2], "big"))
            at += 2 + of_frame[-1]
        assert len(frame) == 1 or len(of_frame) == int.from_bytes(frame[:2], "big")
        found.append(of_frame)
    return found


def test_it_receives_what_was_sent_and_that_is_the_session(tmp_path: Path) -> None:
    calls = [[0, "subscribe", [ALL]], [0, "set_mode", ["full", ALL]]]
    with running(Options(speed=900.0, held=True, keep_sent=tmp_path)) as exchange, official(exchange, calls) as client:
        client.wait_until(lambda: is_over(exchange))
        (told,) = sockets(exchange)
        client.wait_until(lambda: len(client.ticks()) == told["packets"])
        received = client.payloads()
        (told,) = sockets(exchange)
        sent = [body for kind, _, body in read_sent(tmp_path / "socket-0.sent") if kind == BINARY]
    assert received == sent[: len(received)]
    data = [frame for frame in received if len(frame) > 1]
    assert given_by(data) == wanted(made())
    assert told["frames"] == len(data)
    assert told["asked_last"] == ["subscribe 6", "mode full 6"]
    chained = hashlib.sha256()
    for body in sent[: told["frames"] + told["heartbeats"]]:
        chained.update(len(body).to_bytes(4, "big") + body)
    assert told["sha256"] == chained.hexdigest()
    assert told["packets"] == sum(len(official_ticks(frame)) for frame in data)
    assert max(map(len, lengths(data))) > 1
    assert {tick["mode"] for tick in client.ticks()} == {"full"}


def test_modes_are_switched_and_each_packet_length_is_sent() -> None:
    calls = [
        [0, "subscribe", [[STOCK, INDEX]]],
        [0.5, "set_mode", ["full", [STOCK, INDEX]]],
        [1.0, "set_mode", ["ltp", [STOCK, INDEX]]],
        [1.5, "unsubscribe", [[STOCK]]],
    ]
    options = Options(at_second=START + 600, speed=20.0, pace=Pace(packets_per_second=1))
    with running(options) as exchange, official(exchange, calls) as client:
        client.wait("connect")
        client.wait_until(lambda: "unsubscribe 1" in sockets(exchange)[0]["asked_last"])
        after = len(client.events) + 20  # what was under way is behind us
        client.wait_until(lambda: len(client.ticks(after)) > 20)
        ticks, last = client.ticks(), client.ticks(after)
    by_token = {token: [t["mode"] for t in ticks if t["instrument_token"] == token] for token in (STOCK, INDEX)}
    for modes in by_token.values():
        assert list(dict.fromkeys(modes)) == ["quote", "full", "ltp"]
        assert modes == sorted(modes, key=["quote", "full", "ltp"].index)
    assert {tick["instrument_token"] for tick in last} == {INDEX}
    assert set(chain(*lengths(client.payloads()))) == {8, 28, 32, 44, 184}


def test_heartbeats_come_when_nothing_else_does_even_without_a_subscription() -> None:
    with running(Options(held=True)) as exchange, official(exchange, []) as client:
        client.wait("message", 3)
        stamps = [one["at_ns"] for one in client.of("message")]
    assert client.payloads()[:3] == [b"\x00"] * 3
    assert stamps[2] - stamps[0] > 1.5e9
    assert client.ticks() == []


@pytest.mark.parametrize(("mode", "said"), [("full", True), ("quote", False), ("ltp", False)])
def test_subscribing_shows_yesterday_before_the_first_tick(mode: str, said: bool) -> None:
    closed = START - 4 * 86_400 + 22_499
    calls = [[0, "subscribe", [[STOCK]]], [0, "set_mode", [mode, [STOCK]]]]
    options = Options(at_second=START - 3000, pace=Pace(yesterday_second=closed))
    with running(options) as exchange, official(exchange, calls) as client:
        client.wait_until(lambda: mode in {tick["mode"] for tick in client.ticks()} and len(client.ticks()) == 2)
    first, second = client.ticks()
    assert first["mode"] == "quote"
    assert {first["last_price"], second["last_price"]} == {PREVIOUS_CLOSE}
    assert ("last_trade_time" in second) is said
    if said:
        (frame,) = [one for one in client.payloads() if len(one) > 100]
        assert official_ticks(frame)[0]["last_trade_time"].timestamp() == closed


def test_subscribing_shows_the_last_tick_at_once() -> None:
    calls = [[0, "subscribe", [[STOCK, INDEX]]]]
    with running(Options(at_second=START + 1800 + 3000)) as exchange, official(exchange, calls) as client:
        client.wait("ticks")
        ticks = {tick["instrument_token"]: tick["last_price"] for tick in client.ticks()}
    # the closes of minute 29
    assert ticks == {STOCK: 103.0, INDEX: 113.0}


def test_text_messages_reach_their_callbacks() -> None:
    postback = {"order_id": "1", "status": "COMPLETE"}
    with running(Options()) as exchange, official(exchange, []) as client:
        client.wait("message")  # a heartbeat: it is open
        for kind, data in (("message", "Hello"), ("order", postback), ("error", "No")):
            assert exchange.post("/simulator/messages", {"type": kind, "data": data}).json()["data"] == {"sockets": 1}
        client.wait("error")
        assert sockets(exchange)[0]["texts"] == 3
    assert {"type": "message", "data": "Hello"} in [json.loads(text) for text in client.payloads(binary=False)]
    assert [event["data"] for event in client.of("order")] == [postback]
    assert [(event["code"], event["reason"]) for event in client.of("error")] == [(0, "No")]


def test_one_instrument_too_many_is_said_in_on_error() -> None:
    calls = [[0, "subscribe", [list(range(1, 3002))]]]
    with running(Options(held=True)) as exchange, official(exchange, calls) as client:
        error = client.wait("error")
    assert error["code"] == 0
    assert "3000" in error["reason"]


def test_it_comes_back_after_a_drop() -> None:
    options = Options(at_second=START + 60, speed=10.0, pace=Pace(packets_per_second=1))
    with running(options) as exchange, official(exchange, [[0, "subscribe", [[STOCK]]]]) as client:
        client.wait("ticks")
        assert exchange.post("/simulator/faults", {"kind": "drop"}).json()["data"] == {"sockets": 1}
        assert client.wait("close")["code"] == 1006
        client.wait("connect", 2)
        client.wait("ticks", since=client.events.index(client.wait("connect", 2)))
        assert exchange.get("/simulator/faults") == {"drop": 1}
        assert [one["frames"] > 0 for one in sockets(exchange)] == [True, True]


def assert_refused(exchange: Running, token: str) -> None:
    with official(exchange, [], token=token) as client:
        assert "403" in client.wait("error")["reason"]
        assert exchange.get("/simulator/faults")["refused_token_on_upgrade"] >= 1
        assert client.of("connect") == []


def test_a_bad_token_is_refused_on_the_upgrade() -> None:
    with running(Options()) as exchange:
        assert_refused(exchange, "wrong")


def test_a_token_that_died_at_six_opens_no_socket() -> None:
    with running(Options(speed=100_000.0)) as exchange:
        wait_until(lambda: exchange.get("/simulator/clock")["token_seconds_left"] < 0)
        assert_refused(exchange, ACCESS)
