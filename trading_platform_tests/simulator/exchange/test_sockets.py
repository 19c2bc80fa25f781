"""A plain websocket client against the exchange."""

import itertools
import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import requests
import websocket
from websockets.asyncio.server import ServerConnection

from trading_platform.simulator.exchange.sent import BINARY, TEXT, read_sent
from trading_platform.simulator.exchange.server import Options
from trading_platform.simulator.exchange.sockets import Sockets
from trading_platform.simulator.exchange.stream import Pace
from trading_platform_tests.simulator.exchange.offered import MINUTES, Running, running
from trading_platform_tests.simulator.made_bars import OTHER, START, STOCK
from trading_platform_tests.simulator.rebuilding import official_ticks


def connect(exchange: Running) -> websocket.WebSocket:
    return websocket.create_connection(exchange.socket_url, timeout=10)


def test_a_bad_token_is_refused_on_the_upgrade() -> None:
    with running(Options()) as exchange:
        with pytest.raises(websocket.WebSocketBadStatusException) as refusal:
            websocket.create_connection(exchange.addresses.websocket, timeout=5)
        assert refusal.value.status_code == 403
        exchange.post("/simulator/faults", {"kind": "refuse_token", "seconds": 30})
        with pytest.raises(websocket.WebSocketBadStatusException):
            connect(exchange)
        assert requests.delete(f"{exchange.addresses.rest}/simulator/faults", timeout=5).ok
        connect(exchange).close()


def test_small_messages_wait_for_no_acknowledgement(monkeypatch: pytest.MonkeyPatch) -> None:
    handle, undelayed = Sockets._handle, []

    async def look(self: Sockets, connection: ServerConnection) -> None:
        accepted = connection.transport.get_extra_info("socket")
        undelayed.append(bool(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)))
        await handle(self, connection)

    monkeypatch.setattr(Sockets, "_handle", look)
    with running(Options()) as exchange:
        connect(exchange).close()
    assert undelayed == [True]


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


def test_each_message_is_preceded_by_its_time_however_fast_and_busy_the_exchange_is() -> None:
    # half an hour of market is due in a hundredth of a second: the exchange is late with nearly all of it
    options = Options(speed=200_000.0, held=True, pace=Pace(tells_time=True))
    told, messages = 0, []
    with running(options) as exchange:
        assert exchange.get("/simulator/clock")["told_on_sockets"] is True
        client = connect(exchange)
        fault(exchange, "stall", seconds=0.5)
        client.send(json.dumps({"a": "mode", "v": ["full", [STOCK, OTHER]]}))
        while told < (START + 60 * MINUTES + 60) * 10**9:
            opcode, body = client.recv_data(control_frame=True)
            if opcode == websocket.ABNF.OPCODE_PING:
                assert int.from_bytes(body, "big") > told
                told = int.from_bytes(body, "big")
            else:
                messages.append((told, body))
            assert len(messages) < 2000
        assert exchange.get("/simulator/clock")["epoch_ns"] > START * 10**9, "its time has not waited for the stall"
        client.close()
    frames = [(at_ns, body) for at_ns, body in messages if len(body) > 1]
    seconds = [max(tick["exchange_timestamp"].timestamp() for tick in official_ticks(body)) for _, body in frames]
    assert len(frames) > 4 * MINUTES
    assert all(0 < at_ns / 1e9 - second < 1 for (at_ns, _), second in zip(frames, seconds, strict=True))
