"""Who may come in: API keys, logins, and access tokens that die at six in the morning of the simulated clock."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from trading_platform.errors import ExchangeRefusal
from trading_platform.market.clock import IST, NS_PER_SECOND, elapsed_ns, from_ns, to_ns
from trading_platform.simulator.exchange.clock import ExchangeClock

MAX_SOCKETS = 3
"""Sockets of one API key."""

EXPIRES_AT = time(6, 0)
USER_ID = "SIM001"


@dataclass(frozen=True, slots=True)
class Credentials:
    """One API key; an access token given here is valid from the start, the request token can be exchanged any time."""

    api_key: str = "simulator"
    api_secret: str = "simulator-secret"  # noqa: S105  # opens nothing but a process on loopback
    request_token: str = "simulator-request"  # noqa: S105
    access_token: str | None = "simulator-access"  # noqa: S105


@dataclass(frozen=True, slots=True)
class Login:
    """A valid access token and since when."""

    access_token: str
    at_ns: int

    @property
    def expires_ns(self) -> int:
        """Return the next 06:00 IST after the login."""
        at = from_ns(self.at_ns)
        today = datetime.combine(at.date(), EXPIRES_AT, IST)
        return to_ns(today if at < today else today + timedelta(days=1))


class Accounts:
    """The one API key of this exchange, its login, and the sockets that it holds."""

    def __init__(self, credentials: Credentials, clock: ExchangeClock) -> None:
        self.credentials, self._clock = credentials, clock
        self._login: Login | None = None
        self._request_tokens: set[str] = set()
        self._refused_until = 0
        if credentials.access_token is not None:
            self._login = Login(credentials.access_token, clock.now_ns())

    def request_token(self, api_key: str) -> str:
        """Return a request token that can be exchanged once."""
        self._refuse_key(api_key)
        token = secrets.token_hex(16)
        self._request_tokens.add(token)
        return token

    def log_in(self, api_key: str, request_token: str, checksum: str) -> Login:
        """Exchange a request token; the access token before it dies."""
        self._refuse_key(api_key)
        if request_token != self.credentials.request_token and request_token not in self._request_tokens:
            raise token_refusal("Token is invalid or has expired.")
        expected = hashlib.sha256((api_key + request_token + self.credentials.api_secret).encode()).hexdigest()
        if not hmac.compare_digest(expected.encode(), checksum.encode()):
            raise token_refusal("Invalid `checksum`.")
        self._request_tokens.discard(request_token)
        self._login = Login(secrets.token_hex(16), self._clock.now_ns())
        return self._login

    def log_out(self, api_key: str, access_token: str) -> None:
        """Let an access token die."""
        self.authorize(api_key, access_token)
        self._login = None

    def authorize(self, api_key: str, access_token: str) -> None:
        """Raise the refusal of a wrong, expired or refused token."""
        login = self._login
        valid = (
            api_key == self.credentials.api_key
            and login is not None
            and hmac.compare_digest(login.access_token.encode(), access_token.encode())
            and self._clock.now_ns() < login.expires_ns
            and elapsed_ns() >= self._refused_until
        )
        if not valid:
            raise token_refusal("Incorrect `api_key` or `access_token`.")

    def refuse_tokens(self, until_ns: int) -> None:
        """Treat every token as wrong until a moment of the machine's monotonic clock."""
        self._refused_until = until_ns

    def seconds_left(self) -> float | None:
        """Return how many simulated seconds the access token lives on, None without one."""
        return None if self._login is None else (self._login.expires_ns - self._clock.now_ns()) / NS_PER_SECOND

    def _refuse_key(self, api_key: str) -> None:
        if api_key != self.credentials.api_key:
            raise token_refusal("Invalid `api_key`.")


def token_refusal(message: str) -> ExchangeRefusal:
    """Return the refusal that clients raise as TokenException."""
    return ExchangeRefusal(message, status=403, error_type="TokenException")


def input_refusal(message: str) -> ExchangeRefusal:
    """Return the refusal that clients raise as InputException."""
    return ExchangeRefusal(message, status=400, error_type="InputException")
