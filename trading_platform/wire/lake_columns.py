"""What a table of the lake is made of: typed columns with a sentence each, and those that many tables share."""

from dataclasses import dataclass
from typing import Any

import polars as pl

from trading_platform.errors import LakeError

MOMENT = pl.Datetime("us", "Asia/Kolkata")
"""Moments in frames; Delta keeps them as UTC."""

SESSION = "session"


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its type in frames and one sentence about it."""

    name: str
    dtype: Any
    about: str


@dataclass(frozen=True, slots=True)
class Table:
    """One table; `key` names the columns that identify a row."""

    name: str
    about: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def schema(self) -> pl.Schema:
        """Return the columns as frames hold them."""
        return pl.Schema({column.name: column.dtype for column in self.columns})

    def conform(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Put `rows` into this table's columns, order and types, NaN as null; raise LakeError for what does not fit."""
        missing = [name for name in self.schema if name not in rows.columns]
        extra = [name for name in rows.columns if name not in self.schema]
        if missing or extra:
            raise LakeError(f"rows for table {self.name} lack {missing or 'nothing'}, have {extra or 'nothing'} more")
        try:
            return rows.select(list(self.schema)).cast(self.schema).with_columns(pl.selectors.float().fill_nan(None))
        except pl.exceptions.PolarsError as error:
            raise LakeError(f"rows for table {self.name} do not fit its types: {error}") from error


SESSION_COLUMN = Column(SESSION, pl.Date, "Trading date, in the exchanges' zone.")
TOKEN = Column("token", pl.Int64, "Kite instrument token of that session; tokens are reused over time.")
SYMBOL = Column("symbol", pl.String, "Trading symbol as in that session's dump.")
SEGMENT = Column("segment", pl.String, "Segment as in that session's dump.")
EXCHANGE = Column("exchange", pl.String, "Exchange as in that session's dump.")
INTERVAL = Column("interval", pl.Int32, "Length of the bar in minutes.")
START = Column("start", MOMENT, "First instant of the bar.")
REVISION = Column("revision", pl.Int32, "0 as first closed; one more for each late tick, late gap or candle.")
RECORD = Column("record", pl.Int64, "Number of the journal record that made the row; null without a journal.")
BASELINE = Column("baseline_version", pl.String, "First 16 digits of the baseline block's sha256; null without one.")


def prices(about: str) -> tuple[Column, ...]:
    """Return the four prices of a bar; `about` ends the sentence of each."""
    return tuple(Column(name, pl.Float64, f"{name.capitalize()} {about}") for name in ("open", "high", "low", "close"))


VOLUME = Column("volume", pl.Int64, "Traded quantity; null for an index.")
SOURCE = Column("source", pl.String, "Where the bar comes from: ticks, file, synthetic or kite_historical.")
