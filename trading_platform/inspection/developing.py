"""The volume profile of one instrument as it develops, from the journal up to now."""

from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
import polars as pl

from trading_platform.batch.developing_profiles import DEVELOPING, developing_profile
from trading_platform.batch.profile_history import STEPS, adjusted, day_atrs, days_of, row_ticks_of
from trading_platform.batch.profile_ticks import COLUMNS, traded_so_far
from trading_platform.batch.profiles import INDEX, Grid, Traded, without_profile
from trading_platform.batch.session_profiles import past_sessions
from trading_platform.batch.ticks import READ_BYTES, ticks_of
from trading_platform.calc.session_contents import tokens_of
from trading_platform.inspection.question import Question, instrument_asked, session_asked
from trading_platform.inspection.trace import read_opening
from trading_platform.market.clock import from_ns, to_ns
from trading_platform.market.corporate_actions import load_corporate_actions
from trading_platform.market.instruments import Instrument, session_class
from trading_platform.market.session_kinds import PhaseKind
from trading_platform.market.sessions import load_session_table
from trading_platform.settings import Settings
from trading_platform.storage.journal import journal_sessions
from trading_platform.storage.lake import Lake
from trading_platform.storage.record_source import JournalRecords
from trading_platform.wire.journal_records import ControlType, RecordBatch, RecordKind, decode_control
from trading_platform.wire.lake_tables import MINUTE_BARS, SESSION


@dataclass(frozen=True, slots=True)
class DevelopingSeen:
    """The rows of DEVELOPING up to the last record, of which instrument; `reason` says why there are none."""

    symbol: str
    exchange: str
    session: date
    last_received: datetime | None
    row_size: float
    rows: pl.DataFrame
    reason: str | None


@dataclass(slots=True)
class _Read:
    """What a journal holds of an instrument: its ticks, and when it was subscribed first."""

    ticks: pl.DataFrame
    subscribed_ns: int | None = None
    last_ns: int | None = None


def developing_so_far(settings: Settings, question: Question, *, lake: Lake) -> DevelopingSeen:
    """Return how the profile developed up to the last record; raise BadQuestion for what there is not.

    Row height and ATR come from the sessions that the lake holds, as those of the asset; without the month before, the
    range so far says the height. Nothing is started or changed.
    """
    session = session_asked(question, sorted(journal_sessions(settings.journal_dir, settings.shard)), settings.shard)
    source = JournalRecords(settings.journal_dir, settings.shard, session, tolerant=True)
    try:
        opening = read_opening(source)
        instrument = instrument_asked(question.symbol, opening.instruments, opening.tokens)
        found = _read(source, session, instrument.token)
    finally:
        source.reader.close()
    hours = load_session_table().session(session_class(instrument, opening.instruments.fno_names), session)
    from_zero = found.subscribed_ns is not None and found.subscribed_ns < to_ns(hours.opens)
    traded, _ = traded_so_far(found.ticks, hours, from_zero=from_zero)
    grid, day_atr = _measure(instrument, session, traded, lake)
    reason = INDEX if instrument.is_index else without_profile(traded, grid)
    return DevelopingSeen(
        symbol=instrument.tradingsymbol,
        exchange=instrument.exchange,
        session=session,
        last_received=None if found.last_ns is None else from_ns(found.last_ns),
        row_size=grid.row_size,
        rows=pl.DataFrame(schema=DEVELOPING) if reason else developing_profile(traded, grid, hours.opens, day_atr),
        reason=reason,
    )


def _read(source: JournalRecords, session: date, token: int) -> _Read:
    parts: list[pl.DataFrame] = []
    found, position = _Read(pl.DataFrame()), 0
    while len(batch := source.read(position, READ_BYTES, 0.0)):
        position = batch.last_number
        found.last_ns = int(batch.table["received_ns"][-1])
        if found.subscribed_ns is None:
            found.subscribed_ns = _subscribed(batch, source, token)
        parts.append(ticks_of(batch, session, token).select(COLUMNS))
    found.ticks = pl.concat(parts)
    return found


def _subscribed(batch: RecordBatch, source: JournalRecords, token: int) -> int | None:
    for row in np.flatnonzero(batch.table["kind"] == RecordKind.CONTROL).tolist():
        control = decode_control(batch.body(row))
        if (
            control.type is ControlType.SUBSCRIBED
            and control.sha256
            and token in tokens_of(source.blob(control.sha256))
        ):
            return int(batch.table["received_ns"][row])
    return None


def _measure(instrument: Instrument, session: date, traded: Traded, lake: Lake) -> tuple[Grid, float]:
    """Return the rows that volume is counted in, and the ATR of the sessions before, NaN where unknown."""
    looked_at = past_sessions(lake.sessions(MINUTE_BARS.name), session)
    bars = lake.scan(MINUTE_BARS.name).filter(
        pl.col(SESSION).is_in(looked_at)
        & (pl.col("kind") == int(PhaseKind.CONTINUOUS))
        & (pl.col("symbol") == instrument.tradingsymbol)
        & (pl.col("segment") == instrument.segment.partition("-")[0])
    )
    days = adjusted(days_of(bars, ["symbol"]).collect(), load_corporate_actions(), session)
    known = days.select("session", "high", "low")
    if len(traded.low):
        today = {"session": [session], "high": [float(traded.high.max())], "low": [float(traded.low.min())]}
        known = pl.concat([known, pl.DataFrame(today)])
    tick = instrument.tick_size if instrument.tick_size > 0.0 else STEPS[-1]
    atr = float(day_atrs(*(days[name].to_numpy() for name in ("high", "low", "close")))[-1]) if days.height else np.nan
    return Grid(tick, row_ticks_of(known, session, tick) or 1), atr
