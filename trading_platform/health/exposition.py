"""Findings, figures and latency histograms as Prometheus reads them."""

import re
from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from trading_platform.health.findings import Figure, Finding
from trading_platform.health.look import Health
from trading_platform.health.snapshots import Histogram

PREFIX = "trading_platform"
_TOTAL = "_total"
_NOT_A_NAME = re.compile(r"[^a-zA-Z0-9_]")


def registry_of(look: Callable[[], Health]) -> CollectorRegistry:
    """Return a registry that looks anew at each scrape."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_HealthCollector(look))
    return registry


class _HealthCollector(Collector):
    def __init__(self, look: Callable[[], Health]) -> None:
        self._look = look

    def describe(self) -> Iterator[Metric]:
        """Name nothing in advance: what there is to tell depends on what runs."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Look, and yield every metric."""
        yield from metrics_of(self._look())


def metrics_of(health: Health) -> Iterator[Metric]:
    """Yield the levels (0 green, 1 degraded, 2 red), all figures that are known, and the histograms."""
    whole = GaugeMetricFamily(f"{PREFIX}_health", "worst of all checks: 0 green, 1 degraded, 2 red", labels=["shard"])
    whole.add_metric([health.shard], int(health.level))
    yield whole
    checks = GaugeMetricFamily(f"{PREFIX}_check", "0 green, 1 degraded, 2 red", labels=["shard", "check"])
    for finding in health.findings:
        checks.add_metric([health.shard, finding.name], int(finding.level))
    yield checks
    for finding in health.findings:
        yield from _figures(health.shard, finding)
    yield _latency(health.shard, health.latency)


def _figures(shard: str, finding: Finding) -> Iterator[Metric]:
    for name, value in finding.figures.items():
        full = _NOT_A_NAME.sub("_", f"{PREFIX}_{finding.name}_{name}")
        labels = ["shard", "of"] if isinstance(value, Mapping) else ["shard"]
        values: Mapping[str, Figure] = value if isinstance(value, Mapping) else {"": value}
        kind = CounterMetricFamily if name.endswith(_TOTAL) else GaugeMetricFamily
        family = kind(full.removesuffix(_TOTAL), f"{name} of check {finding.name}", labels=labels)
        for of, number in values.items():
            if number is not None:  # what is not known is left out, as Prometheus has it
                family.add_metric([shard, of][: len(labels)], float(number))
        if family.samples:
            yield family


def _latency(shard: str, stages: Mapping[str, Histogram]) -> Metric:
    family = HistogramMetricFamily(
        f"{PREFIX}_latency_seconds", "real time from receipt to the stage", labels=["shard", "stage"]
    )
    for stage, one in stages.items():
        buckets = [(repr(edge / 1000.0), float(count)) for edge, count in one.buckets]
        family.add_metric([shard, stage], [*buckets, ("+Inf", float(one.count))], one.sum / 1000.0)
    return family
