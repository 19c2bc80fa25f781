"""Whatever the other side does, posting ends in time, repeats only what can help, and names no URL."""

import socket

import pytest
from pydantic import SecretStr

from trading_platform.orchestration.webhook import ATTEMPT_SECONDS, ATTEMPTS, BUDGET_SECONDS, Refusal, post
from trading_platform_tests.orchestration.webhook_server import TOKEN, webhook


def test_what_is_taken_is_posted_once() -> None:
    with webhook() as hook:
        assert post(hook.url, {"says": "hello", "count": 3}) is None
        assert hook.posted == [{"says": "hello", "count": 3}]


@pytest.mark.parametrize(("status", "posts"), [(500, ATTEMPTS), (429, ATTEMPTS), (404, 1), (302, 1)])
def test_only_what_can_help_is_repeated(status: int, posts: int) -> None:
    with webhook() as hook:
        hook.statuses = [status]
        refusal = post(hook.url, {})
        assert refusal == Refusal(f"it answered with status {status}", may_pass=posts > 1)
        assert len(hook.posted) == posts


def test_a_server_that_comes_to_itself_takes_it() -> None:
    with webhook() as hook:
        hook.statuses = [503, 204]
        assert post(hook.url, {}) is None
        assert len(hook.posted) == 2


def test_a_server_that_never_answers_is_left_in_time() -> None:
    with webhook() as hook:
        hook.stall.set()
        refusal = post(hook.url, {})
        assert refusal is not None
        assert refusal.may_pass
        assert hook.arrived.wait(30)
        assert not hook.gave_up, "the server gave up before we did"
        assert TOKEN not in refusal.says
    assert ATTEMPTS * ATTEMPT_SECONDS < BUDGET_SECONDS < 5


def test_where_nobody_listens_the_url_is_not_told() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        refusal = post(SecretStr(f"http://127.0.0.1:{port}/{TOKEN}"), {})
    assert refusal == Refusal("it could not be asked (ConnectionError)", may_pass=True)
