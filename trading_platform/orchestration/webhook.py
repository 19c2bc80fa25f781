"""Post one JSON document to a URL that is a secret, within a few seconds whatever the other side does."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import requests
from pydantic import SecretStr

from trading_platform.market.clock import pause

BUDGET_SECONDS = 2.5
"""For all attempts together: a sensor has to be done within five seconds, and asks others before."""

ATTEMPTS = 2
ATTEMPT_SECONDS = 1.1

_PAUSE_SECONDS = 0.2
_OK, _REDIRECTS, _TOO_MANY, _SERVER_ERROR = 200, 300, 429, 500


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a payload was not taken, without the URL, which may hold a token; and whether later it may be."""

    says: str
    may_pass: bool


def post(url: SecretStr, payload: Mapping[str, Any]) -> Refusal | None:
    """Post a payload, a second time when that can help; return None when it was taken."""
    body = orjson.dumps(payload)
    refusal = None
    for attempt in range(ATTEMPTS):
        if attempt:
            pause(_PAUSE_SECONDS)
        refusal = _attempt(url, body)
        if refusal is None or not refusal.may_pass:
            break
    return refusal


def _attempt(url: SecretStr, body: bytes) -> Refusal | None:
    """Post once, in a thread: a server that sends one byte a second would never be too late for requests."""
    found: list[Refusal | None] = []
    thread = threading.Thread(target=lambda: found.append(_send(url, body)), daemon=True)
    thread.start()
    thread.join(ATTEMPT_SECONDS)
    return found[0] if found else Refusal(f"no answer within {ATTEMPT_SECONDS} s", may_pass=True)


def _send(url: SecretStr, body: bytes) -> Refusal | None:
    headers = {"Content-Type": "application/json", "User-Agent": "trading-platform"}
    try:
        with requests.post(
            url.get_secret_value(),
            data=body,
            headers=headers,
            timeout=ATTEMPT_SECONDS,
            allow_redirects=False,  # to another host it would carry the alert, and become a GET
            stream=True,  # what it says beyond its status is not read
        ) as answer:
            status = answer.status_code
    except (requests.RequestException, UnicodeError) as error:
        # its text names host and path, which may be secret
        return Refusal(f"it could not be asked ({type(error).__name__})", may_pass=True)
    if _OK <= status < _REDIRECTS:
        return None
    return Refusal(f"it answered with status {status}", may_pass=status == _TOO_MANY or status >= _SERVER_ERROR)
