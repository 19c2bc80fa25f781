"""Replay a session: the same pass as the engine's, over the records of its journal, into frames."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from trading_platform.batch.record_loop import Limit, feed_records
from trading_platform.calc.patterns.catalogue import PATTERNS
from trading_platform.calc.session_pass import SessionPass
from trading_platform.errors import MissingInput
from trading_platform.ports import RecordSource
from trading_platform.wire.lake_tables import MOMENT
from trading_platform.wire.records import BAR, INDICATOR, SIGNAL, Rows, Schema

_SECONDS = ("start", "formed_at", "confirmed_at")


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """What a session gives: frames, one hash of everything, and what was counted."""

    session: date
    bars: pl.DataFrame
    indicators: pl.DataFrame
    signals: pl.DataFrame
    last_record: int
    closed: bool
    digest: str
    features_digest: str
    digests: dict[str, str]
    counters: dict[str, int]
    unplaced: dict[int, str]


def replay_session(
    source: RecordSource,
    session: date,
    *,
    until: int | None = None,
    progress: Callable[[int], None] | None = None,
    tolerant: bool = False,
) -> ReplayResult:
    """Replay the records of `source` up to number `until` (None: all that are there); raise MissingInput for none.

    `progress` is told the position after each batch. `tolerant` goes on where the source leaves out damaged records.
    """
    state = SessionPass(session, source.blob, tolerant=tolerant)
    parts: dict[Schema, list[Rows]] = {BAR: [], INDICATOR: [], SIGNAL: []}
    for _, produced in feed_records(state, source, Limit(number=until)):
        for schema, rows in ((BAR, produced.bars), (INDICATOR, produced.indicators), (SIGNAL, produced.signals)):
            parts[schema].append(rows)
        if progress:
            progress(state.position)
    if state.position == 0:
        raise MissingInput(f"there is no journal record of {session}: record or play that session first")
    return _result(state, {schema: np.concatenate(rows) for schema, rows in parts.items()})


def _result(state: SessionPass, rows: dict[Schema, Rows]) -> ReplayResult:
    day = state.instruments
    symbols = {} if day is None else {one.token: one.tradingsymbol for one in day.instruments}
    frames = {schema: frame_of_rows(schema, found, state.session, symbols) for schema, found in rows.items()}
    return ReplayResult(
        session=state.session,
        bars=frames[BAR].with_columns(pl.col("volume").cast(pl.Int64)),
        indicators=frames[INDICATOR],
        signals=frames[SIGNAL],
        last_record=state.position,
        closed=state.closed,
        digest=state.digest(),
        features_digest=state.digests["features"].hex(),
        digests={family: digest.hex() for family, digest in state.digests.items()},
        counters=state.counters,
        unplaced=dict(state.unplaced),
    )


def frame_of_rows(schema: Schema, rows: Rows, session: date, symbols: dict[int, str]) -> pl.DataFrame:
    """Return rows as the lake's readers know them: with session, symbol, names of patterns and moments in IST."""
    names = schema.dtype.names or ()
    columns = {name: pl.Series(name, np.ascontiguousarray(rows[name])) for name in names}
    frame = pl.DataFrame(columns).with_columns(
        pl.lit(session).alias("session"),
        pl.col("token").replace_strict(symbols, default=None, return_dtype=pl.String).alias("symbol"),
        *(
            pl.from_epoch(pl.col(name), "s").dt.replace_time_zone("UTC").cast(MOMENT)
            for name in _SECONDS
            if name in names
        ),
    )
    if schema is SIGNAL:
        patterns = {number: declaration.name for number, declaration in PATTERNS.items()}
        frame = frame.with_columns(
            pl.col("pattern").replace_strict(patterns, return_dtype=pl.String),
            pl.from_epoch(pl.col("known_at_ns"), "ns").dt.replace_time_zone("UTC").cast(MOMENT).alias("known_at"),
        ).drop("known_at_ns")
    return frame.with_columns(pl.selectors.float().fill_nan(None))
