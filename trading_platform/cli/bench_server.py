"""What the server alone can take of the same payload, by its own benchmark, or by the fastest client that is there."""

import csv
import io
import shutil
import tempfile
from pathlib import Path
from typing import Any

from trading_platform.cli.children import Children
from trading_platform.market.clock import NS_PER_SECOND, elapsed_ns
from trading_platform.storage.embedded_valkey import EmbeddedValkey
from trading_platform.storage.redis_manager import RedisManager
from trading_platform.wire.journal_records import HEADER_BYTES
from trading_platform.wire.kite_layout import COUNT_BYTES, FULL_BYTES, LENGTH_BYTES

TOOLS = ("valkey-benchmark", "redis-benchmark")
_KEY, _KEPT = "bench", "1000"
_PIPELINES = (1, 32)
_REQUESTS_BYTES, _LEAST_REQUESTS = 200_000_000, 320


def server_alone(packets_per_frame: int, within: Path | None) -> dict[str, Any]:
    """Add records of frames of so many packets to a stream, append-only file on, and count them on the server."""
    size = HEADER_BYTES + COUNT_BYTES + packets_per_frame * (LENGTH_BYTES + FULL_BYTES)
    tool = next((found for name in TOOLS if (found := shutil.which(name))), None)
    root = Path(tempfile.mkdtemp(prefix="trading-platform-bench-", dir=within))
    manager = RedisManager(None, root / "valkey")
    try:
        client = manager.connect()
        result: dict[str, Any] = {
            "command": f"XADD {_KEY} MAXLEN ~ {_KEPT} * r <{size} bytes>",
            "with": "redis-py, hiredis, one connection" if tool is None else f"{Path(tool).name}, one connection",
        }
        sent = 0
        for pipeline in _PIPELINES:
            requests = max(_LEAST_REQUESTS, _REQUESTS_BYTES // size // _PIPELINES[-1] * _PIPELINES[-1])
            if tool is None:
                rate = _by_client(client, "x" * size, requests, pipeline=pipeline)
            else:
                rate = _by_tool(tool, root, "x" * size, requests=requests, pipeline=pipeline)
            sent += requests
            result[f"pipeline_{pipeline}"] = {
                "records_per_second": round(rate),
                "ticks_per_second": round(rate * packets_per_frame),
            }
        return {**result, "equal": _counted(client, sent, size)}
    finally:
        manager.stop_server()
        shutil.rmtree(root, ignore_errors=True)


def _counted(client: Any, entries: int, size: int) -> dict[str, bool]:
    """Tell whether the server took all that was sent, and whole."""
    facts = client.xinfo_stream(_KEY)
    return {"entries": facts["entries-added"] == entries, "bytes": len(facts["last-entry"][1][b"r"]) == size}


def _by_tool(tool: str, root: Path, payload: str, *, requests: int, pipeline: int) -> float:
    path = EmbeddedValkey(root / "valkey").ensure_running().socket_path
    children = Children({}, root / "logs")
    printed = children.run(
        Path(tool).name, tool, "-s", str(path), "-c", "1", "-P", str(pipeline), "-n", str(requests), "--csv",
        "XADD", _KEY, "MAXLEN", "~", _KEPT, "*", "r", payload,
    )  # fmt: skip
    rows = list(csv.DictReader(io.StringIO(printed[printed.index('"test"') :])))
    return float(rows[0]["rps"])


def _by_client(client: Any, payload: str, requests: int, *, pipeline: int) -> float:
    begun = elapsed_ns()
    for _ in range(requests // pipeline):
        pipe = client.pipeline(transaction=False)
        for _ in range(pipeline):
            pipe.execute_command("XADD", _KEY, "MAXLEN", "~", _KEPT, "*", "r", payload)
        pipe.execute()
    return requests * NS_PER_SECOND / (elapsed_ns() - begun)
