"""What the lake keeps of volume: what is usual, and what was traded over it."""

import polars as pl

from trading_platform.wire.lake_columns import (
    BASELINE,
    EXCHANGE,
    INTERVAL,
    SESSION_COLUMN,
    START,
    SYMBOL,
    TOKEN,
    Column,
    Table,
)

VOLUME_BASELINES = Table(
    "volume_baselines",
    "Volume that is normal for an instrument at this minute of the day, before the session opens.",
    ("session", "token", "interval", "bucket_start"),
    (
        SESSION_COLUMN,
        TOKEN,
        SYMBOL,
        INTERVAL,
        Column("bucket_start", pl.Int32, "Start of the bar in minutes after midnight IST."),
        Column("expected_median", pl.Float64, "Volume as likely exceeded as not, by `model`; null where unknown."),
        Column("sessions_used", pl.Int32, "Past sessions that had a bar with a volume here."),
        BASELINE,
        Column("expected_cumulative", pl.Float64, "Median of what was traded from the open to the end of the bar."),
        Column("tradingview_mean", pl.Float64, "Mean of that over the ten sessions before; five-minute bars only."),
        Column("day_expected", pl.Float64, "Median volume of a whole day, auctions included."),
        Column("continuous_expected", pl.Float64, "Median volume of a day's continuous trading."),
        Column("closing_expected", pl.Float64, "Median volume of the closing auction; 0 when there was none."),
        Column("opening_level", pl.Float64, "Factor by which the day is thought to trade more than usual at the open."),
        Column("prior_volume", pl.Float64, "Volume that the factor weighs against what was traded."),
        Column("day_sessions", pl.Int32, "Past sessions that the day's numbers come from."),
        Column("history_flags", pl.Int64, "Quality bits of the past, as in volume_flags."),
        Column("avg_volume_20", pl.Float64, "Mean day volume of the last 20 sessions; null with fewer."),
        Column("avg_volume_55", pl.Float64, "Mean day volume of the last 55 sessions; null with fewer."),
        Column("avg_price_20", pl.Float64, "Mean last price of the last 20 sessions; null with fewer."),
        Column("avg_price_55", pl.Float64, "Mean last price of the last 55 sessions; null with fewer."),
        Column("turtle_ready", pl.Boolean, "Whether the means over 55 sessions are known."),
        Column("expected_mean", pl.Float64, "Mean volume: those of longer bars are sums of those of their minutes."),
        Column("q10", pl.Float64, "Volume that one bar in ten stays below; null without a fitted model."),
        Column("q25", pl.Float64, "Volume that a quarter of bars stay below."),
        Column("q75", pl.Float64, "Volume that three quarters of bars stay below."),
        Column("q90", pl.Float64, "Volume that nine bars in ten stay below."),
        Column("model", pl.String, "published_panel, published_filter, median20 (of past sessions) or none."),
        Column("reason", pl.String, "Why the published model does not speak of the instrument; null when it does."),
        Column("filter", pl.List(pl.Float64), "At the first bar: where the filter of bars stands, calc.live_forecast."),
    ),
)

STRADDLE_VOLUMES = Table(
    "straddle_volumes",
    "What both options of every strike of an underlying's nearest expiry traded since the open.",
    ("session", "exchange", "underlying", "start"),
    (
        SESSION_COLUMN,
        EXCHANGE,
        Column("underlying", pl.String, "Name that the options bear."),
        Column("expiry", pl.Date, "Their last trading day, the nearest that traded in the session."),
        START,
        Column("underlying_straddle_volume", pl.Float64, "Of the strikes whose options both traded by its end."),
    ),
)

VOLUME_FIELDS = (
    Column("rvol_cum", pl.Float64, "Traded since the open over the median of that at the same minute."),
    Column("tradingview_rvol", pl.Float64, "The same over the mean of ten sessions, as TradingView; five-minute bars."),
    Column("rvol_adjusted", pl.Float64, "Volume of the bar over its forecast one bar ahead; null without a model."),
    Column(
        "surprise_z",
        pl.Float64,
        "How far log volume lies beyond that forecast; above 2 in 3 of 100 bars; null without a model.",
    ),
    Column("eod_projection", pl.Float64, "Volume that the day will have, auctions included."),
    Column("eod_ratio", pl.Float64, "That over the median volume of a day."),
    Column("participation", pl.Float64, "Share of the median day's volume that is traded so far."),
    Column("straddle_volume", pl.Float64, "Traded since the open by both options of the strike; null for no option."),
    Column("volume_flags", pl.Int64, "Quality bits of the volume fields; null in rows that were written without them."),
    Column("vix_regime", pl.Int64, "0 unknown, 1 below 15, 2 below 20, 3 below 25, 4 above; null as volume_flags."),
)
"""Columns of a bar that follow from its volume."""
