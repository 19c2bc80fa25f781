"""A webhook on loopback that keeps what is posted, and can be told how to answer."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson
from pydantic import SecretStr

TOKEN = "T0CEN-in-the-path"  # noqa: S105


class Webhook:
    """Statuses to answer with, the last one for ever; `stall` keeps it from answering at all."""

    def __init__(self) -> None:
        self.statuses = [200]
        self.posted: list[dict[str, Any]] = []
        self.stall = threading.Event()
        self.released = threading.Event()
        self.arrived = threading.Event()
        self.gave_up = False
        self.url = SecretStr("")

    def answer(self) -> int:
        """Return the next status."""
        return self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]


@contextmanager
def webhook() -> Iterator[Webhook]:
    """Serve until the block ends."""
    kept = Webhook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == f"/{TOKEN}":
                kept.posted.append(orjson.loads(body))
            if kept.stall.is_set():
                kept.arrived.set()
                kept.gave_up = not kept.released.wait(60)
                return
            status = kept.answer()
            self.send_response(status)
            if status == 302:
                self.send_header("Location", "http://127.0.0.1:1/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    kept.url = SecretStr(f"http://127.0.0.1:{server.server_port}/{TOKEN}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield kept
    finally:
        kept.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
