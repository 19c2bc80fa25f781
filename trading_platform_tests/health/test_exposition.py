from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from trading_platform.health.exposition import registry_of
from trading_platform.health.findings import Finding, Level
from trading_platform.health.look import Health
from trading_platform.health.snapshots import Histogram
from trading_platform_tests.health.made import at, histogram

FINDINGS = (
    Finding("queue", Level.GREEN, "x", None, {"bytes": 12, "share": None, "write_failures_total": 3}),
    Finding("stale", Level.RED, "x", None, {"share": {"NSE_INDEX": 0.5, "MCX": None}}),
)
HEALTH = Health("k1", at(10), FINDINGS, {"journal": Histogram.model_validate(histogram(2.0, count=8))})


def samples(health: Health = HEALTH) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    text = generate_latest(registry_of(lambda: health)).decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def of(name: str, **labels: str) -> float:
    return samples()[name, tuple(sorted({"shard": "k1", **labels}.items()))]


def test_levels_are_numbers() -> None:
    assert of("trading_platform_health") == 2
    assert of("trading_platform_check", check="queue") == 0
    assert of("trading_platform_check", check="stale") == 2


def test_figures_are_gauges_and_what_only_grows_counters() -> None:
    assert of("trading_platform_queue_bytes") == 12
    assert of("trading_platform_queue_write_failures_total") == 3
    assert of("trading_platform_stale_share", of="NSE_INDEX") == 0.5
    text = generate_latest(registry_of(lambda: HEALTH)).decode()
    assert "# TYPE trading_platform_queue_write_failures_total counter" in text
    assert "# TYPE trading_platform_queue_bytes gauge" in text


def test_what_is_not_known_is_left_out() -> None:
    names = {name for name, _ in samples()}
    assert "trading_platform_queue_share" not in names
    assert ("trading_platform_stale_share", (("of", "MCX"), ("shard", "k1"))) not in samples()


def test_latency_is_a_histogram_in_seconds() -> None:
    assert of("trading_platform_latency_seconds_count", stage="journal") == 8
    assert of("trading_platform_latency_seconds_sum", stage="journal") == 8 * 2.0 / 2 / 1000
    edges = {
        dict(labels)["le"]: value
        for (name, labels), value in samples().items()
        if name == "trading_platform_latency_seconds_bucket"
    }
    assert edges["1.6e-05"] == 0
    assert edges["3.2e-05"] == 8
    assert edges["+Inf"] == 8


def test_each_scrape_looks_anew() -> None:
    looks: list[int] = []
    registry = registry_of(lambda: looks.append(1) or HEALTH)  # type: ignore[func-returns-value]
    assert looks == []
    generate_latest(registry)
    generate_latest(registry)
    assert len(looks) == 2
