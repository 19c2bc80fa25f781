"""Run every benchmark, one after the other: `make bench`."""

import sys

from trading_platform_tests.benchmarks import bench_decode, bench_journal, bench_pass

for name, bench in (("decode", bench_decode), ("pass", bench_pass), ("journal", bench_journal)):
    sys.stdout.write(f"-- {name}\n")
    sys.stdout.flush()
    bench.main()
