"""What volume is normal for an instrument at this minute of the day, and how that is handed to the engine.

One versioned block: the medians that relative volume divides by, as the model forecasts them the evening before, what
the model needs to go on from there bar by bar (`calc/live_forecast.py`), the curves of a day, and what is usual of the
whole day (`calc/volume_history.py`). Blocks of version 1 hold only the medians of bars, those of version 2 no model:
they are read so that journals that name one can be replayed, and all that follows from what they lack is null then.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from trading_platform.calc.live_forecast import LIVE_FIELDS
from trading_platform.calc.relative_volume import DAY_FIELDS, TRADINGVIEW_MINUTES, VolumeFlag, unknown_days
from trading_platform.calc.volume.models import PUBLISHED
from trading_platform.errors import BlockFormatError
from trading_platform.wire.blocks import content_hash, decode_block, encode_block, version_number

KIND, VERSION = "volume_baseline", 3
BARS_ONLY, NO_MODEL = 1, 2
"""Versions of blocks that hold the medians of bars and nothing else, and of those that hold all but the model."""
INTERVALS = (1, 5)
"""Bar lengths in minutes that have a baseline."""

MINUTES_PER_DAY = 24 * 60
STALE_DAYS = 7
_USUAL = ("cumulative", "tradingview_mean", "day")


@dataclass(frozen=True, slots=True)
class UsualDay:
    """What a day usually is, by instrument: `cumulative` has a column a minute, `tradingview_mean` one a 5-minute bar.

    `day` has DAY_FIELDS of calc.relative_volume; see `calc.volume_history.DayExpectations`.
    """

    cumulative: NDArray[np.float64]
    tradingview_mean: NDArray[np.float64]
    day: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class BaselineBlock:
    """The baselines of one session: for each interval, expected volume by instrument and minute-of-day bucket.

    `expected[interval]` has shape (instruments, buckets); bucket b covers the bar that starts `first_minute +
    b * interval` minutes after midnight IST. NaN where unknown. `usual` is None in a block of bars only, `live`
    (instruments, LIVE_FIELDS of calc.live_forecast, by interval; NaN without a filter) in blocks before the model.
    """

    session: date
    tokens: NDArray[np.uint32]
    first_minute: int
    expected: dict[int, NDArray[np.float64]]
    sessions_used: tuple[date, ...]
    usual: UsualDay | None = None
    live: dict[int, NDArray[np.float64]] | None = None

    @property
    def version(self) -> int:
        """Return the version of the layout that holds all of it."""
        if self.usual is None:
            return BARS_ONLY
        return NO_MODEL if self.live is None else VERSION

    def encode(self) -> bytes:
        """Write the block; its sha256 is the version that every row carries."""
        arrays: dict[str, NDArray[np.generic]] = {"token": self.tokens.astype("<u4")}
        for interval in INTERVALS:
            arrays[f"expected_{interval}"] = self.expected[interval].astype("<f8")
        if self.usual is not None:
            arrays |= {name: getattr(self.usual, name).astype("<f8") for name in _USUAL}
        if self.version == VERSION and self.live is not None:
            arrays |= {f"live_{interval}": self.live[interval].astype("<f8") for interval in INTERVALS}
        meta = {
            "session": self.session.isoformat(),
            "first_minute": self.first_minute,
            "sessions_used": [session.isoformat() for session in self.sessions_used],
            "model": PUBLISHED if self.version == VERSION else "median",
        }
        return encode_block(KIND, self.version, meta, arrays)

    @classmethod
    def decode(cls, content: bytes) -> "BaselineBlock":
        """Read a block; raise BlockFormatError for any other content."""
        block = decode_block(content, KIND, VERSION, NO_MODEL, BARS_ONLY)
        modelled = block.version == VERSION
        try:
            read = cls(
                session=date.fromisoformat(block.meta["session"]),
                tokens=block.arrays["token"],
                first_minute=int(block.meta["first_minute"]),
                expected={interval: block.arrays[f"expected_{interval}"] for interval in INTERVALS},
                sessions_used=tuple(date.fromisoformat(text) for text in block.meta["sessions_used"]),
                usual=None if block.version == BARS_ONLY else UsualDay(*(block.arrays[name] for name in _USUAL)),
                live={interval: block.arrays[f"live_{interval}"] for interval in INTERVALS} if modelled else None,
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
        if self.usual is not None:
            widths = {"cumulative": self.expected[1].shape[1], "tradingview_mean": self.expected[5].shape[1]}
            for name, width in {**widths, "day": DAY_FIELDS}.items():
                if getattr(self.usual, name).shape != (len(self.tokens), width):
                    raise BlockFormatError(f"{name} of baselines of {self.session} has another layout: make them again")
        for interval, live in (self.live or {}).items():
            if live.shape != (len(self.tokens), LIVE_FIELDS):
                raise BlockFormatError(
                    f"live_{interval} of baselines of {self.session} has another layout: make them again"
                )


def baseline_version(content: bytes) -> int:
    """Return the number under which rows name this block."""
    return version_number(content_hash(content))


def block_flags(block: BaselineBlock, session: date) -> int | None:
    """Return the VolumeFlag that using a block in a session means; None: it must not be used there.

    A morning run that was missed leaves the block of an earlier session in use, marked as stale, for a week at most.
    """
    if block.session == session:
        return 0
    return int(VolumeFlag.STALE_BASELINE) if 0 < (session - block.session).days <= STALE_DAYS else None


def expand_to_minutes(
    block: BaselineBlock, interval: int, tokens: Sequence[int] | NDArray[np.uint32]
) -> NDArray[np.float64]:
    """Return expected volume, shape (len(tokens), buckets of a whole day), NaN where the block says nothing.

    Raise BlockFormatError for a block that does not fit a day.
    """
    block.check()
    return _placed(block, block.expected[interval], interval, tokens)


def expand_day(block: BaselineBlock, tokens: Sequence[int] | NDArray[np.uint32]) -> UsualDay:
    """Return what is usual for these tokens with curves over a whole day; after their last entry they stay level.

    NaN, and flagged, where the block says nothing. Raise BlockFormatError for a block that does not fit a day.
    """
    block.check()
    if block.usual is None:
        minutes, fives = (np.full((len(tokens), MINUTES_PER_DAY // interval), np.nan) for interval in INTERVALS)
        return UsualDay(minutes, fives, unknown_days(len(tokens)))
    days = unknown_days(len(tokens))
    for row, source in _rows(block, tokens):
        days[row] = block.usual.day[source]
    return UsualDay(
        _levelled(_placed(block, block.usual.cumulative, 1, tokens)),
        _levelled(_placed(block, block.usual.tradingview_mean, TRADINGVIEW_MINUTES, tokens)),
        days,
    )


def expand_live(block: BaselineBlock, interval: int, tokens: Sequence[int] | NDArray[np.uint32]) -> NDArray[np.float64]:
    """Return where the filter of these tokens stands at the open, shape (len(tokens), LIVE_FIELDS), NaN without one.

    Raise BlockFormatError for a block that does not fit a day.
    """
    block.check()
    live = np.full((len(tokens), LIVE_FIELDS), np.nan)
    if block.live is not None:
        for row, source in _rows(block, tokens):
            live[row] = block.live[interval][source]
    return live


def _rows(block: BaselineBlock, tokens: Sequence[int] | NDArray[np.uint32]) -> Iterator[tuple[int, int]]:
    """Return which row of the block each row is; those that it does not know are left out."""
    known = {int(token): row for row, token in enumerate(block.tokens)}
    for row, token in enumerate(tokens):
        source = known.get(int(token))
        if source is not None:
            yield row, source


def _placed(
    block: BaselineBlock, values: NDArray[np.float64], interval: int, tokens: Sequence[int] | NDArray[np.uint32]
) -> NDArray[np.float64]:
    day = np.full((len(tokens), MINUTES_PER_DAY // interval), np.nan)
    first = block.first_minute // interval
    for row, source in _rows(block, tokens):
        day[row, first : first + values.shape[1]] = values[source]
    return day


def _levelled(curves: NDArray[np.float64]) -> NDArray[np.float64]:
    """Let each curve keep its last value to the end of the day."""
    seen = ~np.isnan(curves)
    last = curves.shape[1] - 1 - seen[:, ::-1].argmax(axis=1)
    known: NDArray[np.bool_] = np.any(seen, axis=1)
    beyond = known[:, None] & (np.arange(curves.shape[1])[None, :] > last[:, None])
    return np.where(beyond, curves[np.arange(len(curves)), last][:, None], curves)
