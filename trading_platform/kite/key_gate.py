"""Whether the sockets of one Kite key may connect: shut when a token is refused, opened by another token."""

import threading
from collections.abc import Callable
from enum import StrEnum

from pydantic import SecretStr

from trading_platform.errors import SettingsError
from trading_platform.market.clock import NS_PER_SECOND, elapsed_ns

CHECK_SECONDS = 30.0
"""Real seconds between two looks for another token while none is accepted."""

RETRY_SECONDS = 300.0
"""Real seconds after which one socket tries a refused token again: Kite also refuses good ones for a while."""

_POLL_SECONDS = 0.5


class Standing(StrEnum):
    """What is known of the access token."""

    NOT_TRIED = "not tried"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    MISSING = "missing"


class KeyGate:
    """Hands out the token to connect with; all sockets of a key share one, each from its own thread."""

    def __init__(
        self,
        api_key: SecretStr,
        read_token: Callable[[], SecretStr | None],
        report: Callable[[str], None],
        *,
        check_seconds: float = CHECK_SECONDS,
        retry_seconds: float = RETRY_SECONDS,
    ) -> None:
        self.api_key = api_key
        self.read_token, self._report = read_token, report
        self._check_ns = int(check_seconds * NS_PER_SECOND)
        self._retry_ns = int(retry_seconds * NS_PER_SECOND)
        self._guard = threading.Lock()
        self._waiting: str | None = None
        self._refused: SecretStr | None = None
        self.standing = Standing.NOT_TRIED
        self.accepted_ns: int | None = None  # monotonic: when Kite took a token last
        self._next_check_ns = self._next_retry_ns = 0

    @property
    def poll_seconds(self) -> float:
        """Return how long a socket that got no token waits before it asks again; asking costs nothing."""
        return min(_POLL_SECONDS, self._check_ns / NS_PER_SECOND)

    @property
    def waiting(self) -> str | None:
        """Return what is waited for and what to do about it, None while tokens are accepted."""
        return self._waiting

    def token(self) -> SecretStr | None:
        """Return the token to connect with now; None: wait and ask again. While waiting it goes to one asker only."""
        with self._guard:
            now = elapsed_ns()
            if self._waiting is not None:
                if now < self._next_check_ns:
                    return None
                self._next_check_ns = now + self._check_ns
            try:
                found = self.read_token()
            except SettingsError as error:  # somebody may be writing them just now
                self._wait(f"the access token cannot be read: {error}")
                return None
            if found is None:
                self.standing = Standing.MISSING
                self._wait("no access token that lives: log in to Kite (trading-platform login)")
                return None
            if found == self._refused:
                if now < self._next_retry_ns:
                    return None
                self._next_retry_ns = now + self._retry_ns
            return found

    def accepted(self) -> None:
        """Note that Kite took the token."""
        with self._guard:
            if self._waiting is not None:
                self._report("Kite accepts the token again: connecting")
            self._waiting = self._refused = None
            self.standing, self.accepted_ns = Standing.ACCEPTED, elapsed_ns()

    def refused(self, token: SecretStr, status: int) -> None:
        """Note that Kite refused a token: no socket connects with it again, but for one try after a long while."""
        with self._guard:
            self._refused, self.standing = token, Standing.REFUSED
            self._next_retry_ns = elapsed_ns() + self._retry_ns
            self._wait(
                f"Kite refuses the access token (HTTP {status}): log in again (trading-platform login); settings and "
                f"login are read every {self._check_ns / NS_PER_SECOND:g} s, nothing is sent to Kite meanwhile"
            )

    def _wait(self, why: str) -> None:
        self._next_check_ns = elapsed_ns() + self._check_ns
        if why != self._waiting:
            self._report(why)
        self._waiting = why
