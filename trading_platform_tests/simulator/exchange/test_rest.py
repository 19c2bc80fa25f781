import threading
from dataclasses import replace
from datetime import date

import requests

from trading_platform.market.instruments import InstrumentDay
from trading_platform.simulator.exchange.history import PastSession
from trading_platform.simulator.exchange.server import Options
from trading_platform_tests.simulator.exchange.offered import BEFORE, INSTRUMENTS, made, offer, running, yesterday
from trading_platform_tests.simulator.made_bars import STOCK, columns


def test_a_broken_login_says_what_is_missing() -> None:
    with running(Options()) as exchange:
        url = f"{exchange.addresses.rest}/session/token"
        for body, said in (
            (b"", "api_key"),
            (b"api_key=simulator", "request_token"),
            (b"api_key=simulator&request_token=x", "checksum"),
            (b"\xff\xfe", "form"),
            (b"a" * 100_000, "too long"),
        ):
            answer = requests.post(url, data=body, timeout=5)
            assert answer.status_code == 400
            assert answer.json()["error_type"] == "InputException"
            assert said in answer.json()["message"]


def test_hostile_headers_are_refused_and_the_server_lives() -> None:
    with running(Options()) as exchange:
        url = f"{exchange.addresses.rest}/user/profile"
        for header in ("", "token", "token simulator", "Bearer x", "token :", "token simulator:\xe9"):
            answer = requests.get(url, headers={"Authorization": header.encode("latin-1")}, timeout=5)
            assert answer.status_code == 403
            assert answer.json()["error_type"] == "TokenException"
        assert (
            requests.get(url, headers={"Authorization": "token simulator:simulator-access"}, timeout=5).json()["status"]
            == "success"
        )


def test_a_past_session_is_made_while_others_are_answered() -> None:
    asked, go_on = threading.Event(), threading.Event()

    def load(_: date) -> PastSession:
        asked.set()
        assert go_on.wait(60)
        return PastSession(InstrumentDay(BEFORE, INSTRUMENTS), yesterday(columns(made())))

    answers: list[requests.Response] = []
    with running(Options(), replace(offer(), load_past=load)) as exchange:
        headers = {"Authorization": "token simulator:simulator-access"}
        url = f"{exchange.addresses.rest}/instruments/historical/{STOCK}/minute?from=2016-08-12&to=2016-08-13"
        asking = [
            threading.Thread(target=lambda: answers.append(requests.get(url, headers=headers, timeout=60)))
            for _ in range(2)
        ]
        for one in asking:
            one.start()
        try:
            assert asked.wait(60)
            profile = requests.get(f"{exchange.addresses.rest}/user/profile", headers=headers, timeout=60)
            assert profile.status_code == 200
            assert answers == []
        finally:
            go_on.set()
            for one in asking:
                one.join(60)
    assert [len(answer.json()["data"]["candles"]) for answer in answers] == [29, 29]
