"""A lake with imported bars of some sessions, dumps beside it, and the definitions that see both."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import dagster as dg
import polars as pl

from trading_platform.batch.bars import import_bars
from trading_platform.batch.instrument_dump import dump_csv
from trading_platform.definitions import ASSETS, CHECKS, build_definitions
from trading_platform.market.clock import IST
from trading_platform.market.sessions import load_session_table
from trading_platform.market.synthetic_tokens import assign_tokens
from trading_platform.orchestration.resources import platform_resources
from trading_platform.settings import CalculationSettings, Settings
from trading_platform.storage.lake import Lake
from trading_platform_tests.batch.lake_rows import moment
from trading_platform_tests.orchestration.fakes import FakeStore, fake_redis

LAST = date(2026, 7, 30)
SESSIONS = load_session_table().any_session_dates(date(2026, 7, 20), LAST)
MINUTES = 120


@dataclass
class World:
    """What a test needs to run assets and jobs."""

    lake: Lake
    store: FakeStore
    definitions: dg.Definitions
    instance: dg.DagsterInstance
    resources: dict[str, object]

    def materialise(self, *names: str, session: date, **replaced: object) -> dg.ExecuteInProcessResult:
        """Materialise assets of one session with their checks."""
        return dg.materialize(
            [*ASSETS, *CHECKS],
            selection=dg.AssetSelection.assets(*names),
            instance=self.instance,
            resources={**self.resources, **replaced},
            partition_key=str(session),
            raise_on_error=False,
        )

    def run(self, job: str, **tags: str) -> dg.ExecuteInProcessResult:
        found = self.definitions.resolve_job_def(job)
        named = {name.replace("__", "/"): value for name, value in tags.items()}
        return found.execute_in_process(instance=self.instance, tags=named, raise_on_error=False)


def bars_of(session: date) -> pl.DataFrame:
    start = moment(session, 9, 15)
    ts = pl.datetime_range(start, start.replace(hour=11, minute=14), "1m", eager=True, time_zone=str(IST))
    close = [100.0 + (place * 7 % 11) for place in range(MINUTES)]
    frame = pl.DataFrame({"ts": ts, "open": close, "high": close, "low": close, "close": close})
    named = [
        frame.with_columns(symbol=pl.lit("SYNONE"), volume=pl.lit(1000, pl.Int64)),
        frame.with_columns(symbol=pl.lit("SYNDEX"), volume=pl.lit(None, pl.Int64)),
    ]
    return pl.concat(named)


def make_world(tmp_path: Path, instance: dg.DagsterInstance) -> World:
    """Import every session of SESSIONS and write its dump."""
    settings = Settings(
        data_dir=tmp_path,
        calculation=CalculationSettings(baseline_sessions=5, baseline_min_sessions=2, seed_sessions=5),
    )
    lake = Lake(settings.lake_dir)
    settings.dumps_dir.mkdir()
    dump = dump_csv(assign_tokens([("SYNONE", False), ("SYNDEX", True)]))
    for session in SESSIONS:
        import_bars(bars_of(session), "synthetic", lake)
        (settings.dumps_dir / f"instruments_{session:%Y%m%d}.csv").write_bytes(dump)
    store = FakeStore()
    redis = fake_redis(store)
    resources = {**platform_resources(settings), "redis_manager": redis}
    return World(lake, store, build_definitions(settings, redis_manager=redis), instance, resources)


def reason(result: dg.ExecuteInProcessResult) -> str:
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    return str(failure.step_failure_data.error)
