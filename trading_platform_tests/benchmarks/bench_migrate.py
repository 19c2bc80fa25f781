"""Print how long a legacy database of 200,000 mixed keys takes to be planned, written and compared, and in what memory.

`python -m trading_platform_tests.benchmarks.bench_migrate`; limits: 180 s for all three, 500 MB for each process.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from trading_platform.batch.instrument_dump import dump_csv
from trading_platform.market.clock import NS_PER_SECOND, elapsed_ns
from trading_platform_tests.migration.legacy_databases import DAY, dump_of, legacy_keys, write_keys
from trading_platform_tests.migration.two_servers import TwoServers, two_servers

BUCKETS, SYMBOLS = 173_000, 1_090
LIMIT_SECONDS, LIMIT_MB = 180, 500


def fill(servers: TwoServers) -> int:
    """Make the legacy database: about 85 of 100 keys are volume buckets, as it was seen; some values have 5 MB."""
    return write_keys(servers.source, legacy_keys("l4", 1, buckets=BUCKETS, large=2000, more=SYMBOLS))


def command(servers: TwoServers, data: Path, step: str) -> tuple[float, float, int]:
    """Run one step as a process; return its real seconds, its CPU seconds and its greatest size in MB."""
    source = ["--source", servers.url, "--password-file", str(servers.password_file), "--layout", "L4"]
    environment = {**os.environ, "TP_DATA_DIR": str(data), "TP_REDIS_URL": f"unix://{servers.target_socket}"}
    begun = elapsed_ns()
    process = subprocess.Popen(
        [sys.executable, "-m", "trading_platform", "migrate", step, *source], env=environment, stdout=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    code = os.waitstatus_to_exitcode(status)
    if code not in {0, 3}:
        raise SystemExit(f"migrate {step} ended with {code}")
    return (elapsed_ns() - begun) / NS_PER_SECOND, used.ru_utime + used.ru_stime, used.ru_maxrss // 1024


def main() -> None:
    """Run all of it."""
    with tempfile.TemporaryDirectory() as name, two_servers(Path(name)) as servers:
        data = Path(name) / "data"
        (data / "dumps").mkdir(parents=True)
        (data / "dumps" / f"instruments_{DAY:%Y%m%d}.csv").write_bytes(dump_csv(dump_of(DAY).instruments[:2]))
        keys = fill(servers)
        total, most = 0.0, 0
        for step in ("plan", "run", "verify"):
            seconds, cpu, size = command(servers, data, step)
            total, most = total + seconds, max(most, size)
            sys.stdout.write(f"{step:8} {keys:9,} keys {seconds:8.1f} s {cpu:8.1f} s CPU {size:6} MB\n")
        verdict = "within" if total <= LIMIT_SECONDS and most <= LIMIT_MB else "BEYOND"
        sys.stdout.write(f"{total:.1f} s of {LIMIT_SECONDS}, {most} MB of {LIMIT_MB}: {verdict} the limits\n")


if __name__ == "__main__":
    main()
