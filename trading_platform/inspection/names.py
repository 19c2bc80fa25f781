"""What rows are called where a person reads of them: by the bar or record that they belong to."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from trading_platform.calc.patterns.catalogue import PATTERNS
from trading_platform.calc.patterns.inputs import Direction
from trading_platform.market.clock import NS_PER_SECOND, from_ns


def bar_name(row: Mapping[str, Any]) -> str:
    """Name a row of a bar or of its indicators, from Redis or the lake."""
    revision = f" revision {row['revision']}" if row["revision"] else ""
    return f"{row['family']} {hour(row['start'])} {row.get('interval', 1)} min{revision}"


def signal_name(row: Mapping[str, Any]) -> str:
    """Name a signal, from Redis or the lake."""
    pattern = row["pattern"]
    declared = PATTERNS.get(pattern) if isinstance(pattern, int) else None
    named = declared.name if declared else pattern
    return f"signal {named} {direction_name(row['direction'])} {hour(row['formed_at'])} {row['interval']} min"


def latest_name(_row: Mapping[str, Any]) -> str:
    """Name the row of the last packet."""
    return "latest"


def pulse_name(row: Mapping[str, Any]) -> str:
    """Name an instrument's features of a pulse."""
    return f"features of record {row['record']:,}"


def bucket_name(row: Mapping[str, Any]) -> str:
    """Name a bucket of a baseline."""
    hours, minutes = divmod(row["bucket_start"], 60)
    return f"baseline {hours:02d}:{minutes:02d} {row['interval']} min"


def direction_name(side: int) -> str:
    """Return how a direction is said; one that there is not, as it is."""
    names = {Direction.SHORT: "short", Direction.NONE: "either way", Direction.LONG: "long"}
    return names.get(Direction(side), str(side)) if side in set(Direction) else str(side)


def hour(moment: datetime | int) -> str:
    """Return a start, given as a moment or in seconds since the epoch, as a wall shows it."""
    if isinstance(moment, datetime):
        return f"{moment:%H:%M}"
    return f"{from_ns(moment * NS_PER_SECOND):%H:%M}"
