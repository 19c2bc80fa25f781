import requests

from trading_platform.simulator.exchange.server import Options
from trading_platform_tests.simulator.exchange.offered import running


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
