"""What operations did is told with numbers, so that they plot over time."""

import dagster as dg
import pytest

from trading_platform.health.snapshots import Histogram, Recent
from trading_platform.orchestration.asset_operations import backup_made, latency_picture, redis_carried_over


def histogram(p99: float | None) -> Histogram:
    buckets = [(0.016 * 2**place, 10 * place) for place in range(5)]
    return Histogram(
        count=40, sum=9.0, p50=0.1, p99=p99, max=1.0, recent=Recent(count=4, p50=p99, p99=p99), buckets=buckets
    )


def test_latency_is_a_picture_that_travels_inside_metadata() -> None:
    shown = latency_picture({"written": histogram(0.2), "stream": histogram(None)})
    assert str(shown.value).startswith("![plot](data:image/png;base64,")


def test_a_backup_is_told_with_its_sizes() -> None:
    told = backup_made("backups/20260820-190000", {"bytes": 9, "files": 3})
    assert (told.asset_key, told.metadata["bytes"].value) == (dg.AssetKey("backups"), 9)


@pytest.mark.parametrize(
    ("action", "kind"),
    [("plan", dg.AssetObservation), ("verify", dg.AssetObservation), ("run", dg.AssetMaterialization),
     ("rollback", dg.AssetMaterialization)],
)  # fmt: skip
def test_only_what_writes_is_a_materialisation(action: str, kind: type) -> None:
    told = redis_carried_over(action, {"done": 7})
    assert isinstance(told, kind)
    assert told.metadata["done"].value == 7
