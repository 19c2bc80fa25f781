"""Table of the lake that holds volume profiles: where in the range of a session its volume was traded."""

import polars as pl

from trading_platform.wire.lake_columns import SESSION_COLUMN, SYMBOL, Column, Table

_PRICES = pl.List(pl.Float64)

VOLUME_PROFILES = Table(
    "volume_profiles",
    "Volume by price of an instrument's continuous trading in a session, and what follows from it.",
    ("session", "symbol", "segment"),
    (
        SESSION_COLUMN,
        Column("token", pl.Int64, "Kite instrument token of that session; null when it has no dump that names it."),
        SYMBOL,
        Column("segment", pl.String, "Segment by the token's last byte; null when the token is not known."),
        Column("method", pl.String, "ticks: each trade at its price; bars: each bar spread evenly over its rows."),
        Column("reason", pl.String, "Why there is no profile; null where there is one."),
        Column("entries", pl.Int64, "Bars, or ticks that traded, of continuous trading."),
        Column("tick_size", pl.Float64, "Step of the price that rows are counted in."),
        Column("row_ticks", pl.Int64, "Steps of a row; the same for all sessions of a month."),
        Column("row_size", pl.Float64, "Height of a row as a price."),
        Column("volume", pl.Int64, "What the bars or ticks of continuous trading say was traded."),
        Column("auction_volume", pl.Int64, "What was traded outside continuous trading, which no row holds."),
        Column("high", pl.Float64, "Highest price of continuous trading."),
        Column("low", pl.Float64, "Lowest price of continuous trading."),
        Column("close", pl.Float64, "Last price of continuous trading."),
        Column("poc", pl.Float64, "Point of control: middle of the row with the most volume."),
        Column("poc_low", pl.Float64, "Lower edge of that row."),
        Column("poc_high", pl.Float64, "Upper edge of that row."),
        Column("poc_volume", pl.Float64, "Volume of that row."),
        Column("poc_tied", pl.Boolean, "Whether other rows have as much; nearest the middle, then the heavier side."),
        Column("val", pl.Float64, "Value area low: lower edge of its lowest row."),
        Column("vah", pl.Float64, "Value area high: upper edge of its highest row."),
        Column("value_area_volume", pl.Float64, "Volume of the value area."),
        Column("value_area_share", pl.Float64, "Share of the volume in the value area, 0.7 or more."),
        Column("value_area_rule", pl.String, "How it grew: cbot_pairs_70 adds the larger pair of rows up to 70%."),
        Column("ib_high", pl.Float64, "High of the initial balance, the first hour of continuous trading."),
        Column("ib_low", pl.Float64, "Low of the initial balance."),
        Column("high_nodes", _PRICES, "Middles of the rows where volume gathers, ascending."),
        Column("low_nodes", _PRICES, "Middles of the rows between them where there is little, ascending."),
        Column("developing_poc", _PRICES, "Point of control at the end of each half hour since the open."),
        Column("developing_val", _PRICES, "Value area low at these times."),
        Column("developing_vah", _PRICES, "Value area high at these times."),
        Column("day_atr", pl.Float64, "ATR 14 of the sessions before; null with fewer than 15."),
        Column("poc_shifts", pl.Int64, "Half hours that moved the POC for good by a quarter of the ATR."),
        Column("poc_shift_periods", pl.List(pl.Int64), "Which half hours these are, from 0."),
        Column("naked_pocs", _PRICES, "POCs of earlier sessions at whose row nothing was traded since, oldest first."),
        Column("naked_poc_lows", _PRICES, "Lower edges of their rows."),
        Column("naked_poc_highs", _PRICES, "Upper edges of their rows."),
        Column("naked_poc_sessions", pl.List(pl.Date), "Sessions that they are of."),
        Column("histogram_from", pl.Float64, "Lower edge of the first row of the histogram."),
        Column("histogram", _PRICES, "Volume of each row, the lowest first, none left out."),
    ),
)
