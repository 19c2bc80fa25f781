"""Where infinite-memory indicators start a session: their state after a fixed number of past sessions.

Partitions are independent this way, and live equals batch to the bit.
"""

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from trading_platform.calc.bar_indicators import INDICATOR_FIELDS, indicators_scan
from trading_platform.errors import BlockFormatError
from trading_platform.wire.blocks import decode_block, encode_block

KIND, VERSION = "indicator_seeds", 1
INTERVALS = (1, 5)
"""Bar lengths in minutes that carry indicators."""


def seed_row(high: NDArray[np.float64], low: NDArray[np.float64], close: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the indicator state, shape (INDICATOR_FIELDS,), after these bars of past sessions, oldest first."""
    state = np.zeros(INDICATOR_FIELDS)
    indicators_scan(state, high, low, close)
    return state


@dataclass(frozen=True, slots=True)
class SeedBlock:
    """Seeds of one session: `states` has shape (instruments, len(INTERVALS), INDICATOR_FIELDS)."""

    session: date
    tokens: NDArray[np.uint32]
    states: NDArray[np.float64]
    sessions_used: tuple[date, ...]

    def encode(self) -> bytes:
        """Write the block; its sha256 names it in the journal."""
        meta = {
            "session": self.session.isoformat(),
            "intervals": list(INTERVALS),
            "sessions_used": [session.isoformat() for session in self.sessions_used],
        }
        return encode_block(
            KIND, VERSION, meta, {"token": self.tokens.astype("<u4"), "state": self.states.astype("<f8")}
        )

    @classmethod
    def decode(cls, content: bytes) -> "SeedBlock":
        """Read a block; raise BlockFormatError for any other content or another set of intervals."""
        block = decode_block(content, KIND, VERSION)
        try:
            read = cls(
                session=date.fromisoformat(block.meta["session"]),
                tokens=block.arrays["token"],
                states=block.arrays["state"],
                sessions_used=tuple(date.fromisoformat(text) for text in block.meta["sessions_used"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise BlockFormatError(f"this block does not hold the seeds of a session: {error!r}") from error
        wanted = (*read.tokens.shape, len(INTERVALS), INDICATOR_FIELDS)
        if block.meta.get("intervals") != list(INTERVALS) or read.states.shape != wanted:
            raise BlockFormatError(f"seeds of {read.session} have another layout: make them again")
        return read
