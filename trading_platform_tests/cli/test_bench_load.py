"""Small loads through real processes: what came out is compared in the run itself, so a difference has to show."""

from pathlib import Path
from typing import Any

import orjson

from trading_platform.cli.bench_feed import FeedSource
from trading_platform.cli.bench_load import Load, run_load

SMALL = {"seconds": 1.0, "instruments": 60, "warm_up_seconds": 0.2}


def looks_right(result: dict[str, Any], frames_a_second: int) -> None:
    assert result["equal"] == {"frames": True, "digests": True}
    assert 0.5 * frames_a_second < result["socket_to_readable_ms"]["frames"] <= 2 * frames_a_second
    assert result["socket_to_readable_ms"]["missing"] == 0
    assert 0.0 < result["socket_to_readable_ms"]["p50"] <= result["socket_to_readable_ms"]["max"]
    assert result["backlog"]["samples"] in (10, 11)
    assert not list(Path(result["folder"]).iterdir())


def test_the_exchange_and_the_feed_carry_a_load(tmp_path: Path) -> None:
    result = run_load(Load(20, 10, **SMALL), FeedSource(), tmp_path)
    looks_right({**orjson.loads(orjson.dumps(result)), "folder": tmp_path}, 30)
    assert result["source"]["lost"] == {"queue_full_frames": 0, "queue_full_bytes": 0, "after_end": 0, "unwritten": 0}
    assert result["source"]["gaps"] == 0
