"""What volume is normal for an instrument at this minute of the day, and how that is handed to the engine.

For now one model: the median of the same minute over the last sessions. A median, because a mean reads a normal bar
as thin. Medians of longer bars are computed from longer bars: a sum of medians is not the median of sums.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from trading_platform.errors import BlockFormatError
from trading_platform.wire.blocks import content_hash, decode_block, encode_block, version_number

KIND, VERSION = "volume_baseline", 1
INTERVALS = (1, 5)
"""Bar lengths in minutes that have a baseline."""

MINUTES_PER_DAY = 24 * 60


def median_by_bucket(volumes: NDArray[np.float64], min_sessions: int) -> NDArray[np.float64]:
    """Return the median over sessions, shape (instruments, buckets), of `volumes` (sessions, instruments, buckets).

    NaN marks a bar that is missing or has no volume (an index). A bucket with fewer than `min_sessions` values, or
    whose median is zero, is NaN: nothing can be divided by it.
    """
    known = np.sum(~np.isnan(volumes), axis=0)
    enough = known >= max(min_sessions, 1)
    if not len(volumes):
        return np.full(volumes.shape[1:], np.nan)
    filled = np.where(enough[None, :, :], volumes, 0.0)
    medians: NDArray[np.float64] = np.nanmedian(filled, axis=0)
    return np.where(enough & (medians > 0.0), medians, np.nan)


@dataclass(frozen=True, slots=True)
class BaselineBlock:
    """The baselines of one session: for each interval, expected volume by instrument and minute-of-day bucket.

    `expected[interval]` has shape (instruments, buckets); bucket b covers the bar that starts `first_minute +
    b * interval` minutes after midnight IST. NaN where unknown.
    """

    session: date
    tokens: NDArray[np.uint32]
    first_minute: int
    expected: dict[int, NDArray[np.float64]]
    sessions_used: tuple[date, ...]

    def encode(self) -> bytes:
        """Write the block; its sha256 is the version that every row carries."""
        arrays: dict[str, NDArray[np.generic]] = {"token": self.tokens.astype("<u4")}
        for interval in INTERVALS:
            arrays[f"expected_{interval}"] = self.expected[interval].astype("<f8")
        meta = {
            "session": self.session.isoformat(),
            "first_minute": self.first_minute,
            "sessions_used": [session.isoformat() for session in self.sessions_used],
            "model": "median",
        }
        return encode_block(KIND, VERSION, meta, arrays)

    @classmethod
    def decode(cls, content: bytes) -> "BaselineBlock":
        """Read a block; raise BlockFormatError for any other content."""
        block = decode_block(content, KIND, VERSION)
        try:
            read = cls(
                session=date.fromisoformat(block.meta["session"]),
                tokens=block.arrays["token"],
                first_minute=int(block.meta["first_minute"]),
                expected={interval: block.arrays[f"expected_{interval}"] for interval in INTERVALS},
                sessions_used=tuple(date.fromisoformat(text) for text in block.meta["sessions_used"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise BlockFormatError(f"this block does not hold the baselines of a session: {error!r}") from error
        read.check()
        return read

    def check(self) -> None:
        """Raise BlockFormatError unless every interval has a row for each token and ends within the day."""
        first = self.first_minute
        if not 0 <= first < MINUTES_PER_DAY or any(first % interval for interval in INTERVALS):
            raise BlockFormatError(f"baselines of {self.session} begin at minute {first}: no bar begins there")
        for interval, expected in self.expected.items():
            if expected.ndim != 2 or len(expected) != len(self.tokens):
                raise BlockFormatError(
                    f"baselines of {self.session} have another layout, {expected.shape} for {len(self.tokens)} tokens: "
                    "make them again"
                )
            last = first + expected.shape[1] * interval
            if last > MINUTES_PER_DAY:
                raise BlockFormatError(f"baselines of {self.session} reach minute {last}, beyond the end of the day")


def baseline_version(content: bytes) -> int:
    """Return the number under which rows name this block."""
    return version_number(content_hash(content))


def expand_to_minutes(
    block: BaselineBlock, interval: int, tokens: Sequence[int] | NDArray[np.uint32]
) -> NDArray[np.float64]:
    """Return expected volume, shape (len(tokens), buckets of a whole day), NaN where the block says nothing.

    Raise BlockFormatError for a block that does not fit a day.
    """
    block.check()
    day = np.full((len(tokens), MINUTES_PER_DAY // interval), np.nan)
    known = {int(token): row for row, token in enumerate(block.tokens)}
    first = block.first_minute // interval
    width = block.expected[interval].shape[1]
    for row, token in enumerate(tokens):
        source = known.get(int(token))
        if source is not None:
            day[row, first : first + width] = block.expected[interval][source]
    return day
