import os
from pathlib import Path

import pytest

from trading_platform.cli import bench_server


def test_the_client_is_named_where_no_tool_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_server, "TOOLS", ())
    monkeypatch.setattr(bench_server, "_REQUESTS_BYTES", 1_000_000)
    result = bench_server.server_alone(20, tmp_path)
    # a record's header of 32 bytes, the count of packets, and 20 packets of 184 bytes behind their lengths
    assert result["command"] == "XADD bench MAXLEN ~ 1000 * r <3754 bytes>"
    assert result["with"] == "redis-py, hiredis, one connection"
    assert result["equal"] == {"entries": True, "bytes": True}
    assert result["pipeline_32"]["ticks_per_second"] >= 19 * result["pipeline_32"]["records_per_second"] > 0
    assert not list(tmp_path.iterdir())


def test_the_servers_own_tool_is_used_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "bin" / "valkey-benchmark"
    tool.parent.mkdir()
    tool.write_text(
        "#!/bin/sh\n"
        'echo $3 $4 $5 $6 >> "$(dirname $0)/asked"\n'
        'echo \'"test","rps","avg_latency_ms"\'\n'
        'echo \'"XADD","1234.50","0.1"\'\n'
    )
    tool.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tool.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(bench_server, "_counted", lambda *_: {"entries": True})
    result = bench_server.server_alone(200, tmp_path / "bin")
    assert result["with"] == "valkey-benchmark, one connection"
    assert result["pipeline_1"] == {"records_per_second": 1234, "ticks_per_second": 246900}
    assert "-c 1 -P 32\n" in (tool.parent / "asked").read_text()
