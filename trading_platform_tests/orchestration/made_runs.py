"""Runs that an instance says it has had."""

from datetime import date

import dagster as dg

from trading_platform.orchestration.context import JOB, PARTITION


def ran(instance: dg.DagsterInstance, job: str, session: date, status: dg.DagsterRunStatus) -> None:
    """Note a run of a job over a session."""

    @dg.job(name=job)
    def made() -> None:
        """Do nothing."""

    instance.create_run_for_job(made, status=status, tags={PARTITION: str(session), JOB: job})
