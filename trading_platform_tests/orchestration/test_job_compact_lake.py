"""The job compacts with the code of the command, tells sizes, and fails naming the table that it could not."""

from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg

from trading_platform.orchestration.job_compact_lake import compact_lake_job
from trading_platform.settings import IsolatedSettings
from trading_platform.storage.lake import Lake
from trading_platform_tests.orchestration.world import reason
from trading_platform_tests.storage.backup.place import write_rows


def run(data: Path, **config: Any) -> dg.ExecuteInProcessResult:
    job = compact_lake_job(IsolatedSettings(data_dir=data))
    return job.execute_in_process(run_config={"ops": {"compact": {"config": config}}}, raise_on_error=False)


def test_sizes_are_metadata(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    for _ in range(3):
        write_rows(lake, date(2026, 7, 30), 3)
    result = run(tmp_path, tables=["instruments"], keep_days=1)
    assert result.success
    (event,) = [one for one in result.all_events if one.is_successful_output]
    shown = event.step_output_data.metadata
    assert (shown["files_before"].value, shown["files_after"].value) == (3, 3)
    (row,) = shown["tables"].records
    assert (row.data["table"], row.data["kept"]) == ("instruments", 2)


def test_what_cannot_be_compacted_fails_the_run(tmp_path: Path) -> None:
    assert "no table nothing" in reason(run(tmp_path, tables=["nothing"]))
    (tmp_path / "lake" / "patterns" / "_delta_log").mkdir(parents=True)
    (tmp_path / "lake" / "patterns" / "_delta_log" / f"{0:020}.json").write_bytes(b"no json")
    assert "not compacted: patterns" in reason(run(tmp_path))
