"""What Kite answered about past sessions: candles that can be used, and an account of every session that was asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trading_platform.batch.backfill_plan import Request, Target
from trading_platform.market.bar_rules import REASONS, BarFault, row_faults
from trading_platform.market.clock import IST, NS_PER_SECOND, from_ns
from trading_platform.market.session_kinds import PhaseKind, SessionClass
from trading_platform.market.sessions import SessionTable
from trading_platform.wire.candle_block import Candle
from trading_platform.wire.lake_tables import BACKFILL_ACCOUNT, HISTORICAL_BARS, MOMENT

KITE_HISTORICAL = "kite_historical"
"""The `source` of bars that are candles of Kite's historical service."""

_MINUTE = 60
_MOST_REASON = 200


class Outcome(StrEnum):
    """What came of asking for a session of an instrument."""

    COMPLETE = "complete"  # every minute of continuous trading
    PARTIAL = "partial"  # fewer: nothing was traded, or Kite lacks them
    NO_CANDLES = "no_candles"
    BEFORE_FIRST = "before_first"  # none, but later ones in the same answer: not listed or not traded yet
    NOT_LISTED = "not_listed"  # the dump of that session does not know it; nothing was asked
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Answer:
    """Rows of `historical_bars`, and rows of `backfill_account`."""

    bars: pl.DataFrame
    account: pl.DataFrame


@dataclass(frozen=True, slots=True)
class _Hours:
    """When a class traded on a date, seconds since the epoch, phases in order."""

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    kinds: NDArray[np.int32]
    minutes: int


def answered(
    request: Request, candles: Sequence[Candle], unreadable: int, *, table: SessionTable, at: datetime
) -> Answer:
    """Keep the candles of the sessions asked for that can be; account for each session."""
    target = request.target
    by_day: dict[date, list[Candle]] = {day: [] for day in request.sessions}
    for candle in candles:
        by_day.get(from_ns(candle.start * NS_PER_SECOND).date(), []).append(candle)
    frames, lines = [], []
    first = next((day for day, found in by_day.items() if found), None)
    for place, (day, found) in enumerate(by_day.items()):
        hours = _hours(table, target.session_class, day)
        kept, reasons = _judged(found, hours)
        # nobody knows which session a row that cannot be read belongs to
        lost = unreadable if place == 0 else 0
        if lost:
            reasons = [f"{lost} rows of the answer cannot be read", *reasons]
        frames.append(_frame(target, day, kept, hours, at.date()))
        continuous = frames[-1].filter(pl.col("kind") == int(PhaseKind.CONTINUOUS)).height
        counts = (len(kept), hours.minutes, len(found) - len(kept) + lost)
        outcome = _outcome(len(kept), continuous, hours.minutes)
        if outcome is Outcome.NO_CANDLES and first is not None and day < first:
            outcome = Outcome.BEFORE_FIRST
        lines.append(_line(target, day, outcome, "; ".join(reasons), at=at, counts=counts))
    return Answer(pl.concat(frames), pl.DataFrame(lines, schema=BACKFILL_ACCOUNT.schema))


def refused(request: Request, reason: str, *, at: datetime) -> Answer:
    """Account for sessions whose request Kite refused for good."""
    lines = [_line(request.target, day, Outcome.REFUSED, reason, at=at) for day in request.sessions]
    return Answer(HISTORICAL_BARS.schema.to_frame(), pl.DataFrame(lines, schema=BACKFILL_ACCOUNT.schema))


def not_listed(pairs: Sequence[tuple[Target, date]], *, at: datetime) -> Answer:
    """Account for sessions whose dump does not list the instrument."""
    why = "the dump of that session does not list it"
    lines = [_line(target, day, Outcome.NOT_LISTED, why, at=at) for target, day in pairs]
    return Answer(HISTORICAL_BARS.schema.to_frame(), pl.DataFrame(lines, schema=BACKFILL_ACCOUNT.schema))


def _outcome(kept: int, continuous: int, minutes: int) -> Outcome:
    if not kept:
        return Outcome.NO_CANDLES
    return Outcome.COMPLETE if continuous >= minutes else Outcome.PARTIAL


def _hours(table: SessionTable, session_class: SessionClass, session: date) -> _Hours:
    phases = table.session(session_class, session).phases
    starts = np.array([int(phase.start.timestamp()) for phase in phases], np.int64)
    ends = np.array([int(phase.end.timestamp()) for phase in phases], np.int64)
    kinds = np.array([int(phase.kind) for phase in phases], np.int32)
    continuous = kinds == int(PhaseKind.CONTINUOUS)
    return _Hours(starts, ends, kinds, int((ends - starts)[continuous].sum()) // _MINUTE)


def _judged(found: list[Candle], hours: _Hours) -> tuple[list[Candle], list[str]]:
    """Return the usable candles in order of time, and how many others there were by reason."""
    if not found:
        return [], []
    start = np.array([one.start for one in found], np.int64)
    prices = np.array([[one.open, one.high, one.low, one.close] for one in found]).T
    faults = row_faults(start * NS_PER_SECOND, prices, np.array([one.volume for one in found], np.float64))
    outside = (start[:, None] >= hours.starts) & (start[:, None] < hours.ends)
    faults[(faults == BarFault.NONE) & ~outside.any(axis=1)] = BarFault.OUTSIDE_SESSION
    kept: dict[int, Candle] = {}
    for place, candle in enumerate(found):
        if faults[place] == BarFault.NONE and candle.start in kept:
            faults[place] = BarFault.DUPLICATE
        elif faults[place] == BarFault.NONE:
            kept[candle.start] = candle
    wrong, counts = np.unique(faults[faults != BarFault.NONE], return_counts=True)
    told = [f"{count} candles: {REASONS[BarFault(fault)]}" for fault, count in zip(wrong, counts, strict=True)]
    return [kept[at] for at in sorted(kept)], told


def _frame(target: Target, session: date, kept: list[Candle], hours: _Hours, asked_on: date) -> pl.DataFrame:
    start = np.array([one.start for one in kept], np.int64)
    phase = np.searchsorted(hours.starts, start, side="right") - 1
    columns: dict[str, Any] = {name: [getattr(one, name) for one in kept] for name in ("open", "high", "low", "close")}
    return HISTORICAL_BARS.conform(
        pl.DataFrame(
            {
                "kind": hours.kinds[phase],
                "start": start,
                **columns,
                "volume": [None if target.is_index else int(one.volume) for one in kept],
            },
            schema_overrides=dict.fromkeys(columns, pl.Float64) | {"volume": pl.Int64},
        ).with_columns(
            pl.from_epoch("start", "s").dt.replace_time_zone("UTC").cast(MOMENT),
            session=pl.lit(session),
            token=pl.lit(target.token),
            symbol=pl.lit(target.symbol),
            segment=pl.lit(target.segment),
            source=pl.lit(KITE_HISTORICAL),
            adjusted_asof=pl.lit(asked_on),
        )
    )


def _line(
    target: Target,
    session: date,
    outcome: Outcome,
    reason: str,
    *,
    at: datetime,
    counts: tuple[int, int | None, int] = (0, None, 0),
) -> dict[str, Any]:
    minutes, expected, aside = counts
    return {
        "session": session,
        "token": target.token,
        "symbol": target.symbol,
        "segment": target.segment,
        "outcome": str(outcome),
        "minutes": minutes,
        "expected_minutes": expected,
        "set_aside": aside,
        "reason": reason[:_MOST_REASON] or None,
        "asked_at": at.astimezone(IST),
    }
