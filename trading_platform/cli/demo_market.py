"""The market of the demo: a simulated exchange and the feed that records it, each a process of its own."""

from datetime import date
from pathlib import Path
from typing import Any

import orjson
import requests

from trading_platform.cli.children import Children, our_command
from trading_platform.cli.demo_account import FeedAccount, account_of
from trading_platform.errors import FeedError
from trading_platform.market.clock import elapsed_ns, from_ns
from trading_platform.settings import Settings
from trading_platform.simulator.exchange.accounts import Credentials
from trading_platform.storage.journal import JournalReader
from trading_platform.streaming.gauges import read_snapshot

SPEED = 600.0
"""Simulated seconds per real second: a session takes 41 s where the machine keeps up, longer where it does not, and is
the same in both, since the exchange tells its time on the sockets."""

_EXCHANGE, _FEED = "simulate", "feed"
_ANSWER_SECONDS = 10.0
_KEY = Credentials()


class DemoMarket:
    """One session of the synthetic market, from its dump of instruments to the account of what was recorded."""

    def __init__(self, children: Children, settings: Settings, session: date, speed: float = SPEED) -> None:
        self._children, self._settings, self._session, self._speed = children, settings, session, speed
        self._first: tuple[int, int] | None = None  # monotonic and simulated time when the feed was first seen at work
        self._ended_ns = 0

    def open(self, *arguments: str) -> None:
        """Start the exchange; its clock stands until the feed has subscribed."""
        what = ("--synthetic", "--session", self._session.isoformat(), *arguments)
        self._children.start(
            _EXCHANGE, *our_command("simulate", *what, "--speed", str(self._speed), "--hold", "--tell-time")
        )

    def is_open(self) -> bool:
        """Return whether the exchange answers."""
        return "websocket" in self._addresses()

    @property
    def login(self) -> dict[str, str]:
        """Return the settings of whoever works with this exchange, as after a login."""
        return {
            "TP_KITE_API_KEY": _KEY.api_key,
            "TP_KITE_ACCESS_TOKEN": str(_KEY.access_token),
            "TP_KITE_WS_ROOT": self._addresses()["websocket"],
            "TP_KITE_API_ROOT": self._addresses()["rest"],
        }

    def begin(self) -> None:
        """Start the feed; its subscription starts the session."""
        self._children.start(
            _FEED,
            *our_command("feed", "--until-closed", "--clock", f"{self._addresses()['rest']}/simulator/clock"),
            environment=self.login,
            ends=True,
        )

    def is_over(self) -> bool:
        """Return whether the feed has closed the session and ended."""
        if not self._children.has_ended(_FEED):
            return False
        self._ended_ns = elapsed_ns()
        return True

    def time(self) -> str:
        """Return what time it is in the market, nothing while the feed does not record."""
        said = self._snapshot()
        if said.get("state") != "recording":
            return ""
        self._first = self._first or (elapsed_ns(), said["at_ns"])
        return f"{from_ns(said['at_ns']):%H:%M}"

    def account(self) -> FeedAccount:
        """Compare what the exchange says it sent with what is in the journal, and stop the exchange."""
        url = f"{self._addresses()['rest']}/simulator/sent"
        sent = orjson.loads(requests.get(url, timeout=_ANSWER_SECONDS).content)["data"]["sockets"]
        self._children.stop(_EXCHANGE)
        journal = JournalReader(self._settings.journal_dir, self._settings.shard, self._session)
        said = self._snapshot()
        if not said:
            raise FeedError(f"the feed has not written {self._snapshot_path}; its log: {self._children.tail(_FEED)}")
        return account_of(sent, said, journal, speed=self._reached(said["at_ns"]))

    def _reached(self, until_ns: int) -> float | None:
        if self._first is None:
            return None
        real_ns, market_ns = self._ended_ns - self._first[0], until_ns - self._first[1]
        return market_ns / real_ns

    def _addresses(self) -> dict[str, str]:
        """Return where the exchange answers, once it has said so."""
        lines = [line.split() for line in self._children.printed(_EXCHANGE).splitlines()]
        return {line[0]: line[1] for line in lines if len(line) == 2}

    def _snapshot(self) -> dict[str, Any]:
        return read_snapshot(self._snapshot_path) or {}

    @property
    def _snapshot_path(self) -> Path:
        return self._settings.feed_dir / f"{self._settings.shard}.json"
