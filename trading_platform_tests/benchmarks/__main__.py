"""Speeds of single parts, one after the other; `make bench` runs them behind `trading-platform bench`."""

import sys

from trading_platform_tests.benchmarks import bench_baselines, bench_journal, bench_migrate, bench_pass, bench_volume

for name, bench in (
    ("pass", bench_pass),
    ("journal", bench_journal),
    ("migrate", bench_migrate),
    ("volume", bench_volume),
    ("baselines", bench_baselines),
):
    sys.stdout.write(f"-- {name}\n")
    sys.stdout.flush()
    bench.main()
