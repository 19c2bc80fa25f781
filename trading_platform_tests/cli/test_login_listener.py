"""The redirect on loopback: only the one with our state is taken."""

import threading

import pytest
import requests

from trading_platform.cli.login_listener import RedirectListener
from trading_platform.errors import SettingsError, TookTooLong


def test_the_redirect_with_our_state_is_taken_and_no_other() -> None:
    listener = RedirectListener(0, "our-state")
    caught: list[str] = []
    waiting = threading.Thread(target=lambda: caught.append(listener.wait(20.0)))
    waiting.start()
    address = listener.address
    assert address.startswith("http://127.0.0.1:")
    for query in ("", "?request_token=evil", "?request_token=evil&state=another", "?state=our-state"):
        assert requests.get(f"{address}{query}", timeout=10).status_code == 400
    good = requests.get(f"{address}?action=login&status=success&request_token=Good&state=our-state", timeout=10)
    assert good.status_code == 200
    assert "Good" not in good.text
    waiting.join(20)
    assert caught == ["action=login&status=success&request_token=Good&state=our-state"]


def test_waiting_ends_and_a_port_that_is_taken_is_named() -> None:
    listener = RedirectListener(0, "s")
    port = int(listener.address.rsplit(":", 1)[1].strip("/"))
    with pytest.raises(SettingsError, match="--listen"):
        RedirectListener(port, "s")
    with pytest.raises(TookTooLong, match="log in again"):
        listener.wait(0.0)
