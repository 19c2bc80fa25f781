"""Prints what the official client and our feed make of each fault: python -m trading_platform_tests.official"""

import argparse
import sys
import tempfile
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from trading_platform_tests.official import faults


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--watch", type=float, default=30.0, help="seconds that a silent socket is watched")
    parser.add_argument("--attempts", type=int, default=4, help="refused attempts of the official client to wait for")
    given = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 150)
    table = Table("fault", "official client", "our feed", title="the same fault, on the same exchange", show_lines=True)
    for name, run in {
        "silent socket, TCP open": partial(faults.silence, watch_seconds=given.watch),
        "truncated frame": faults.truncation,
        "slow consumer": partial(faults.slow_consumer, handled=20),
        "token refused (403)": partial(faults.refusal, attempts=given.attempts),
        "reconnect": faults.reconnection,
    }.items():
        with tempfile.TemporaryDirectory() as folder:
            found: faults.Finding = run(Path(folder))
        table.add_row(name, found.official, found.ours)
    console.print(table)


if __name__ == "__main__":
    main()
