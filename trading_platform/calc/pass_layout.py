"""The memory of the pass: one row of numbers an instrument, a few numbers a shard, and the buffers that it fills.

Everything a pass remembers is in these arrays, so saving them saves the pass. Rows are laid out in one place, here;
the modules that work on them import the offsets.
"""

from enum import IntEnum, IntFlag
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trading_platform.calc.bar_indicators import INDICATOR_FIELDS
from trading_platform.calc.kernel import Matrix, kernel
from trading_platform.calc.live_forecast import FILTER_FIELDS
from trading_platform.calc.patterns import breakout, inputs, volume_spike, vwap_cross
from trading_platform.calc.relative_volume import DAY_FIELDS, VOLUME_FIELDS, unknown_days
from trading_platform.calc.volume_baseline import MINUTES_PER_DAY
from trading_platform.wire.kite_layout import DAMAGE, TICK
from trading_platform.wire.records import BAR, FEATURE, INDICATOR, LATEST, NULL_INT, SIGNAL, Rows


class BarFlag(IntFlag):
    """What a reader must know before trusting a bar."""

    SNAPSHOT = 1  # begins with a first packet after the open: its volume counts from there
    GAP = 2  # the socket was away during it, or its volume came in one packet after that
    RECEIVE_TIME = 4  # holds packets without a usable exchange time, placed by receive time
    REVISED = 8  # a packet came after it was closed
    VOLUME_FELL = 16  # the day's volume was reported lower than before
    NO_VOLUME = 32  # no packet carried a volume
    AFTER_GAP = 64  # holds the first volume after a gap: what was traded meanwhile stands in it, unless reconciled
    RECONCILED = 128  # prices and volume are those of the exchange's candles; GAP stays set and says why
    GAP_AGAIN = 256  # held the first volume after a gap, then another gap began: what that one lost comes later


class Counter(IntEnum):
    """What is counted rather than dropped in silence."""

    RECORDS = 0
    FRAMES = 1
    HEARTBEATS = 2
    PACKETS = 3
    UNKNOWN_TOKEN = 4
    NO_SESSION = 5  # the instrument's exchange is closed today, or its hours are unknown
    DAMAGED_FRAMES = 6
    DAMAGED_BYTES = 7
    PREVIOUS_SESSION = 8  # packets that repeat a day before this one
    CLOCK_AHEAD = 9  # exchange time further ahead of receive time than can be
    NO_PRICE = 10
    DUPLICATES = 11
    REORDERED = 12  # day's volume lower than before and not newer
    VOLUME_FELL = 13  # day's volume lower than before and newer
    OUTSIDE_PHASES = 14
    LATE = 15  # too late even for a revision
    REVISIONS = 16
    TEXT = 17
    RECEIVED_BEFORE = 18  # records whose receive time lies before the one before
    CLOCK_STEPS = 19  # the recorder's clock went back
    GAPS = 20  # times that a socket was away or a gap was named
    MISSING_RECORDS = 21  # damaged records of the journal that a tolerant replay passed over
    UNKNOWN_KIND = 22  # records of a kind that this version does not know
    # traded quantities that stand in no bar: with the bars they make up the day's volume
    LATE_VOLUME = 23
    OUTSIDE_VOLUME = 24  # outside the phases of the session
    SNAPSHOT_VOLUME = 25  # before the first packet of a socket that was subscribed after the open
    # gaps that became known late, and the candles that were fetched for them
    UNFLAGGED_MINUTES = 26  # minutes of instruments, closed so long before their gap was named that no bar is kept
    RECONCILED_BARS = 27  # revisions made from candles
    RECONCILED_VOLUME = 28  # what candles put into bars beyond what arrived; negative: took out
    CANDLE_UNKNOWN_TOKEN = 29  # candles set aside: of an instrument that has no bars
    CANDLE_WRONG_MINUTE = 30  # no minute of a window that is over, or outside continuous trading
    CANDLE_CONTRADICTS = 31  # prices or volume cannot be
    CANDLE_REPEATED = 32  # the bar is reconciled already, or the minute stands twice


COUNTERS = len(Counter)

LATENESS_SECONDS = 2
"""Packets come so long after the time that the exchange gave them: a bar waits for them, a gap may have lost them."""

# scalars of the shard (int64)
WATERMARK, PULSE_SECOND, NEXT_MINUTE, LATEST_EXCHANGE, MIDNIGHT, DIRTY, LATEST_DIRTY, RECORD, LAST_RECEIVED = range(9)
BASELINE_VERSION, LAST_CLOSED, LAST_OPEN, FINISHING = range(9, 13)
# BASELINE_FLAGS: VolumeFlag of the block in use; VIX_ROW: row of India VIX, -1 while it is not subscribed
BASELINE_FLAGS, VIX_ROW, SCALARS = 13, 14, 15

# parameters of the calculations (float64)
SPIKE_RVOL, SPIKE_VALUE, BREAKOUT_BARS, BREAKOUT_MARGIN, CROSS_CLOSES, CROSS_RVOL, COOLDOWN = range(7)
RUN_1, RUN_5, PARAMETERS = 7, 8, 9

# general fields of an instrument's row; EVENT_TIME orders packets, EXCHANGE_TIME is only what the exchange said;
# VALUE_SUM and VOLUME_SUM hold closed bars, a running bar holds its own
PHASES, FROM_ZERO, SEEN, EVENT_TIME, PRICE, DAY_VOLUME, CLOSED_VOLUME, VALUE_SUM, VOLUME_SUM = range(9)
# AWAY_SINCE: when the last packet before a gap that has not ended may have come (seconds), 0 while there is none
AWAY_SINCE, AFTER_GAP, IS_DIRTY, IS_LATEST_DIRTY, BUY_TOTAL, SELL_TOTAL, RUNNING_FLAGS, HAS_VOLUME = range(9, 17)
# TRADED: volume of closed bars of continuous trading, NaN before any is known; AUCTIONED: of closed bars of auctions;
# VOLUME_DOUBT: VolumeFlag of bars so far; OTHER_LEG: row of the other option of the strike, -1 for none
EXCHANGE_TIME, TRADED, AUCTIONED, VOLUME_DOUBT, OTHER_LEG, GENERAL_FIELDS = 17, 18, 19, 20, 21, 22

# one-minute bars: four slots by minute & 3, so that the minute before, this one and the two next have room
MINUTE, OPEN, HIGH, LOW, CLOSE, FIRST_TIME, FIRST_VOLUME, LAST_TIME, LAST_VOLUME = range(9)
TOP_VOLUME, TICKS, FLAGS, REVISION, STATUS, KIND, VOLUME, BAR_VALUE, BAR_TRADED = range(9, 18)
SLOT_FIELDS, SLOTS = 18, 4
EMPTY, RUNNING, CLOSED = 0.0, 1.0, 2.0
OUTSIDE = -1
"""Kind of a minute outside all phases: it takes its volume away from the bars around it, and is never written."""

# five-minute bars: the same columns where they mean something, two slots by (minute // 5) & 1
LONG_MINUTES, LONG_SLOTS = 5, 2
FIRST_MINUTE, LAST_MINUTE = FIRST_TIME, LAST_TIME

# what is kept for each interval: the indicator state, its last outputs, the state of each pattern, cooldowns
EMA_OUT, RSI_OUT, ATR_OUT, RVOL_OUT, OUTPUTS = range(5)
PATTERN_COUNT, SIDES = 3, 3
INDICATORS_AT = 0
OUTPUTS_AT = INDICATORS_AT + INDICATOR_FIELDS
SPIKE_AT = OUTPUTS_AT + OUTPUTS
BREAKOUT_AT = SPIKE_AT + volume_spike.FIELDS
CROSS_AT = BREAKOUT_AT + breakout.FIELDS
BARS_CLOSED_AT = CROSS_AT + vwap_cross.FIELDS
FIRED_AT = BARS_CLOSED_AT + 1  # bar count at which (pattern, side) last fired; 0: never
STOPS_AT = FIRED_AT + PATTERN_COUNT * SIDES
FILTER_AT = STOPS_AT + PATTERN_COUNT * SIDES  # what the baseline's filter has become: calc/live_forecast.py
INTERVAL_FIELDS = FILTER_AT + FILTER_FIELDS

SLOTS_AT = GENERAL_FIELDS
LONG_AT = SLOTS_AT + SLOTS * SLOT_FIELDS
MINUTE_AT = LONG_AT + LONG_SLOTS * SLOT_FIELDS
FIVE_AT = MINUTE_AT + INTERVAL_FIELDS
ROW_FIELDS = FIVE_AT + INTERVAL_FIELDS


@kernel
def minute_at(minute: int) -> int:
    """Return where a row keeps the bar of this minute (minutes since the epoch)."""
    return SLOTS_AT + minute % SLOTS * SLOT_FIELDS


@kernel
def long_at(minute: int) -> int:
    """Return where a row keeps the five-minute bar that covers this minute."""
    return LONG_AT + minute // LONG_MINUTES % LONG_SLOTS * SLOT_FIELDS


# what is usual: by bar, and by the end of it since the open; TRADINGVIEW is the mean that TradingView takes
EXPECTED, CUMULATIVE, TRADINGVIEW = 0, 1, 1
# of the minute under way, its five minutes and the day by then, before it and per second of it, noted once a minute;
# behind them the instrument's DAY_FIELDS. Not stored: it follows from the block and the time
UNDER_WAY, ONE_RATE, FIVE_BEFORE, FIVE_RATE, CUMULATIVE_BEFORE, CUMULATIVE_RATE, USUAL_AT = range(7)
USUAL_FIELDS = USUAL_AT + DAY_FIELDS

PULSE = np.dtype([("record", "<u8"), ("first", "<i8"), ("count", "<i8")])

MAX_PHASES = 8
NO_PHASES = -1.0
NO_ROW = -1.0

TOUCHED, LOST = 1, 2
"""What `touched` says of a minute: a gap fell into it; and its bar, if there was one, is not kept any more."""


class Memory(NamedTuple):
    """What a pass remembers."""

    state: Matrix  # (instruments, ROW_FIELDS)
    latest: Rows  # (instruments,) of LATEST
    token_keys: NDArray[np.uint32]  # open-addressing table, 0 = free
    token_rows: NDArray[np.int32]
    tokens: NDArray[np.uint32]  # (instruments,)
    dirty: NDArray[np.int32]  # rows changed since the last pulse
    latest_dirty: NDArray[np.int32]  # rows changed since the last batch
    scalars: NDArray[np.int64]
    counters: NDArray[np.int64]
    phases: NDArray[np.int64]  # (classes, MAX_PHASES, 3): kind, start, end; end 0 = unused
    by_minute: NDArray[np.float64]  # (instruments, 2, minutes of a day): EXPECTED, CUMULATIVE
    by_five: NDArray[np.float64]  # (instruments, 2, five-minute bars of a day): EXPECTED, TRADINGVIEW
    usual: NDArray[np.float64]  # (instruments, USUAL_FIELDS)
    touched: NDArray[np.uint8]  # (instruments, minutes of a day): 0, TOUCHED or LOST
    parameters: NDArray[np.float64]


class Outputs(NamedTuple):
    """Buffers that a run fills; `counts` says how far: bars, indicators, signals, features, pulses."""

    bars: Rows
    indicators: Rows
    signals: Rows
    features: Rows
    pulses: Rows
    counts: NDArray[np.int64]
    ticks: Rows
    damage: Rows
    # work space of one bar, so that no kernel of the pass allocates: what patterns see and say, its volume fields
    bar: NDArray[np.float64]
    said: NDArray[np.float64]
    volume_fields: NDArray[np.float64]


BARS, INDICATORS, SIGNALS, FEATURES, PULSES, OUTPUT_KINDS = range(6)


def empty_memory(tokens: NDArray[np.uint32], classes: int) -> Memory:
    """Return the memory of a fresh session for these instruments."""
    count = len(tokens)
    keys, rows = token_table(tokens)
    state = np.zeros((count, ROW_FIELDS))
    state[:, PHASES] = NO_PHASES
    state[:, PRICE] = np.nan
    state[:, EXCHANGE_TIME] = NULL_INT
    state[:, TRADED] = np.nan
    state[:, OTHER_LEG] = NO_ROW
    for interval_at in (MINUTE_AT, FIVE_AT):
        state[:, interval_at + OUTPUTS_AT : interval_at + OUTPUTS_AT + OUTPUTS] = np.nan
        state[:, interval_at + FILTER_AT : interval_at + INTERVAL_FIELDS] = np.nan
    usual = np.full((count, USUAL_FIELDS), np.nan)
    usual[:, USUAL_AT:] = unknown_days(count)
    scalars = np.zeros(SCALARS, dtype=np.int64)
    scalars[LAST_OPEN] = -1
    scalars[VIX_ROW] = int(NO_ROW)
    return Memory(
        state=state,
        latest=np.zeros(count, dtype=LATEST.dtype),
        token_keys=keys,
        token_rows=rows,
        tokens=tokens,
        dirty=np.zeros(count, dtype=np.int32),
        latest_dirty=np.zeros(count, dtype=np.int32),
        scalars=scalars,
        counters=np.zeros(COUNTERS, dtype=np.int64),
        phases=np.zeros((max(classes, 1), MAX_PHASES, 3), dtype=np.int64),
        by_minute=np.full((count, 2, MINUTES_PER_DAY), np.nan),
        by_five=np.full((count, 2, MINUTES_PER_DAY // LONG_MINUTES), np.nan),
        usual=usual,
        touched=np.zeros((count, MINUTES_PER_DAY), dtype=np.uint8),
        parameters=np.full(PARAMETERS, np.nan),
    )


def empty_outputs(instruments: int, tick_room: int, damage_room: int) -> Outputs:
    """Return buffers that hold at least what one record can produce."""
    bars = worst_bars(instruments, tick_room) * 2
    features = max(4 * instruments, 4096)
    return Outputs(
        bars=np.zeros(bars, dtype=BAR.dtype),
        indicators=np.zeros(bars, dtype=INDICATOR.dtype),
        signals=np.zeros(bars * PATTERN_COUNT, dtype=SIGNAL.dtype),
        features=np.zeros(features, dtype=FEATURE.dtype),
        pulses=np.zeros(4096, dtype=PULSE),
        counts=np.zeros(OUTPUT_KINDS, dtype=np.int64),
        ticks=np.zeros(tick_room, dtype=TICK),
        damage=np.zeros(damage_room, dtype=DAMAGE),
        bar=np.empty(inputs.BAR_COLUMNS),
        said=np.empty(inputs.VERDICT_COLUMNS),
        volume_fields=np.empty(VOLUME_FIELDS),
    )


def worst_bars(instruments: int, ticks: int) -> int:
    """Return how many bars one record can close or revise: every slot of every instrument, two a tick."""
    return instruments * (SLOTS + LONG_SLOTS) + 2 * ticks


def token_table(tokens: NDArray[np.uint32]) -> tuple[NDArray[np.uint32], NDArray[np.int32]]:
    """Return an open-addressing table token -> row, at most half full."""
    size = 16
    while size < 2 * len(tokens) + 2:
        size *= 2
    keys = np.zeros(size, dtype=np.uint32)
    rows = np.full(size, -1, dtype=np.int32)
    for row, token in enumerate(tokens.tolist()):
        at = first_slot(token, size)
        while keys[at] != 0:
            at = (at + 1) & (size - 1)
        keys[at] = token
        rows[at] = row
    return keys, rows


@kernel
def first_slot(token: int, size: int) -> int:
    """Return where a table of `size` (a power of two) looks for a token first."""
    # the segment moves to the top, so that neighbours differ by one; a product with 2^32 over the golden ratio then
    # scatters them evenly over its high bits
    turned = token >> 8 | (token & 0xFF) << 24
    return ((turned * 2654435761 & 0xFFFFFFFF) * size) >> 32
