"""The job of the morning: all that feed and engine need before the open."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time

import dagster as dg
from pydantic import Field

from trading_platform.batch.reference import closes_before
from trading_platform.errors import PlatformError
from trading_platform.market.clock import IST, Clock
from trading_platform.market.sessions import load_session_table
from trading_platform.orchestration.context import JOB, PARTITION
from trading_platform.orchestration.day_steps import LONGEST_RUN_SECONDS, Steps
from trading_platform.orchestration.day_times import session_to_prepare
from trading_platform.orchestration.jobs import (
    BASELINE_ASSETS,
    MAX_RUNTIME,
    Definition,
    Launcher,
    make_missing_bars,
    sessions_behind,
)
from trading_platform.orchestration.partitions import SESSIONS, require_session
from trading_platform.orchestration.past_bars import sessions_looked_at
from trading_platform.orchestration.resources import CalculationResource, JournalsResource, KiteResource, LakeResource
from trading_platform.wire.lake_tables import IMPORTED_BARS

NAME = "prepare_day"
_REFERENCE, _OPENING = BASELINE_ASSETS[:2], BASELINE_ASSETS[2:]


class PrepareConfig(dg.Config):
    """Which session to prepare, and what to fetch for it."""

    session: str = Field(default="", description="YYYY-MM-DD; empty: that of the partition, else today's or the next")
    backfill: bool = Field(default=True, description="fetch candles of sessions that nobody recorded or imported")
    sessions: int = Field(
        default=0, ge=0, le=1000, description="sessions to fetch; 0: as many as baselines and seeds look at"
    )
    names: list[str] = Field(default=[], description="fetch candles of these symbols only; empty: of the universe")


@dataclass(frozen=True)
class _Morning:
    """What the steps of a morning work with."""

    steps: Steps
    launcher: Launcher
    lake: LakeResource
    journals: JournalsResource
    kite: KiteResource
    back: int

    def prepare(self, session: date, config: PrepareConfig) -> None:
        """Materialise all, with the checks; without instruments there is nothing to prepare."""
        if not self._make(_REFERENCE, session):
            return
        table, store = load_session_table(), self.lake.open()
        blind = not closes_before(store, table, session)
        if config.backfill:
            self._fetch(session, config)
        behind = sessions_behind(session, self.back, self.lake, self.journals)
        context = self.steps.context
        self.steps.do("past minute_bars", lambda: make_missing_bars(context, self.launcher, session, behind))
        if blind and closes_before(store, table, session):
            # chains have a reference price only now
            self._make(_REFERENCE[1:], session)
        for name in _OPENING:
            self._make((name,), session)

    def _fetch(self, session: date, config: PrepareConfig) -> None:
        """Fetch candles of missing sessions; without credentials there is nobody to ask, which is no failure."""
        wanted = sessions_looked_at(load_session_table(), session, config.sessions or self.back)
        held = {*self.journals.sessions(), *self.lake.open().sessions(IMPORTED_BARS.name)}
        missing = [str(day) for day in wanted if day not in held]
        context = self.steps.context
        if missing and not self.kite.access().can_ask():
            context.log.warning("no credentials: candles of %d sessions are not fetched", len(missing))
        elif missing:
            asked = {"dates": missing, "names": config.names}
            self.steps.do("backfill", lambda: self.launcher.materialise_whole(context, "historical_bars", asked))

    def _make(self, names: Sequence[str], session: date) -> bool:
        context = self.steps.context
        return self.steps.do(", ".join(names), lambda: self.launcher.materialise(context, names, session, session))


def prepare_day_job(definitions: Sequence[Definition], resources: Mapping[str, object]) -> dg.JobDefinition:
    """Return the job of the morning."""
    launcher = Launcher(definitions, resources)

    @dg.op(description="Instruments of the day, universe, candles of missing sessions, their bars, baselines, seeds.")
    def prepare(
        context: dg.OpExecutionContext,
        config: PrepareConfig,
        lake: LakeResource,
        journals: JournalsResource,
        kite: KiteResource,
        calculation: CalculationResource,
    ) -> None:
        """Prepare a session; the run fails at its end if any step did."""
        session = _session(context, config, kite)
        back = max(calculation.baseline_sessions, calculation.seed_sessions)
        steps = Steps(context)
        _Morning(steps, launcher, lake, journals, kite, back).prepare(session, config)
        steps.end()

    @dg.job(
        name=NAME,
        partitions_def=SESSIONS,
        tags={JOB: NAME, MAX_RUNTIME: str(LONGEST_RUN_SECONDS)},
        description="The morning: instruments, universe, missing candles, bars, baselines and seeds of a session.",
    )
    def prepare_day() -> None:
        prepare()

    return prepare_day


def _session(context: dg.OpExecutionContext, config: PrepareConfig, kite: KiteResource) -> date:
    table = load_session_table()
    named = config.session or context.run.tags.get(PARTITION, "")
    try:
        if named:
            return require_session(named, table)
        now, today = Clock.wall().now(), kite.access().today()
        if today != now.date():  # a simulated exchange trades another day
            now = datetime.combine(today, time(), IST)
        return session_to_prepare(table, now)
    except PlatformError as error:
        raise dg.Failure(str(error), allow_retries=False) from error
