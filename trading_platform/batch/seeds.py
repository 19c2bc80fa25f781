"""Indicator seeds of a session: the state of each indicator after a fixed number of sessions before it."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from trading_platform.batch.bars import longer_bars
from trading_platform.batch.reference import with_tokens
from trading_platform.calc.bar_indicators import INDICATOR_FIELDS, indicators_scan
from trading_platform.calc.indicator_seeds import INTERVALS, SeedBlock
from trading_platform.errors import UnknownSessionDate
from trading_platform.market.sessions import SessionClass, SessionTable
from trading_platform.wire.blocks import content_hash

REFERENCE_CLASS = SessionClass.NSE_CASH_FNO


@dataclass(frozen=True, slots=True)
class Seeds:
    """The block for the engine and the same as rows of table `indicator_seeds`."""

    block: SeedBlock
    content: bytes
    rows: pl.DataFrame

    @property
    def sha256(self) -> str:
        """Return the hash that names the block."""
        return content_hash(self.content)


def sessions_before(table: SessionTable, session: date, count: int) -> list[date]:
    """Return the last `count` dates before `session` on which any covered exchange was open, ascending."""
    try:
        start = table.previous_session(REFERENCE_CLASS, session, count)
    except UnknownSessionDate:
        start = table.covered(REFERENCE_CLASS)[0]
    return [day for day in table.any_session_dates(start, session) if day < session][-count:]


def indicator_seeds(bars: pl.DataFrame, instruments: pl.DataFrame, *, session: date) -> Seeds:
    """Fold the minute bars of past sessions, oldest first, into one state row per instrument and interval."""
    named = longer_bars(with_tokens(bars, instruments), 1)
    tokens = named["token"].unique().sort()
    states = np.zeros((len(tokens), len(INTERVALS), INDICATOR_FIELDS))
    rows = []
    for place, interval in enumerate(INTERVALS):
        grouped = longer_bars(named, interval).group_by("token", maintain_order=True).agg("high", "low", "close")
        for index, (token, high, low, close) in enumerate(grouped.iter_rows()):
            state = states[index, place]
            outputs = indicators_scan(state, np.array(high), np.array(low), np.array(close))
            rows.append((token, interval, len(close), *outputs[-1].tolist(), state.tolist()))
    block = SeedBlock(session, tokens.to_numpy().astype(np.uint32), states, tuple(sorted(set(named["session"]))))
    columns = ["token", "interval", "bars_used", "ema_20", "rsi_14", "atr_14", "state"]
    symbols = named.select("token", "symbol").unique("token")
    frame = pl.DataFrame(rows, schema=columns, orient="row", strict=False).join(symbols, on="token", how="left")
    return Seeds(block, block.encode(), frame.with_columns(session=pl.lit(session)))
