"""Families of live market data: ticks, indicators, candles, indices, alerts and what the processes told of themselves.

The indicators were computed over ticks and labelled as if over bars, and options under raw symbols; so nothing here
is turned into a value of the platform.
"""

from trading_platform.migration.rules import Conversion, Rule, convert, rename
from trading_platform.migration.target_keys import SESSION_STATE_SECONDS

_ONE_VIX = "one index under many names: the newest by its own time stamp is kept"


def _vix(family: str, pattern: str) -> Rule:
    return convert(family, pattern, Conversion.VIX, lifetime_seconds=SESSION_STATE_SECONDS, why=_ONE_VIX)


TICKS: tuple[Rule, ...] = (
    rename("ticks_unified", "ticks:unified:raw", "stream"),
    rename("ticks_raw_binary", "ticks:raw:binary", "stream"),
    rename("ticks_raw", "ticks:raw:{symbol}", "stream"),
    rename("ticks_processed", "ticks:intraday:processed", "stream"),
    rename("ticks_enriched", "ticks:intraday:enriched", "stream"),
    rename("ticks_import", "ticks:stream", "stream"),
    rename("ticks_latest", "ticks:latest:{symbol}", "hash"),
    rename("ticks_hash", "ticks:{symbol}", "hash"),
    rename("ticks_realtime", "ticks:realtime:{symbol}", "stream", "hash"),
    rename("tick_latest", "tick:latest:{symbol}", "hash"),
    rename("tick_hash", "tick:{symbol}", "hash"),
    rename("tick_realtime", "tick:realtime:{symbol}:{number}", "hash", "string"),
    rename("realtime", "realtime:{symbol}:{number}", "hash", "string"),
    rename("price_realtime", "price:realtime:{symbol}", "string"),
    rename("unknown_tokens", "unknown_tokens:{date}", "set"),
    rename("hot_token", "hot_token:{word}", "hash", "string"),
)

INDICATORS: tuple[Rule, ...] = (
    rename("indicators_cache", "indicators:{symbol}:{word}", "string", "hash"),
    rename("ind_ta", "ind:ta:{symbol}:{word}", "string", "hash"),
    rename("ind_greeks", "ind:greeks:{symbol}", "hash"),
    rename("ind_greek", "ind:greeks:{symbol}:{word}", "string", "hash"),
    rename("ind_volume", "ind:volume:{symbol}:{word}", "string", "hash"),
    rename("ind_custom", "ind:custom:{symbol}:{word}", "string", "hash"),
    rename("ind_other", "ind:other:{symbol}:{word}", "string", "hash"),
    rename("edge_state", "edge_state:{rest}", "string", "hash"),
)

CANDLES: tuple[Rule, ...] = (
    rename("ohlc_latest", "ohlc_latest:{symbol}", "hash"),
    rename("ohlc_daily", "ohlc_daily:{symbol}", "zset"),
    rename("ohlc_hourly", "ohlc_hourly:{symbol}", "zset"),
    rename("ohlc_updates", "ohlc_updates:{symbol}", "stream"),
    rename("ohlc_series", "ohlc:{symbol}:{resolution}"),
    rename("ohlc_30d", "market_data:ohlc_30d:{symbol}", "string", "hash", "zset", "list"),
)

INDICES: tuple[Rule, ...] = (
    _vix("vix_index", "index:{vix}"),
    _vix("vix_index_hash", "index_hash:{vix}"),
    _vix("vix_market_data", "market_data:indices:{vix}"),
    rename("index", "index:{index}", "string", "hash"),
    rename("index_hash", "index_hash:{index}", "hash"),
    rename("market_data_index", "market_data:indices:{index}", "string", "hash"),
    rename("underlying_price", "underlying_price:{symbol}", "string", "hash"),
    rename("nifty_spot", "market:nifty_spot", "string", "hash"),
    rename("options_chain", "options:chain:{symbol}", "string", "hash"),
    rename("options_field", "options:{symbol}:{strike}:{word}", "string", "hash"),
    rename("news_symbol", "news:symbol:{symbol}", "zset"),
)

ALERTS: tuple[Rule, ...] = (
    rename("alerts_stream", "alerts:stream", "stream"),
    rename("alerts_system", "alerts:system", "stream"),
    rename("alerts_notifications", "alerts:notifications", "stream"),
    rename("alerts_telegram", "alerts:telegram", "stream"),
    rename("alerts_validation", "alerts:validation:results", "stream"),
    rename("alerts_dedup", "alerts:dedup:{symbol}:{word}", "string"),
    rename("alert", "alert:{id}", "hash", "string"),
    rename("patterns_global", "patterns:global", "stream"),
    rename("patterns", "patterns:{symbol}", "stream"),
    rename("strategy_kow", "strategy:kow:{rest}"),
    rename("signals_kow", "signals:kow:{rest}"),
)

SYSTEM: tuple[Rule, ...] = (
    rename("sys", "sys:{rest}"),
    rename("session", "session:{rest}", "hash", "string"),
    rename("system", "system:{rest}", "hash", "string"),
    rename("health", "health:{rest}"),
    rename("live_user", "user:{id}", "hash", "string"),
)

MARKET: tuple[Rule, ...] = (*TICKS, *INDICATORS, *CANDLES, *INDICES, *ALERTS, *SYSTEM)
