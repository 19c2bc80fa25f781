"""The official KiteTicker in a process of its own, and a plain websocket client, against the exchange."""

import hashlib
import itertools
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
import websocket

from trading_platform.simulator.exchange.sent import BINARY, TEXT, read_sent
from trading_platform.simulator.exchange.server import Options
from trading_platform.simulator.exchange.stream import Pace
from trading_platform_tests.simulator.exchange.offered import TOKENS, Running, made, running
from trading_platform_tests.simulator.exchange.test_market import given_by, wanted
from trading_platform_tests.simulator.made_bars import INDEX, OTHER, START, STOCK
from trading_platform_tests.simulator.rebuilding import official_ticks

CLIENT = Path(__file__).with_name("official_ticker.py")
ACCESS = "simulator-access"
ALL = list(TOKENS)


@contextmanager
def official(
    exchange: Running, calls: list[Any], seconds: float, token: str = ACCESS
) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, str(CLIENT), f"{exchange.addresses.websocket}/", token, json.dumps(calls), str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def events_of(exchange: Running, calls: list[Any], seconds: float, token: str = ACCESS) -> list[dict[str, Any]]:
    with official(exchange, calls, seconds, token) as process:
        out, _ = process.communicate(timeout=60)
    return [json.loads(line) for line in out.splitlines()]


def payloads(events: list[dict[str, Any]], *, binary: bool = True) -> list[bytes]:
    return [bytes.fromhex(e["payload"]) for e in events if e["event"] == "message" and e["binary"] is binary]


def connect(exchange: Running) -> websocket.WebSocket:
    return websocket.create_connection(exchange.socket_url, timeout=10)


def test_the_official_ticker_receives_what_was_sent_and_it_is_the_session(tmp_path: Path) -> None:
    options = Options(speed=900.0, held=True, keep_sent=tmp_path)
    with running(options) as exchange:
        events = events_of(exchange, [[0, "subscribe", [ALL]], [0, "set_mode", ["full", ALL]]], 5)
        (told,) = exchange.get("/simulator/sent")["sockets"]
    sent = [body for kind, _, body in read_sent(tmp_path / "socket-0.sent") if kind == BINARY]
    received = payloads(events)
    assert received == sent[: len(received)]
    data = [frame for frame in received if len(frame) > 1]
    assert given_by(data) == wanted(made())
    assert told["frames"] == len(data)
    chained = hashlib.sha256()
    for body in sent:
        chained.update(len(body).to_bytes(4, "big") + body)
    assert told["sha256"] == chained.hexdigest()
    ticks = [tick for event in events if event["event"] == "ticks" for tick in event["ticks"]]
    assert len(ticks) == told["packets"] == sum(len(official_ticks(frame)) for frame in data)
    assert {tick["mode"] for tick in ticks} == {"full"}


def test_modes_are_switched_and_each_packet_length_is_sent() -> None:
    calls = [
        [0, "subscribe", [[STOCK, INDEX]]],
        [0.5, "set_mode", ["full", [STOCK, INDEX]]],
        [1.0, "set_mode", ["ltp", [STOCK, INDEX]]],
        [1.5, "unsubscribe", [[STOCK]]],
    ]
    with running(Options(at_second=START + 600, speed=60.0, pace=Pace(packets_per_second=1))) as exchange:
        events = events_of(exchange, calls, 2.5)
    ticks = [tick for event in events if event["event"] == "ticks" for tick in event["ticks"]]
    by_token = {token: [t["mode"] for t in ticks if t["instrument_token"] == token] for token in (STOCK, INDEX)}
    for modes in by_token.values():
        assert list(dict.fromkeys(modes)) == ["quote", "full", "ltp"]
        assert modes == sorted(modes, key=["quote", "full", "ltp"].index)
    assert len(by_token[STOCK]) < len(by_token[INDEX]) - 20
    lengths = set()
    for frame in payloads(events):
        at = 2
        while at < len(frame):
            lengths.add(length := int.from_bytes(frame[at : at + 2], "big"))
            at += 2 + length
    assert lengths == {8, 28, 32, 44, 184}


def test_heartbeats_come_each_second_when_nothing_else_does() -> None:
    with running(Options(held=True)) as exchange:
        events = events_of(exchange, [], 3.6)
    assert payloads(events) == [b"\x00"] * 3
    assert not [event for event in events if event["event"] == "ticks"]


def test_text_messages_reach_their_callbacks() -> None:
    with running(Options()) as exchange, official(exchange, [], 3) as process:
        assert json.loads(process.stdout.readline())["event"] == "connect"
        postback = {"order_id": "1", "status": "COMPLETE"}
        for kind, data in (("message", "Hello"), ("order", postback), ("error", "No")):
            assert exchange.post("/simulator/messages", {"type": kind, "data": data}).json()["data"] == {"sockets": 1}
        events = [json.loads(line) for line in process.stdout]
        assert exchange.get("/simulator/sent")["sockets"][0]["texts"] == 3
    assert {"type": "message", "data": "Hello"} in [json.loads(text) for text in payloads(events, binary=False)]
    assert [event["data"] for event in events if event["event"] == "order"] == [postback]
    assert [event["reason"] for event in events if event["event"] == "error" and event["code"] == 0] == ["No"]


def test_the_official_ticker_comes_back_after_a_drop() -> None:
    options = Options(at_second=START + 60, speed=10.0, pace=Pace(packets_per_second=1))
    with running(options) as exchange, official(exchange, [[0, "subscribe", [[STOCK]]]], 6) as process:
        while json.loads(process.stdout.readline())["event"] != "ticks":
            pass
        assert exchange.post("/simulator/faults", {"kind": "drop"}).json()["data"] == {"sockets": 1}
        events = [json.loads(line) for line in process.stdout]
        assert exchange.get("/simulator/faults") == {"drop": 1}
        assert [one["frames"] > 0 for one in exchange.get("/simulator/sent")["sockets"]] == [True, True]
    names = [event["event"] for event in events]
    assert next(event["code"] for event in events if event["event"] == "close") == 1006
    assert "ticks" in names[names.index("connect") :]


def test_a_bad_token_is_refused_on_the_upgrade() -> None:
    with running(Options()) as exchange:
        events = events_of(exchange, [], 1.5, "wrong")
        assert "403" in next(event["reason"] for event in events if event["event"] == "error")
        assert not [event for event in events if event["event"] == "connect"]
        with pytest.raises(websocket.WebSocketBadStatusException) as refusal:
            websocket.create_connection(exchange.addresses.websocket, timeout=5)
        assert refusal.value.status_code == 403
        exchange.post("/simulator/faults", {"kind": "refuse_token", "seconds": 30})
        with pytest.raises(websocket.WebSocketBadStatusException):
            connect(exchange)
        assert requests.delete(f"{exchange.addresses.rest}/simulator/faults", timeout=5).ok
        connect(exchange).close()


def test_a_key_has_three_sockets_of_three_thousand_instruments() -> None:
    with running(Options(held=True)) as exchange:
        clients = [connect(exchange) for _ in range(3)]
        with pytest.raises(websocket.WebSocketBadStatusException) as refusal:
            connect(exchange)
        assert refusal.value.status_code == 429
        clients[0].send(json.dumps({"a": "subscribe", "v": list(range(1, 3002))}))
        answer = json.loads(clients[0].recv())
        assert answer["type"] == "error"
        assert "3000" in answer["data"]
        clients[1].close()
        time.sleep(0.3)
        connect(exchange).close()
        for client in clients:
            client.close()


def frames_until(client: websocket.WebSocket, seconds: float) -> list[bytes]:
    found, until = [], time.monotonic() + seconds
    client.settimeout(0.1)
    while time.monotonic() < until:
        try:
            found.append(client.recv())
        except websocket.WebSocketTimeoutException:
            continue
    return found


STEADY = Options(at_second=START + 60, speed=10.0, pace=Pace(packets_per_second=1))


@contextmanager
def streaming(tmp_path: Path, options: Options = STEADY) -> Iterator[tuple[Running, websocket.WebSocket]]:
    with running(replace(options, keep_sent=tmp_path)) as exchange:
        client = connect(exchange)
        client.send(json.dumps({"a": "mode", "v": ["full", [STOCK, OTHER]]}))
        client.recv()
        yield exchange, client
        client.close()


def fault(exchange: Running, kind: str, **facts: object) -> None:
    assert exchange.post("/simulator/faults", {"kind": kind, **facts}).json()["data"] == {"sockets": 1}


def test_silence_stops_even_the_heartbeats_and_the_connection_stays(tmp_path: Path) -> None:
    with streaming(tmp_path) as (exchange, client):
        fault(exchange, "silence", seconds=1.5)
        frames_until(client, 0.2)
        assert frames_until(client, 1.0) == []
        assert frames_until(client, 1.0)
        assert exchange.get("/simulator/faults")["silenced_messages"] > 5


def test_a_stall_delays_and_loses_nothing(tmp_path: Path) -> None:
    with streaming(tmp_path) as (exchange, client):
        fault(exchange, "stall", seconds=1.2)
        before = frames_until(client, 0.2)
        assert frames_until(client, 0.7) == []
        after = frames_until(client, 1.0)
        seconds = [
            official_ticks(frame)[0]["exchange_timestamp"].timestamp() for frame in [*before, *after] if len(frame) > 1
        ]
        assert [b - a for a, b in itertools.pairwise(seconds)] == [1.0] * (len(seconds) - 1)


def test_a_slow_drain_lets_few_bytes_through(tmp_path: Path) -> None:
    with streaming(tmp_path) as (exchange, client):
        fault(exchange, "slow_drain", value=800, seconds=30)
        frames_until(client, 0.3)
        assert 0 < sum(map(len, frames_until(client, 2.0))) < 2400


@pytest.mark.parametrize("kind", ["truncate", "duplicate", "reorder", "wrong_length"])
def test_damage_is_counted_and_stands_in_the_account(tmp_path: Path, kind: str) -> None:
    with streaming(tmp_path) as (exchange, client):
        fault(exchange, kind, count=2)
        received = frames_until(client, 1.5)
        assert exchange.get("/simulator/faults")[kind] == 2
        exchange.get("/simulator/sent")
        sent = [body for what, _, body in read_sent(tmp_path / "socket-0.sent") if what == BINARY]
    assert sent[1 : 1 + len(received)] == received
    sizes = {len(frame) for frame in received}
    whole = [frame for frame in received if len(frame) == max(sizes)]
    seconds = [int.from_bytes(frame[64:68], "big") for frame in whole]
    if kind == "truncate":
        assert sorted(len(frame) for frame in received)[:2] == [max(sizes) // 2] * 2
    elif kind == "wrong_length":
        assert [int.from_bytes(frame[2:4], "big") for frame in whole].count(45) == 2
    elif kind == "duplicate":
        assert len(whole) == len(set(whole)) + 2
    else:
        assert sum(a > b for a, b in itertools.pairwise(seconds)) == 2


def test_text_is_in_the_account_too(tmp_path: Path) -> None:
    with streaming(tmp_path) as (exchange, client):
        client.send("nonsense")
        frames_until(client, 0.5)
        exchange.get("/simulator/sent")
        texts = [json.loads(body) for kind, _, body in read_sent(tmp_path / "socket-0.sent") if kind == TEXT]
    assert [text["type"] for text in texts] == ["error"]
