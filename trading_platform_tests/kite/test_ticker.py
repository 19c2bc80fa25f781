import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from pydantic import SecretStr
from websockets.exceptions import ConnectionClosed

from trading_platform.kite.key_gate import KeyGate
from trading_platform.kite.reconnect import Reconnect, ReconnectLimits
from trading_platform.kite.ticker import Ticker, TickerLimits
from trading_platform.market.clock import NS_PER_SECOND, Clock, ToldClock, as_told, elapsed_ns, pause
from trading_platform.ports import Timepiece
from trading_platform_tests.kite.exchange import (
    GOOD_TOKEN,
    OTHER_TOKEN,
    Exchange,
    number_in,
    numbered_frame,
    running_exchange,
    wait_until,
)

TOKENS = (256265, 408065)
QUICK = ReconnectLimits(first_seconds=0.02, longest_seconds=0.1)
PATIENT, IMPATIENT = 20.0, 0.3


@dataclass
class Listener:
    """Keeps what it hears: (what, socket, value), and payloads with the moment that stands on them."""

    heard: list[tuple[str, int, Any]] = field(default_factory=list)
    stamped: list[tuple[int, bytes]] = field(default_factory=list)
    slow_seconds: float = 0.0

    def connected(self, socket: int, at_ns: int) -> None:
        self.heard.append(("connected", socket, at_ns))

    def subscribed(self, socket: int, tokens: tuple[int, ...], at_ns: int) -> None:  # noqa: ARG002
        self.heard.append(("subscribed", socket, tokens))

    def payload(self, socket: int, payload: bytes, received_ns: int) -> None:
        self.heard.append(("payload", socket, payload))
        self.stamped.append((received_ns, payload))

    def text(self, socket: int, payload: bytes, received_ns: int) -> None:  # noqa: ARG002
        self.heard.append(("text", socket, payload))

    def disconnected(self, socket: int, reason: str, at_ns: int) -> None:  # noqa: ARG002
        self.heard.append(("disconnected", socket, reason))

    def all(self, what: str) -> list[Any]:
        return [value for name, _, value in self.heard if name == what]


@dataclass
class Rig:
    ticker: Ticker
    listener: Listener
    gate: KeyGate
    said: list[str]
    tokens: list[SecretStr]
    looks: list[SecretStr]  # each time the gate looked for a token

    def look_again(self, times: int = 3) -> None:
        """Wait until the gate has looked for another token so many times more."""
        before = len(self.looks)
        wait_until(lambda: len(self.looks) >= before + times)


@contextmanager
def running_ticker(
    root: str,
    *,
    silence: float = PATIENT,
    check: float = 0.02,
    retry: float = 60.0,
    limits: ReconnectLimits = QUICK,
    clock: Timepiece | None = None,
) -> Iterator[Rig]:
    said: list[str] = []
    tokens = [SecretStr("secret-token")]
    looks: list[SecretStr] = []

    def look() -> SecretStr:
        looks.append(tokens[-1])
        return tokens[-1]

    gate = KeyGate(SecretStr("secret-key"), look, said.append, check_seconds=check, retry_seconds=retry)
    listener = Listener()
    ticker = Ticker(
        root=root,
        number=0,
        tokens=TOKENS,
        gate=gate,
        reconnect=Reconnect(limits, np.random.default_rng(1)),
        listener=listener,
        clock=clock or Clock.wall(),
        report=said.append,
        limits=TickerLimits(connect_seconds=PATIENT, silence_seconds=silence),
    )
    ticker.start()
    try:
        yield Rig(ticker, listener, gate, said, tokens, looks)
    finally:
        ticker.stop()
        assert ticker.join(PATIENT)
        for kept in (*said, repr(ticker), repr(gate), str(ticker.status)):
            assert "secret-" not in kept


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    with running_exchange() as running:
        yield running


def test_two_messages_and_then_every_payload(exchange: Exchange) -> None:
    with running_ticker(exchange.root) as rig:
        wait_until(lambda: len(rig.listener.all("payload")) > 20)
    assert exchange.clients[0].messages == [
        {"a": "subscribe", "v": list(TOKENS)},
        {"a": "mode", "v": ["full", list(TOKENS)]},
    ]
    assert exchange.clients[0].query == {"api_key": ["secret-key"], "access_token": ["secret-token"]}
    assert [name for name, _, _ in rig.listener.heard[:2]] == ["connected", "subscribed"]
    payloads = [payload for payload in rig.listener.all("payload") if len(payload) > 1]
    numbers = [number_in(payload) for payload in payloads]
    assert numbers == exchange.sent[: len(numbers)]
    assert rig.listener.all("disconnected") == ["stopped"]


def test_a_reconnect_sends_two_messages_again_not_six(exchange: Exchange) -> None:
    with running_ticker(exchange.root) as rig:
        for times in (1, 2, 3):
            wait_until(lambda: len(exchange.clients) == times and len(exchange.clients[-1].sent) > 5)  # noqa: B023
            exchange.clients[-1].connection.socket.shutdown(socket.SHUT_RDWR)
        wait_until(lambda: len(exchange.clients) == 4 and len(exchange.clients[-1].sent) > 5)
    assert [len(client.messages) for client in exchange.clients] == [2, 2, 2, 2]
    assert rig.ticker.status.messages_sent == 8
    assert len(rig.listener.all("disconnected")) == 4


def test_the_servers_answer_to_our_close_is_no_close_of_its_own(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_ticker(exchange.root) as rig:
        wait_until(lambda: len(rig.listener.all("payload")) > 2)
        # without the cut that follows our close, the answer to it is always what is read last
        monkeypatch.setattr(rig.ticker, "_cut", lambda: None)
        rig.ticker.stop()
        assert rig.ticker.join(PATIENT)
    assert rig.listener.all("disconnected") == ["stopped"]
    # the server reads in a thread of its own
    wait_until(lambda: exchange.clients[0].connection.protocol.close_rcvd is not None)


def test_a_silent_socket_with_open_tcp_is_found_and_reconnected(exchange: Exchange) -> None:
    with running_ticker(exchange.root, silence=IMPATIENT) as rig:
        wait_until(lambda: len(rig.listener.all("payload")) > 5)
        begun = elapsed_ns()
        exchange.clients[-1].silent = True
        before = len(exchange.clients)
        wait_until(lambda: len(exchange.clients) > before and len(exchange.clients[-1].sent) > 5)
        assert (elapsed_ns() - begun) / NS_PER_SECOND >= IMPATIENT / 2  # not by something else
    assert rig.listener.all("disconnected")[0] == "silent: no payload for 0.3 s, heartbeats should come"
    # a user gets what this test shortens: found and asked for again within 5 s
    assert TickerLimits().silence_seconds + ReconnectLimits().first_seconds < 5.0


def test_heartbeats_alone_are_life(exchange: Exchange) -> None:
    exchange.paused = True
    with running_ticker(exchange.root, silence=1.0) as rig:
        begun = elapsed_ns()
        wait_until(lambda: elapsed_ns() - begun > 1.2 * NS_PER_SECOND)
        assert len(rig.listener.all("payload")) > 8
        assert set(rig.listener.all("payload")) == {b"\x00"}
        assert rig.ticker.status.connects == 1


def test_pings_alone_are_silence(exchange: Exchange) -> None:
    with running_ticker(exchange.root, silence=IMPATIENT) as rig:
        wait_until(lambda: len(exchange.clients) == 1)
        for number in range(100):
            with suppress(OSError, ConnectionClosed):
                exchange.clients[-1].silent = True
                exchange.clients[-1].connection.ping()
            pause(0.03)
            # starved of processor time, the pings may be what is late: then the next connection is asked
            if number > 5 and any("only pings" in one for one in rig.listener.all("disconnected")):
                break
        assert "silent: only pings for 0.3 s" in rig.listener.all("disconnected")


def test_a_told_clock_stamps_what_comes_behind_a_ping(exchange: Exchange) -> None:
    begin = 1_785_472_200 * NS_PER_SECOND
    with running_ticker(exchange.root, clock=ToldClock(begin, 400.0)) as rig:
        wait_until(lambda: len(exchange.clients) == 1 and bool(exchange.clients[0].tokens))
        for number in range(1, 50):
            exchange.clients[0].connection.ping(as_told(begin + number))
            exchange.clients[0].connection.send(numbered_frame(TOKENS[1], number))
        wait_until(lambda: numbered_frame(TOKENS[1], 49) in rig.listener.all("payload"))
    frames = {body: at_ns - begin for at_ns, body in rig.listener.stamped}
    assert [frames[numbered_frame(TOKENS[1], number)] for number in range(1, 50)] == list(range(1, 50))


def test_a_message_that_drips_is_cut_by_the_watch(exchange: Exchange) -> None:
    with running_ticker(exchange.root, silence=IMPATIENT) as rig:
        wait_until(lambda: len(exchange.clients) == 1 and len(exchange.clients[0].sent) > 2)
        exchange.clients[0].silent = True
        raw = exchange.clients[0].connection.socket
        raw.sendall(b"\x82\x7e\xff\xff")  # a binary message of 65,535 bytes begins
        begun = elapsed_ns()
        while not rig.listener.all("disconnected") and elapsed_ns() - begun < PATIENT * NS_PER_SECOND:
            with suppress(OSError):  # cut: the server notices too
                raw.sendall(b"x")
            pause(0.05)
            rig.ticker.watch()
        assert rig.listener.all("disconnected") == ["silent: stuck within one message"]


def test_a_refused_token_stops_the_key_and_says_what_to_do(exchange: Exchange) -> None:
    exchange.good_token = OTHER_TOKEN
    with running_ticker(exchange.root) as rig:
        wait_until(lambda: rig.gate.waiting is not None)
        rig.look_again()
        assert len(exchange.attempts) == 1
        assert "log in again" in str(rig.gate.waiting)
        assert rig.ticker.status.state == "waiting for a token"
        assert rig.said == [rig.gate.waiting]
        rig.tokens.append(SecretStr(OTHER_TOKEN))
        wait_until(lambda: len(rig.listener.all("payload")) > 3)
        assert rig.gate.waiting is None
        rig.tokens.append(SecretStr("secret-token"))
    assert [token for _, token in exchange.attempts] == [GOOD_TOKEN, OTHER_TOKEN]


def test_a_token_that_expires_during_the_session_ends_in_waiting_not_in_a_storm(exchange: Exchange) -> None:
    with running_ticker(exchange.root) as rig:
        wait_until(lambda: len(rig.listener.all("payload")) > 3)
        exchange.status = 403
        exchange.clients[0].connection.close()
        wait_until(lambda: rig.gate.waiting is not None)
        rig.look_again()
        assert len(exchange.attempts) == 2
        assert rig.listener.all("disconnected") == ["closed: code 1000"]


def test_a_refused_token_is_tried_again_only_after_long() -> None:
    with running_exchange() as exchange:
        exchange.status = 403
        with running_ticker(exchange.root, retry=0.4) as rig:
            wait_until(lambda: len(exchange.attempts) == 2)
            assert exchange.attempts[1][0] - exchange.attempts[0][0] >= 0.4
            assert len(rig.looks) > 5  # it was looked for another one meanwhile
            exchange.status = None
            wait_until(lambda: len(rig.listener.all("payload")) > 3)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_another_refusal_is_tried_again_with_growing_pauses(exchange: Exchange, status: int) -> None:
    exchange.status = status
    with running_ticker(exchange.root, limits=ReconnectLimits(0.1, 2.0, 10.0, 0.5)) as rig:
        wait_until(lambda: len(exchange.attempts) == 4)
        assert rig.gate.waiting is None
    gaps = np.diff([at for at, _ in exchange.attempts])
    assert (gaps >= [0.05, 0.1, 0.2]).all()
    assert f"unreachable: HTTP {status}" in rig.said[0]


def test_a_redirect_is_not_followed_the_token_goes_to_nobody_else(exchange: Exchange) -> None:
    with running_exchange() as other:
        exchange.redirect = other.root
        with running_ticker(exchange.root) as rig:
            wait_until(lambda: len(exchange.attempts) == 2)
        assert other.attempts == []
        assert "unreachable" in rig.said[0]


def test_an_answer_without_a_status_is_tried_again() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        server.settimeout(PATIENT)
        with running_ticker(f"ws://127.0.0.1:{server.getsockname()[1]}") as rig:
            for _ in range(2):
                client, _ = server.accept()
                with client:
                    client.recv(65_536)
                    client.sendall(b"\r\n")
            assert rig.ticker.status.state != "stopped"
            rig.ticker.watch()  # its thread lives


def test_a_server_that_is_not_there_is_named_without_its_keys() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with running_ticker(f"ws://127.0.0.1:{port}") as rig:
        wait_until(lambda: len(rig.said) > 1)
        assert "Connection refused" in rig.said[0]


def test_what_is_no_websocket_is_damage_and_connected_again(exchange: Exchange) -> None:
    with running_ticker(exchange.root) as rig:
        wait_until(lambda: len(exchange.clients) == 1 and len(exchange.clients[0].sent) > 2)
        exchange.clients[0].silent = True
        pause(0.05)
        exchange.clients[0].connection.socket.sendall(b"\xf2\x01x")  # reserved bits are set
        wait_until(lambda: len(exchange.clients) == 2 and len(exchange.clients[1].sent) > 2)
        assert rig.listener.all("disconnected")[0].startswith("damaged")


def test_a_truncated_packet_is_a_payload_like_any_other(exchange: Exchange) -> None:
    with running_ticker(exchange.root) as rig:
        wait_until(lambda: len(exchange.clients) == 1 and len(exchange.clients[0].sent) > 2)
        for damaged in (b"\x00\x02\x00\x08\x01", b"\xff\xff", b""):
            exchange.send_all(damaged)
        before = len(exchange.clients[0].sent)
        wait_until(lambda: len(exchange.clients[0].sent) > before + 20)
        wait_until(lambda: {b"\x00\x02\x00\x08\x01", b"\xff\xff", b""} <= set(rig.listener.all("payload")))
        assert rig.ticker.status.connects == 1


def test_text_is_handed_on_as_it_came(exchange: Exchange) -> None:
    with running_ticker(exchange.root) as rig:
        wait_until(lambda: len(exchange.clients) == 1)
        exchange.send_all('{"type":"message","data":"hello"}')
        wait_until(lambda: rig.listener.all("text") == [b'{"type":"message","data":"hello"}'])


def test_added_tokens_take_two_messages_and_stay_after_a_reconnect(exchange: Exchange) -> None:
    with running_ticker(exchange.root) as rig:
        wait_until(lambda: len(rig.listener.all("payload")) > 2)
        rig.ticker.add((738561, TOKENS[0]))
        wait_until(lambda: len(exchange.clients[0].messages) == 4)
        assert exchange.clients[0].messages[2:] == [
            {"a": "subscribe", "v": [738561]},
            {"a": "mode", "v": ["full", [738561]]},
        ]
        assert rig.listener.all("subscribed") == [TOKENS, (*TOKENS, 738561)]
        exchange.clients[0].connection.close()
        wait_until(lambda: len(exchange.clients) == 2 and len(exchange.clients[1].messages) == 2)
        assert exchange.clients[1].messages[0] == {"a": "subscribe", "v": [*TOKENS, 738561]}


def test_removed_tokens_take_one_message_and_stay_away_after_a_reconnect(exchange: Exchange) -> None:
    with running_ticker(exchange.root) as rig:
        wait_until(lambda: len(rig.listener.all("payload")) > 2)
        rig.ticker.remove((TOKENS[1], 5))
        rig.ticker.remove((5,))
        wait_until(lambda: len(exchange.clients[0].messages) == 3)
        assert exchange.clients[0].messages[2] == {"a": "unsubscribe", "v": [TOKENS[1]]}
        assert rig.listener.all("subscribed") == [TOKENS, TOKENS[:1]]
        exchange.clients[0].connection.close()
        wait_until(lambda: len(exchange.clients) == 2 and len(exchange.clients[1].messages) == 2)
        assert exchange.clients[1].messages[0] == {"a": "subscribe", "v": [TOKENS[0]]}
        rig.ticker.remove(TOKENS)
        wait_until(lambda: len(exchange.clients[1].messages) == 3)
        # nothing to subscribe, nothing to ask; heartbeats show that the socket lives
        exchange.clients[1].connection.close()
        heard = len(rig.listener.all("payload"))
        wait_until(lambda: len(exchange.clients) == 3 and len(rig.listener.all("payload")) > heard + 3)
        assert exchange.clients[2].messages == []
