"""Kite's daily login: the page to open, and the request token that comes back exchanged for an access token."""

from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, urlsplit

import requests
from pydantic import SecretStr, ValidationError

from trading_platform.errors import AccessRefused, BrokerError
from trading_platform.kite.stored_login import StoredLogin, fingerprint
from trading_platform.later import Later
from trading_platform.market.clock import IST, Clock, to_ns
from trading_platform.market.token_life import token_dies_ns

if TYPE_CHECKING:
    from kiteconnect.exceptions import KiteException

official = Later("trading_platform.kite.official")

LOGIN_PAGE = "https://kite.zerodha.com/connect/login"
TIMEOUT_SECONDS = 30
_MOST_CHARACTERS = 200
_REDIRECT_MARK = "request_token="


def login_url(api_key: SecretStr, *, state: str | None = None) -> str:
    """Return the page on which the owner of the account logs in; `state` comes back with the redirect."""
    url = f"{LOGIN_PAGE}?v=3&api_key={quote(api_key.get_secret_value(), safe='')}"
    return url if state is None else f"{url}&redirect_params={quote(f'state={state}', safe='')}"


def request_token_of(given: str) -> SecretStr:
    """Return the request token of what somebody pasted: the token alone, or the address of the redirect."""
    text = given.strip()
    if _REDIRECT_MARK in text:
        address = text if "?" in text else f"?{text}"
        query = parse_qs(urlsplit(address).query)
        status, tokens = query.get("status", ["success"])[0], query.get("request_token", [])
        if status != "success":
            raise AccessRefused("Kite's redirect says that the login did not succeed; open the login page again")
        text = tokens[0] if tokens else ""
    if not text or not text.isascii() or not text.isprintable() or any(c in text for c in " /?&="):
        raise AccessRefused("that holds no request token: paste the whole address of the page that Kite led to")
    return SecretStr(text)


def log_in(
    api_key: SecretStr, api_secret: SecretStr, request_token: SecretStr, *, root: str, clock: Clock
) -> StoredLogin:
    """Exchange a request token, which works once and for a few minutes; raise AccessRefused or BrokerError.

    How long the token lives is told by Kite's clock, and counted from now by ours: they need not agree.
    """
    client = official.KiteConnect(api_key.get_secret_value(), root=root, timeout=TIMEOUT_SECONDS)
    try:
        answer = client.generate_session(request_token.get_secret_value(), api_secret=api_secret.get_secret_value())
    except official.KiteException as error:
        raise AccessRefused(
            f"Kite refuses the login: {_told(error, api_secret, request_token)} (a request token works once and for "
            "a few minutes; is kite_api_secret that of this API key?)"
        ) from None
    except requests.RequestException as error:
        raise BrokerError(f"Kite could not be asked ({type(error).__name__}); check the connection") from None
    except (AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise BrokerError(f"Kite answered the login with something else ({type(error).__name__}); try again") from None
    now_ns = clock.now_ns()
    begun_ns = _login_ns(answer.get("login_time"), now_ns)
    try:
        return StoredLogin(
            user_id=answer["user_id"],
            user_name=answer.get("user_name") or "",
            key_fingerprint=fingerprint(api_key),
            access_token=SecretStr(answer["access_token"]),
            logged_in_ns=now_ns,
            dies_ns=now_ns + token_dies_ns(begun_ns) - begun_ns,
        )
    except (LookupError, TypeError, ValidationError):  # their texts may hold the token
        raise BrokerError("Kite's answer to the login lacks user_id or access_token; try again") from None


def _login_ns(told: Any, now_ns: int) -> int:
    """Return when Kite says that the login was, in its zone; ours where it says nothing."""
    if not isinstance(told, datetime):
        return now_ns
    return to_ns(told if told.tzinfo is not None else told.replace(tzinfo=IST))


def _told(error: "KiteException", *secrets: SecretStr) -> str:
    text = str(error)
    for secret in secrets:
        text = text.replace(secret.get_secret_value(), "***")
    return text[:_MOST_CHARACTERS]
