"""Every table of the lake: columns, types and what each column means; each table is partitioned by `session`."""

from collections.abc import Mapping
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


_SESSION = Column(SESSION, pl.Date, "Trading date, in the exchanges' zone.")
_TOKEN = Column("token", pl.Int64, "Kite instrument token of that session; tokens are reused over time.")
_SYMBOL = Column("symbol", pl.String, "Trading symbol as in that session's dump.")
_SEGMENT = Column("segment", pl.String, "Segment as in that session's dump.")
_EXCHANGE = Column("exchange", pl.String, "Exchange as in that session's dump.")
_INTERVAL = Column("interval", pl.Int32, "Length of the bar in minutes.")
_START = Column("start", MOMENT, "First instant of the bar.")
_REVISION = Column("revision", pl.Int32, "0 as first closed; one more for each late tick, late gap or candle.")
_RECORD = Column("record", pl.Int64, "Number of the journal record that made the row; null without a journal.")
_BASELINE = Column("baseline_version", pl.String, "First 16 digits of the baseline block's sha256; null without one.")


def _prices(about: str) -> tuple[Column, ...]:
    return tuple(Column(name, pl.Float64, f"{name.capitalize()} {about}") for name in ("open", "high", "low", "close"))


_VOLUME = Column("volume", pl.Int64, "Traded quantity; null for an index.")
_SOURCE = Column("source", pl.String, "Where the bar comes from: ticks, file or synthetic.")

INSTRUMENTS = Table(
    "instruments",
    "What could be traded in a session, as that day's dump tells it.",
    ("session", "token"),
    (
        _SESSION,
        _TOKEN,
        Column("exchange_token", pl.Int64, "Token of the exchange."),
        _SYMBOL,
        Column("name", pl.String, "Name; of a derivative, the symbol that it derives from."),
        Column("last_price", pl.Float64, "Last price at the time of the dump; 0 when Kite gives none."),
        Column("expiry", pl.Date, "Last trading day of a dated contract; null otherwise."),
        Column("strike", pl.Float64, "Strike of an option; 0 otherwise."),
        Column("tick_size", pl.Float64, "Smallest step of the price."),
        Column("lot_size", pl.Int64, "Smallest tradable quantity."),
        Column("instrument_type", pl.String, "EQ, FUT, CE or PE."),
        _SEGMENT,
        _EXCHANGE,
    ),
)

SUBSCRIPTION_UNIVERSE = Table(
    "subscription_universe",
    "What the feed subscribes in a session, in order of priority.",
    ("session", "token"),
    (
        _SESSION,
        _TOKEN,
        _SYMBOL,
        _EXCHANGE,
        _SEGMENT,
        Column("reason", pl.String, "Rule that chose the instrument."),
        Column("priority", pl.Int32, "Place in the order of choice, from 1."),
        Column("socket", pl.Int32, "Connection that carries it, from 1."),
        Column("mode", pl.String, "Subscription mode on the socket: full or quote."),
    ),
)

IMPORTED_BARS = Table(
    "imported_bars",
    "Minute bars that came from a file or a synthetic market, as given.",
    ("session", "symbol", "start"),
    (_SESSION, _SYMBOL, _START, *_prices("of the minute."), _VOLUME, _SOURCE),
)

MINUTE_BARS = Table(
    "minute_bars",
    "One-minute bars of a session, the highest revision of each.",
    ("session", "symbol", "segment", "start", "kind"),
    (
        _SESSION,
        Column("token", pl.Int64, "Kite instrument token of that session; null when it has no dump that names it."),
        _SYMBOL,
        Column("segment", pl.String, "Segment by the token's last byte; null when the token is not known."),
        Column("kind", pl.Int32, "Phase of the session: 0 continuous, 1 pre-open, 2 closing auction, 3 post-close."),
        _REVISION,
        _START,
        *_prices("of the minute."),
        _VOLUME,
        Column("ticks", pl.Int64, "Packets that made the bar, 0 if only a candle did; null for imported bars."),
        Column("flags", pl.Int64, "Quality bits of the bar; null for imported bars, whose quality is not known."),
        _RECORD,
        _SOURCE,
    ),
)

VOLUME_BASELINES = Table(
    "volume_baselines",
    "Volume that is normal for an instrument at this minute of the day, before the session opens.",
    ("session", "token", "interval", "bucket_start"),
    (
        _SESSION,
        _TOKEN,
        _SYMBOL,
        _INTERVAL,
        Column("bucket_start", pl.Int32, "Start of the bar in minutes after midnight IST."),
        Column("expected_median", pl.Float64, "Median volume; null with too few sessions or a median of 0."),
        Column("sessions_used", pl.Int32, "Past sessions that had a bar with a volume here."),
        _BASELINE,
    ),
)

INDICATOR_SEEDS = Table(
    "indicator_seeds",
    "State in which infinite-memory indicators start the session.",
    ("session", "token", "interval"),
    (
        _SESSION,
        _TOKEN,
        _SYMBOL,
        _INTERVAL,
        Column("bars_used", pl.Int64, "Past bars that were folded in."),
        Column("ema_20", pl.Float64, "EMA 20 after the last past bar; null while warming up."),
        Column("rsi_14", pl.Float64, "RSI 14 after the last past bar; null while warming up."),
        Column("atr_14", pl.Float64, "ATR 14 after the last past bar; null while warming up."),
        Column("state", pl.List(pl.Float64), "State row exactly as the engine loads it."),
    ),
)

INDICATOR_SNAPSHOTS = Table(
    "indicator_snapshots",
    "Indicators after each bar of a session.",
    ("session", "token", "interval", "start", "revision"),
    (
        _SESSION,
        _TOKEN,
        _SYMBOL,
        _INTERVAL,
        _START,
        _REVISION,
        Column("ema_20", pl.Float64, "Exponential mean of 20 closes; null while warming up."),
        Column("rsi_14", pl.Float64, "Wilder's relative strength of 14 closes; null while warming up."),
        Column("atr_14", pl.Float64, "Wilder's mean of 14 true ranges; null while warming up."),
        Column("vwap", pl.Float64, "Session VWAP of ticks; null for bars without ticks and for an index."),
        Column("rvol_bar", pl.Float64, "Volume of the bar over its baseline; null without either."),
        Column("expected_volume", pl.Float64, "Baseline of the bar; null where unknown."),
        _BASELINE,
        _RECORD,
    ),
)

PATTERNS = Table(
    "patterns",
    "Signals of a session, recomputed from its journal.",
    ("session", "token", "pattern", "version", "interval", "formed_at"),
    (
        _SESSION,
        _RECORD,
        _TOKEN,
        _SYMBOL,
        Column("pattern", pl.String, "Name in the catalogue."),
        Column("version", pl.Int32, "Version of the pattern's declaration."),
        _INTERVAL,
        Column("direction", pl.Int32, "+1 long, -1 short, 0 none."),
        Column("formed_at", MOMENT, "Start of the bar that fired."),
        Column("confirmed_at", MOMENT, "End of that bar."),
        Column("known_at", MOMENT, "Receive time of the record that closed it: nobody could act before."),
        Column("entry_ref", pl.Float64, "Reference price of an entry."),
        Column("stop", pl.Float64, "Price that proves the pattern wrong."),
        Column("target", pl.Float64, "Price that fulfils it."),
        Column("horizon_seconds", pl.Int64, "Seconds after which it counts as over."),
        *(Column(f"feature_{i}", pl.Float64, "Feature as the pattern's declaration names it.") for i in range(4)),
        Column("bar_flags", pl.Int64, "Quality bits of the bar that fired."),
        _BASELINE,
    ),
)

TABLES: Mapping[str, Table] = {
    table.name: table
    for table in (
        INSTRUMENTS,
        SUBSCRIPTION_UNIVERSE,
        IMPORTED_BARS,
        MINUTE_BARS,
        VOLUME_BASELINES,
        INDICATOR_SEEDS,
        INDICATOR_SNAPSHOTS,
        PATTERNS,
    )
}


def table_named(name: str) -> Table:
    """Return a table by name; raise LakeError for a name that there is not."""
    try:
        return TABLES[name]
    except KeyError:
        raise LakeError(f"the lake has no table {name!r}; its tables are {', '.join(TABLES)}") from None
