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
        states = block.arrays["state"]
        if block.meta["intervals"] != list(INTERVALS) or states.shape[1:] != (len(INTERVALS), INDICATOR_FIELDS):
            raise BlockFormatError(f"seeds of {block.meta['session']} have another layout: make them again")
        return cls(
            session=date.fromisoformat(block.meta["session"]),
            tokens=block.arrays["token"],
            states=states,
            sessions_used=tuple(date.fromisoformat(text) for text in block.meta["sessions_used"]),
        )
