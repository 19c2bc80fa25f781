"""The candles that a feed fetches for its gaps: which service it asks, and what it does without one."""

from datetime import date
from typing import Any

from trading_platform.cli.session_opening import Say
from trading_platform.intake.kite_access import pace_file
from trading_platform.kite.candles import KiteCandles
from trading_platform.kite.key_gate import KeyGate
from trading_platform.kite.pace import RequestPace
from trading_platform.ports import Timepiece
from trading_platform.settings import Settings
from trading_platform.storage.journal import JournalReader
from trading_platform.streaming.feed import Feed
from trading_platform.streaming.outstanding import Hours, Outstanding
from trading_platform.streaming.reconciler import Reconciler, ReconcilerLimits
from trading_platform.wire.journal_records import ControlType


class FeedCandles:
    """Fetches candles while a session is recorded; without a service of the same exchange it only says so."""

    def __init__(self, hours: Hours, gate: KeyGate, limits: ReconcilerLimits, *, say: Say) -> None:
        self._hours, self._gate, self._limits, self._say = hours, gate, limits, say
        self._work: Reconciler | None = None
        self._told = False

    def start(self, settings: Settings, session: date, feed: Feed, *, clock: Timepiece, until: int) -> None:
        """Begin; gaps of the journal up to record `until` count too."""
        if settings.candle_root is None:
            return
        self._work = Reconciler(
            session,
            Outstanding(self._hours),
            KiteCandles(
                self._gate.api_key,
                self._gate.read_token,
                settings.candle_root,
                pace=RequestPace(pace_file(settings), self._limits.request_seconds),
            ),
            announce=lambda content: feed.announce(ControlType.CANDLES, content, clock.now_ns()),
            clock=clock,
            report=self._say,
            limits=self._limits,
        )
        self._work.start(JournalReader(settings.journal_dir, settings.shard, session), until)

    def gap(self, tokens: tuple[int, ...], from_ns: int, until_ns: int) -> None:
        """Note a gap that is being recorded."""
        if self._work is not None:
            self._work.gap(tokens, from_ns, until_ns)
        elif not self._told:
            self._told = True
            self._say("bars of gaps stay as they are: the sockets are not Kite's, and kite_api_root names no service")

    def is_busy(self, ended_ns: int) -> bool:
        """Tell whether a session that ended at `ended_ns` (monotonic) should wait for candles a little more."""
        return self._work is not None and self._work.is_busy(ended_ns)

    def stop(self) -> None:
        """Hand on what has come, and fetch no more; say what is left."""
        if self._work is not None:
            self._work.stop()
            if left := self._work.as_values()["outstanding_instruments"]:
                self._say(f"bars of {left} instruments stay for now as gaps left them: their candles are not here")

    def as_values(self) -> dict[str, Any] | None:
        """Return how it goes, None when nothing is fetched."""
        return None if self._work is None else self._work.as_values()
