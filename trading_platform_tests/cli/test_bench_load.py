"""Small loads through real processes: what came out is compared in the run itself, so a difference has to show."""

from pathlib import Path

import orjson

from trading_platform.cli.bench_feed import FeedSource
from trading_platform.cli.bench_load import Load, run_load

SMALL = {"seconds": 1.0, "instruments": 60, "warm_up_seconds": 0.2}


def test_the_exchange_and_the_feed_carry_a_load(tmp_path: Path) -> None:
    result = orjson.loads(orjson.dumps(run_load(Load(20, 10, **SMALL), FeedSource(), tmp_path)))
    assert result["equal"] == {"frames": True, "digests": True}
    readable = result["socket_to_readable_ms"]
    assert readable["frames"] > 0
    assert readable["missing"] == 0
    assert 0.0 < readable["p50"] <= readable["p99"] <= readable["max"]
    assert result["backlog"]["samples"] >= 10
    assert set(result["stages_ms"]) == {"journal", "stream", "decoded", "written"}
    assert result["source"]["lost"] == {"queue_full_frames": 0, "queue_full_bytes": 0, "after_end": 0, "unwritten": 0}
    assert result["source"]["gaps"] == 0
    assert not list(tmp_path.iterdir())
