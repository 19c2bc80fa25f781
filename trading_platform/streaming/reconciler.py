"""Fetches the candles of minutes that gaps touched, in a thread of its own, and hands them on to be recorded.

Kite answers three such requests a second: a gap of 9,000 instruments takes fifty minutes. What is not done when the
feed ends is found again in the journal. Recording never waits for any of this.
"""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from trading_platform.errors import AccessRefused, BrokerError, JournalError, RequestRefused
from trading_platform.market.clock import NS_PER_SECOND, elapsed_ns
from trading_platform.ports import CandleSource, FetchedCandles, RecordHistory, Timepiece
from trading_platform.streaming.outstanding import Outstanding
from trading_platform.wire.candle_block import Candle, CandleBlock, Window

_JOIN_SECONDS = 2.0
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class ReconcilerLimits:
    """Real seconds, and counts: how fast it asks, how long it waits for what, how much it hands on at once."""

    request_seconds: float = 0.35  # between two requests; three a second are allowed
    poll_seconds: float = 0.5  # between two looks while nothing is ready
    first_pause_seconds: float = 1.0  # after a failure; doubled with each that follows
    longest_pause_seconds: float = 60.0
    access_seconds: float = 30.0  # between two looks for a token that is accepted
    empty_seconds: float = 60.0  # before an instrument without a single candle is asked for again
    empty_asks: int = 2  # how often, before nothing was traded is believed
    batch_seconds: float = 10.0
    batch_instruments: int = 32
    batch_candles: int = 20_000
    give_up_seconds: float = 300.0  # without an answer, when the session is over
    after_end_seconds: float = 3600.0  # that a session waits for candles at most when it is over


@dataclass(slots=True)
class ReconcilerCounters:
    """What was asked and what came of it."""

    gaps: int = 0
    requests: int = 0
    answers: int = 0
    failures: int = 0
    last_failure: str | None = None
    candles: int = 0
    unreadable: int = 0  # candles that could not be read
    without_candle: int = 0  # instruments for whose windows not one candle came
    records: int = 0
    refused: dict[int, str] = field(default_factory=dict)  # instruments that Kite gives no candles of, and why


@dataclass(slots=True)
class _Batch:
    windows: list[Window] = field(default_factory=list)
    candles: list[Candle] = field(default_factory=list)
    begun_ns: int = 0


class Reconciler:
    """Asks for what is outstanding until it is stopped; `announce` gets each block that is to be recorded."""

    def __init__(
        self,
        session: date,
        outstanding: Outstanding,
        source: CandleSource,
        *,
        announce: Callable[[bytes], None],
        clock: Timepiece,
        report: Callable[[str], None],
        limits: ReconcilerLimits | None = None,
    ) -> None:
        self.counters = ReconcilerCounters()
        self.waiting: str | None = None
        self._session, self._outstanding, self._source = session, outstanding, source
        self._announce, self._clock, self._report = announce, clock, report
        self._limits = limits or ReconcilerLimits()
        self._gaps: deque[tuple[tuple[int, ...], int, int]] = deque()
        self._batch = _Batch()
        self._guard = threading.Lock()  # the batch, and whether it may still be handed on
        self._ended = False
        self._stopping, self._wake = threading.Event(), threading.Event()
        self._failures = self._not_before_ns = 0
        self._answered_ns = elapsed_ns()
        self._is_ready = True  # something can be asked for, or is not known yet
        self._thread = threading.Thread(target=self._run, name="reconciler", daemon=True)
        self._history: tuple[RecordHistory, int] | None = None

    def start(self, history: RecordHistory | None = None, until: int = 0) -> None:
        """Begin; of a journal that is continued, take over first what its records up to `until` leave open."""
        self._history = None if history is None else (history, until)
        self._thread.start()

    def gap(self, tokens: tuple[int, ...], from_ns: int, until_ns: int) -> None:
        """Note a gap that is being recorded; returns at once."""
        self._gaps.append((tokens, from_ns, until_ns))
        self._wake.set()

    def stop(self) -> None:
        """End, and hand on what has come; what is under way is asked for again by the next feed."""
        self._stopping.set()
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join(_JOIN_SECONDS)
        with self._guard:
            self._hand_on()
            self._ended = True

    def is_busy(self, ended_ns: int) -> bool:
        """Tell whether a session that ended at `ended_ns` (monotonic) should wait for candles a little more."""
        now = elapsed_ns()
        if now - ended_ns > self._limits.after_end_seconds * NS_PER_SECOND or self.waiting is not None:
            return False
        silent = now - max(self._answered_ns, ended_ns) > self._limits.give_up_seconds * NS_PER_SECOND
        return not silent and (self._is_ready or bool(self._gaps))

    def as_values(self) -> dict[str, Any]:
        """Return how it goes, as JSON has it."""
        counters = self.counters
        refused = {str(token): why for token, why in list(counters.refused.items())[:_SHOWN]}
        names = ("gaps", "requests", "answers", "failures", "last_failure", "candles", "unreadable", "without_candle")
        return {
            "outstanding_instruments": len(self._outstanding),
            "outstanding_intervals": self._outstanding.intervals,
            "waiting": self.waiting,
            **{name: getattr(counters, name) for name in (*names, "records")},
            "refused_instruments": len(counters.refused),
            "refused": refused,
        }

    def _run(self) -> None:
        self._recall()
        while not self._stopping.is_set():
            while self._gaps:
                self._is_ready = True
                self._outstanding.add(*self._gaps.popleft())
                self.counters.gaps += 1
            pause = self._step()
            self._wake.clear()
            if not self._gaps and not self._stopping.is_set():
                self._wake.wait(pause)

    def _recall(self) -> None:
        if self._history is not None:
            try:
                faults = self._outstanding.recall(*self._history)
            except JournalError as error:
                faults = [str(error)]
            for fault in faults:
                self._report(f"candles: gaps of the journal are not all known: {fault}")
            if len(self._outstanding):
                self._report(f"candles: {len(self._outstanding)} instruments of gaps before are outstanding")

    def _step(self) -> float:
        """Ask for one instrument if that is due; return how long to wait, real seconds."""
        now = elapsed_ns()
        market_ns = self._clock.now_ns()
        windows = self._outstanding.next(market_ns, now)
        self._is_ready = bool(windows) or self._outstanding.is_ready(market_ns)
        if self._is_due(now, is_idle=not windows):
            with self._guard:
                self._hand_on()
        if not windows:
            return self._limits.poll_seconds
        if now < self._not_before_ns:
            return min((self._not_before_ns - now) / NS_PER_SECOND, self._limits.poll_seconds)
        self._not_before_ns = now + int(self._limits.request_seconds * NS_PER_SECOND)
        self._ask(windows)
        return 0.0

    def _ask(self, windows: list[Window]) -> None:
        token = windows[0].token
        self.counters.requests += 1
        try:
            fetched = self._source.minute_candles(token, windows[0].begin, windows[-1].end)
        except AccessRefused as error:
            self._wait_for_access(str(error))
        except RequestRefused as error:
            self._answered()
            self.counters.refused[token] = str(error)
            self._report(f"candles: {error}; its bars stay as the gap left them")
            self._outstanding.done(windows)
        except BrokerError as error:
            self._pause(str(error))
        else:
            self._answered()
            self._take(token, windows, fetched)

    def _take(self, token: int, windows: list[Window], fetched: FetchedCandles) -> None:
        asked = [each for each in fetched.candles if any(window.begin <= each.start < window.end for window in windows)]
        self.counters.unreadable += fetched.unreadable
        if not asked:
            until = elapsed_ns() + int(self._limits.empty_seconds * NS_PER_SECOND)
            if self._outstanding.put_off(token, until) < self._limits.empty_asks:
                return
            self.counters.without_candle += 1
        self.counters.candles += len(asked)
        self._outstanding.done(windows)
        with self._guard:
            self._batch.begun_ns = self._batch.begun_ns or elapsed_ns()
            self._batch.windows += windows
            self._batch.candles += asked

    def _is_due(self, now: int, *, is_idle: bool) -> bool:
        batch, limits = self._batch, self._limits
        full = len(batch.windows) >= limits.batch_instruments or len(batch.candles) >= limits.batch_candles
        return full or is_idle or now - batch.begun_ns > limits.batch_seconds * NS_PER_SECOND

    def _hand_on(self) -> None:
        if self._batch.windows and not self._ended:
            self._announce(CandleBlock.of(self._session, self._batch.windows, self._batch.candles).encode())
            self.counters.records += 1
        self._batch = _Batch()

    def _answered(self) -> None:
        self._failures, self._answered_ns = 0, elapsed_ns()
        if self.waiting is not None:
            self._report("candles: Kite answers again")
        self.waiting = None
        self.counters.answers += 1

    def _wait_for_access(self, why: str) -> None:
        if why != self.waiting:
            self._report(f"candles: {why}")
        self.waiting = why
        self._not_before_ns = elapsed_ns() + int(self._limits.access_seconds * NS_PER_SECOND)

    def _pause(self, why: str) -> None:
        """Wait longer after each failure; it may be any instrument's, so all wait."""
        limits = self._limits
        seconds = min(limits.longest_pause_seconds, limits.first_pause_seconds * 2.0 ** min(self._failures, 16))
        if why != self.counters.last_failure:
            self._report(f"candles: {why}; asking again in {seconds:g} s")
        self._failures += 1
        self.counters.failures += 1
        self.counters.last_failure = why
        self._not_before_ns = elapsed_ns() + int(seconds * NS_PER_SECOND)
