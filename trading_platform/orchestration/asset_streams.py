"""What feed and engine write and Dagster does not make: the journal, and each family of outputs in Redis.

They stand in the graph so that a table can be followed back to the socket. Dagster only observes them.
"""

from datetime import date
from typing import Any

import dagster as dg

from trading_platform.orchestration.metadata import OWNERS, record_metadata
from trading_platform.orchestration.partitions import SESSIONS
from trading_platform.ports import LivePosition
from trading_platform.wire import redis_keys
from trading_platform.wire.lake_tables import INDICATOR_SNAPSHOTS, MINUTE_BARS, PATTERNS
from trading_platform.wire.records import BAR, FEATURE, LATEST, SIGNAL

_SHARD, _DAY = "SHARD", date(2026, 7, 31)
_SECONDS_A_DAY = 24 * 3600


def _stream(name: str, description: str, *, group: str, deps: list[str], **metadata: Any) -> dg.AssetSpec:
    kinds = {"redis", "streaming"} if "redis_key" in metadata else {"file", "streaming"}
    return dg.AssetSpec(
        name,
        deps=deps,
        description=description,
        group_name=group,
        kinds=kinds,
        owners=OWNERS,
        partitions_def=SESSIONS,
        metadata=metadata,
    )


def _in_redis(key: str) -> dict[str, Any]:
    return {"redis_key": key, "lifetime_days": redis_keys.SESSION_SECONDS / _SECONDS_A_DAY, "written_by": "engine"}


frames_journal = _stream(
    "frames_journal",
    "Every message of the sockets as it came, numbered and checksummed, and what else can change an output.",
    group="market_data",
    deps=["subscription_universe"],
    written_by="feed",
    folder="journal/SHARD/YYYYMMDD in the data folder",
    redis_window=redis_keys.frames(_SHARD, _DAY),
)

_ENGINE_READS = ["frames_journal", "volume_baselines", "indicator_seeds"]

live_latest = _stream(
    "live_latest",
    "The last packet of each instrument, replaced with each batch.",
    group="market_data",
    deps=["frames_journal"],
    **_in_redis(redis_keys.latest(_SHARD, _DAY)),
    **record_metadata(LATEST, MINUTE_BARS),
)

live_bars = _stream(
    "live_bars",
    "Bars and their indicators as the engine wrote them, each at the record that closed or revised it.",
    group="market_data",
    deps=_ENGINE_READS,
    **_in_redis(redis_keys.bars(_SHARD, _DAY)),
    **record_metadata(BAR, MINUTE_BARS),
)

live_features = _stream(
    "live_features",
    "One block a second with what changed: price, volume, VWAP and indicators of the running bars.",
    group="indicators",
    deps=_ENGINE_READS,
    **_in_redis(redis_keys.features(_SHARD, _DAY)),
    **record_metadata(FEATURE, INDICATOR_SNAPSHOTS),
)

live_signals = _stream(
    "live_signals",
    "Signals as they were known live, which the replay of the journal has to give again.",
    group="patterns",
    deps=_ENGINE_READS,
    **_in_redis(redis_keys.signals(_SHARD, _DAY)),
    **record_metadata(SIGNAL, PATTERNS),
)

STREAMS = (frames_journal, live_latest, live_bars, live_features, live_signals)


def observations(position: LivePosition, session: date) -> list[dg.AssetObservation]:
    """Return what the engine's position says of each stream: numbers that plot over the day."""
    facts: dict[str, dict[str, Any]] = {
        "frames_journal": {"records_read": position.record},
        "live_bars": {"bars": position.bars, "indicators": position.indicators, "closed": position.closed},
        "live_signals": {"signals": position.signals},
    }
    return [dg.AssetObservation(name, partition=session.isoformat(), metadata=told) for name, told in facts.items()]
