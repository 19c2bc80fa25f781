"""How much a feed holds and how patient it is, and how it learns that it should end."""

from dataclasses import dataclass, field
from typing import Protocol

from trading_platform.kite.key_gate import CHECK_SECONDS, RETRY_SECONDS
from trading_platform.kite.reconnect import ReconnectLimits
from trading_platform.kite.ticker import TickerLimits
from trading_platform.streaming.feed import QUEUE_BYTES
from trading_platform.streaming.reconciler import ReconcilerLimits


class Waits(Protocol):
    """How the command learns that it should end."""

    asked: bool

    def wait(self, seconds: float) -> None:
        """Sleep, but not longer than until it should end."""


@dataclass(frozen=True, slots=True)
class FeedLimits:
    """How much a feed holds in memory, and how patient it is, in real seconds."""

    queue_bytes: int = QUEUE_BYTES
    ticker: TickerLimits = field(default_factory=TickerLimits)
    reconnect: ReconnectLimits = field(default_factory=ReconnectLimits)
    token_check_seconds: float = CHECK_SECONDS
    token_retry_seconds: float = RETRY_SECONDS
    idle_seconds: float = 5.0  # between two looks whether a session can begin
    blocks_seconds: float = 5.0  # between two looks for new seeds and baselines
    candles: ReconcilerLimits = field(default_factory=ReconcilerLimits)
