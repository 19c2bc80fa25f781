"""The job prunes the instance that it runs in, by the setting or its configuration, and never itself."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from trading_platform.orchestration.job_prune_runs import PruneRunsConfig, prune_runs_job
from trading_platform.settings import IsolatedSettings


def test_it_tells_what_went(tmp_path: Path) -> None:
    (tmp_path / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    job = prune_runs_job(IsolatedSettings(data_dir=tmp_path))
    shown: list[dict[str, Any]] = []
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        for config in ({}, {"keep_days": 7, "dry_run": True}):
            result = job.execute_in_process(run_config={"ops": {"prune": {"config": config}}}, instance=instance)
            (event,) = [one for one in result.all_events if one.is_successful_output]
            shown.append({name: value.value for name, value in event.step_output_data.metadata.items()})
        assert len(instance.get_runs()) == 2
    assert [one["keep_days"] for one in shown] == [30, 7]
    assert [one["deleted_runs"] for one in shown] == [0, 0]
    assert shown[0]["bytes_before"] > 0


@pytest.mark.parametrize("days", [0, 6, 4000])
def test_days_that_a_schedule_cannot_bear_are_refused(days: int) -> None:
    with pytest.raises(ValueError, match="keep_days"):
        PruneRunsConfig(keep_days=days)
