"""Families of the database of analytics: how patterns and alerts fared, and what the validator kept."""

from trading_platform.migration.rules import Rule, rename

_NAMES = (
    "pattern_history",
    "scanner",
    "alert_performance",
    "signal_quality",
    "pattern_performance",
    "pattern_metrics",
    "time_window_performance",
    "pattern_window_aggregate",
    "sharpe_inputs",
    "alert_timeline",
    "final_validation",
    "analysis_cache",
    "validator_metadata",
    "metrics",
    "daily_cumulative",
    "symbol_volume",
    "historical",
)

ANALYTICS: tuple[Rule, ...] = (
    *(rename(name, f"{name}:{{rest}}") for name in _NAMES),
    *(rename(f"{name}_all", name) for name in _NAMES),
    rename("forward_validation_alert", "forward_validation:alert:{id}", "hash", "string"),
    rename("forward_validation_schedule", "forward_validation:schedule", "zset"),
    rename("forward_validation_results", "forward_validation:results", "list", "stream", "hash"),
    rename("validation_results", "validation_results:recent", "list", "stream"),
)
"""Everything of them in any type: their writers never agreed on one."""
