"""Tables of the lake that hold history as it came: candles that were asked for, what came of it, and ticks."""

import polars as pl

from trading_platform.wire.lake_columns import (
    MOMENT,
    RECORD,
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

HISTORICAL_BARS = Table(
    "historical_bars",
    "Minute candles of past sessions as Kite's historical service gave them when it was asked.",
    ("session", "symbol", "segment", "start"),
    (
        SESSION_COLUMN,
        Column("token", pl.Int64, "Kite instrument token that was asked with: that of the day of asking."),
        SYMBOL,
        Column("segment", pl.String, "Segment by the token's last byte."),
        Column("kind", pl.Int32, "Phase of the session: 0 continuous, 1 pre-open, 2 closing auction, 3 post-close."),
        START,
        *prices("of the minute."),
        VOLUME,
        SOURCE,
        Column("adjusted_asof", pl.Date, "Day of asking: splits and bonuses up to then are in prices and volume."),
    ),
)

BACKFILL_ACCOUNT = Table(
    "backfill_account",
    "What came of asking for the candles of an instrument and a past session.",
    ("session", "symbol", "segment"),
    (
        SESSION_COLUMN,
        Column("token", pl.Int64, "Kite instrument token that was asked with."),
        SYMBOL,
        Column("segment", pl.String, "Segment by the token's last byte."),
        Column("outcome", pl.String, "complete, partial, no_candles, before_first, not_listed or refused."),
        Column("minutes", pl.Int32, "Candles that were kept."),
        Column("expected_minutes", pl.Int32, "Minutes of continuous trading that the session had."),
        Column("set_aside", pl.Int32, "Candles that could not be used."),
        Column("reason", pl.String, "Why there are no candles, or why some were set aside; null otherwise."),
        Column("asked_at", MOMENT, "When the answer came; for not_listed when it was decided."),
    ),
)

TICKS = Table(
    "ticks",
    "Every packet of a session that could be decoded, in the order of the journal.",
    ("session", "record", "place"),
    (
        SESSION_COLUMN,
        RECORD,
        Column("place", pl.Int32, "Place among the decoded packets of its record, from 0."),
        Column("received_ns", pl.Int64, "When the frame was received, nanoseconds since the epoch."),
        Column("socket", pl.Int32, "Connection that it came on, from 1; 0 for a played session."),
        TOKEN,
        Column("mode", pl.Int32, "What the packet tells: 1 last price, 2 quote, 3 full."),
        Column("is_index", pl.Boolean, "Whether the packet has the layout of an index."),
        Column("last_price", pl.Float64, "Last price."),
        Column("last_quantity", pl.Int64, "Quantity of the last trade; null where the packet tells none."),
        Column("average_price", pl.Float64, "Average price of the day; null where the packet tells none."),
        Column("day_volume", pl.Int64, "Volume of the day so far; null where the packet tells none."),
        Column("total_buy_quantity", pl.Int64, "Quantity of all bids; null where the packet tells none."),
        Column("total_sell_quantity", pl.Int64, "Quantity of all asks; null where the packet tells none."),
        *(
            Column(name, pl.Float64, f"{name.capitalize()} of the day; null where the packet tells none.")
            for name in ("open", "high", "low")
        ),
        Column("previous_close", pl.Float64, "Close of the session before; null where the packet tells none."),
        Column("last_trade_ns", pl.Int64, "Time of the last trade, nanoseconds since the epoch; null without one."),
        Column("exchange_ns", pl.Int64, "Time of the exchange, nanoseconds since the epoch; null without one."),
        Column("open_interest", pl.Int64, "Open interest; null where the packet tells none."),
        Column("open_interest_high", pl.Int64, "Highest of the day; null where the packet tells none."),
        Column("open_interest_low", pl.Int64, "Lowest of the day; null where the packet tells none."),
        Column("depth_price", pl.List(pl.Float64), "Five bids, then five asks, the best first; null without depth."),
        Column("depth_quantity", pl.List(pl.Int64), "Quantities of these levels; null without depth."),
        Column("depth_orders", pl.List(pl.Int32), "Orders of these levels; null without depth."),
    ),
)
