"""Families of volume: state, buckets, histories, baselines, profiles; under their first and their later names."""

from trading_platform.migration.rules import Conversion, Rule, convert, rename
from trading_platform.migration.target_keys import SESSION_STATE_SECONDS

_BY_DUMP = "a token means nothing without its day: the dump of session_date names the instrument"
_NEVER_OURS = "computed otherwise than ours, so kept for comparison only; its lifetime of a day lost it in the night"


def _state(family: str, pattern: str) -> Rule:
    return convert(family, pattern, Conversion.VOLUME_STATE, lifetime_seconds=SESSION_STATE_SECONDS, why=_BY_DUMP)


def _baseline(family: str, pattern: str) -> Rule:
    return convert(family, pattern, Conversion.NUMBERS, lifetime_seconds=None, why=_NEVER_OURS)


FIRST_NAMES: tuple[Rule, ...] = (
    _state("volume_state", "volume_state:{token}"),
    _baseline("volume_averages", "volume_averages:{symbol}"),
    _baseline("baseline", "baseline:{symbol}"),
    _baseline("volume_baseline", "volume:baseline:{symbol}"),
    _baseline("volume_baseline_1min", "volume:baseline:{symbol}:1min"),
    rename("profile_poc", "volume_profile:poc:{symbol}", "hash"),
    rename("profile_session", "volume_profile:session:{symbol}:{date}", "hash", "string"),
    rename("profile_distribution", "volume_profile:distribution:{symbol}", "hash", "zset", "string"),
    rename("profile_distribution_day", "volume_profile:distribution:{symbol}:{date}", "hash", "zset", "string"),
    rename("profile_nodes", "volume_profile:nodes:{symbol}", "hash", "zset", "list", "string"),
    rename("profile_patterns", "volume_profile:patterns:{symbol}:{word}", "hash", "zset", "list"),
    rename("profile_historical", "volume_profile:historical:{symbol}", "list"),
    rename("straddle_volume", "straddle_volume:{symbol}:{date}", "hash"),
)
"""Keys that the layouts before wrote to their database of analytics, and late ones to that of live data."""

LATER_NAMES: tuple[Rule, ...] = (
    _state("vol_state", "vol:state:{token}"),
    _baseline("vol_baseline", "vol:baseline:{symbol}"),
    _baseline("ohlc_stats", "ohlc_stats:{symbol}"),
    rename("vol_profile", "vol:profile:{symbol}:{rest}"),
    rename("vol_straddle", "vol:straddle:{symbol}:{date}", "hash"),
)

BUCKETS: tuple[Rule, ...] = (
    rename(
        "volume_bucket",
        "bucket_incremental_volume:bucket_incremental_volume:bucket{resolution}:{symbol}:buckets:{number}:{number}",
        "hash",
        "string",
    ),
    rename(
        "volume_bucket_day",
        "bucket_incremental_volume:bucket_incremental_volume:bucket{resolution}:{symbol}:daily:{date}",
        "hash",
    ),
    rename("volume_bucket_daily", "bucket_incremental_volume:bucket{resolution}:{symbol}:daily:{date}", "hash"),
    rename(
        "volume_history_doubled", "bucket_incremental_volume:history:{resolution}:{resolution}:{symbol}", "list", "zset"
    ),
    rename("volume_history", "bucket_incremental_volume:history:{resolution}:{symbol}", "list", "zset"),
    rename("volume_bucket_first", "volume:volume:bucket{resolution}:{rest}", "hash", "string", "list"),
    rename("volume_bucket_minute", "volume:bucket:{symbol}:{date}:{number}:{number}", "hash", "string"),
    rename("tick_bucket", "tick:bucket:{rest}", "hash", "string"),
)

SESSION_VOLUME: tuple[Rule, ...] = (rename("vol_session", "vol:session:{symbol}:{date}", "hash"),)
"""What only the last layout has."""
