"""Catch the redirect of Kite's login page on loopback: one request, recognised by the state that was sent along."""

import hmac
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from trading_platform.errors import SettingsError, TookTooLong
from trading_platform.market.clock import NS_PER_SECOND, elapsed_ns

LOOPBACK = "127.0.0.1"
LIMIT_SECONDS = 300.0
_TURN_SECONDS = 0.5
_REQUEST_SECONDS = 5.0


class RedirectListener:
    """Listens from the moment it is made, so that no redirect can come too early."""

    def __init__(self, port: int, state: str) -> None:
        self.caught: str | None = None
        try:
            self._server = HTTPServer((LOOPBACK, port), self._handler(state))
        except OSError as error:
            raise SettingsError(f"port {port} cannot be used: {error.strerror}; choose another for --listen") from None
        self._server.timeout = _TURN_SECONDS

    @property
    def address(self) -> str:
        """Return what has to be registered as the redirect URL of the Kite app."""
        return f"http://{LOOPBACK}:{self._server.server_port}/"

    def wait(self, limit_seconds: float = LIMIT_SECONDS) -> str:
        """Return the query of the redirect; raise TookTooLong."""
        until = elapsed_ns() + int(limit_seconds * NS_PER_SECOND)
        try:
            while self.caught is None:
                if elapsed_ns() > until:
                    raise TookTooLong(f"no redirect came to {self.address} within {limit_seconds:.0f} s; log in again")
                self._server.handle_request()
        finally:
            self._server.server_close()
        return self.caught

    def _handler(self, state: str) -> type[BaseHTTPRequestHandler]:
        listener = self

        class Handler(BaseHTTPRequestHandler):
            timeout = _REQUEST_SECONDS  # a browser that opens a second connection and says nothing

            def do_GET(self) -> None:
                query = urlsplit(self.path).query
                found = parse_qs(query)
                given = found.get("state", [""])[0]
                if "request_token" not in found or not hmac.compare_digest(given.encode(), state.encode()):
                    self._answer(HTTPStatus.BAD_REQUEST, "This is not the answer to the login that is waited for.")
                    return
                listener.caught = query
                self._answer(HTTPStatus.OK, "Thank you. You may close this page; the terminal says how it went.")

            def _answer(self, status: HTTPStatus, text: str) -> None:
                body = text.encode()
                self.send_response(status)
                self.send_header("Content-Type", "text/plain; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # its name above
                """Say nothing: the line would hold the request token."""

        return Handler
