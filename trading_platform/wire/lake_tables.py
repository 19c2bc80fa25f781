"""Every table of the lake: columns, types and what each column means; each table is partitioned by `session`."""

from collections.abc import Mapping

import polars as pl

from trading_platform.errors import LakeError
from trading_platform.wire.lake_columns import (
    BASELINE,
    EXCHANGE,
    INTERVAL,
    MOMENT,
    RECORD,
    REVISION,
    SEGMENT,
    SESSION,
    SESSION_COLUMN,
    SOURCE,
    START,
    SYMBOL,
    TOKEN,
    VOLUME,
    Column,
    Table,
    prices,
)
from trading_platform.wire.lake_history import BACKFILL_ACCOUNT, HISTORICAL_BARS, TICKS
from trading_platform.wire.lake_profiles import VOLUME_PROFILES
from trading_platform.wire.lake_volume import STRADDLE_VOLUMES, VOLUME_BASELINES, VOLUME_FIELDS

__all__ = [
    "BACKFILL_ACCOUNT",
    "HISTORICAL_BARS",
    "IMPORTED_BARS",
    "INDICATOR_SEEDS",
    "INDICATOR_SNAPSHOTS",
    "INSTRUMENTS",
    "MINUTE_BARS",
    "MOMENT",
    "PATTERNS",
    "SESSION",
    "STRADDLE_VOLUMES",
    "SUBSCRIPTION_UNIVERSE",
    "TABLES",
    "TICKS",
    "VOLUME_BASELINES",
    "VOLUME_PROFILES",
    "Column",
    "Table",
    "table_named",
]

INSTRUMENTS = Table(
    "instruments",
    "What could be traded in a session, as that day's dump tells it.",
    ("session", "token"),
    (
        SESSION_COLUMN,
        TOKEN,
        Column("exchange_token", pl.Int64, "Token of the exchange."),
        SYMBOL,
        Column("name", pl.String, "Name; of a derivative, the symbol that it derives from."),
        Column("last_price", pl.Float64, "Last price at the time of the dump; 0 when Kite gives none."),
        Column("expiry", pl.Date, "Last trading day of a dated contract; null otherwise."),
        Column("strike", pl.Float64, "Strike of an option; 0 otherwise."),
        Column("tick_size", pl.Float64, "Smallest step of the price."),
        Column("lot_size", pl.Int64, "Smallest tradable quantity."),
        Column("instrument_type", pl.String, "EQ, FUT, CE or PE."),
        SEGMENT,
        EXCHANGE,
    ),
)

SUBSCRIPTION_UNIVERSE = Table(
    "subscription_universe",
    "What the feed subscribes in a session, in order of priority.",
    ("session", "token"),
    (
        SESSION_COLUMN,
        TOKEN,
        SYMBOL,
        EXCHANGE,
        SEGMENT,
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
    (SESSION_COLUMN, SYMBOL, START, *prices("of the minute."), VOLUME, SOURCE),
)

MINUTE_BARS = Table(
    "minute_bars",
    "One-minute bars of a session, the highest revision of each.",
    ("session", "symbol", "segment", "start", "kind"),
    (
        SESSION_COLUMN,
        Column("token", pl.Int64, "Kite instrument token of that session; null when it has no dump that names it."),
        SYMBOL,
        Column("segment", pl.String, "Segment by the token's last byte; null when the token is not known."),
        Column("kind", pl.Int32, "Phase of the session: 0 continuous, 1 pre-open, 2 closing auction, 3 post-close."),
        REVISION,
        START,
        *prices("of the minute."),
        VOLUME,
        Column("ticks", pl.Int64, "Packets that made the bar, 0 if only a candle did; null for imported bars."),
        Column("flags", pl.Int64, "Quality bits of the bar; null for imported bars, whose quality is not known."),
        RECORD,
        SOURCE,
    ),
)

INDICATOR_SEEDS = Table(
    "indicator_seeds",
    "State in which infinite-memory indicators start the session.",
    ("session", "token", "interval"),
    (
        SESSION_COLUMN,
        TOKEN,
        SYMBOL,
        INTERVAL,
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
        SESSION_COLUMN,
        TOKEN,
        SYMBOL,
        INTERVAL,
        START,
        REVISION,
        Column("ema_20", pl.Float64, "Exponential mean of 20 closes; null while warming up."),
        Column("rsi_14", pl.Float64, "Wilder's relative strength of 14 closes; null while warming up."),
        Column("atr_14", pl.Float64, "Wilder's mean of 14 true ranges; null while warming up."),
        Column("vwap", pl.Float64, "Session VWAP of ticks; null for bars without ticks and for an index."),
        Column("rvol_bar", pl.Float64, "Volume of the bar over its baseline; null without either."),
        Column("expected_volume", pl.Float64, "Baseline of the bar; null where unknown."),
        BASELINE,
        RECORD,
        *VOLUME_FIELDS,
    ),
)

PATTERNS = Table(
    "patterns",
    "Signals of a session, recomputed from its journal.",
    ("session", "token", "pattern", "version", "interval", "formed_at"),
    (
        SESSION_COLUMN,
        RECORD,
        TOKEN,
        SYMBOL,
        Column("pattern", pl.String, "Name in the catalogue."),
        Column("version", pl.Int32, "Version of the pattern's declaration."),
        INTERVAL,
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
        BASELINE,
    ),
)

TABLES: Mapping[str, Table] = {
    table.name: table
    for table in (
        INSTRUMENTS,
        SUBSCRIPTION_UNIVERSE,
        IMPORTED_BARS,
        HISTORICAL_BARS,
        BACKFILL_ACCOUNT,
        TICKS,
        MINUTE_BARS,
        VOLUME_BASELINES,
        VOLUME_PROFILES,
        STRADDLE_VOLUMES,
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
