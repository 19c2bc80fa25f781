"""Ask Kite for the candles of past sessions until all are in the lake, or named as missing with the reason."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

import polars as pl

from trading_platform.batch.backfill_answers import Outcome, answered, not_listed, refused
from trading_platform.batch.backfill_pieces import Pieces
from trading_platform.batch.backfill_plan import Name, Plan, Request, Target, plan_requests
from trading_platform.batch.reference import segment_of
from trading_platform.errors import AccessRefused, BrokerError, RequestRefused
from trading_platform.market.clock import IST, NS_PER_SECOND, elapsed_ns, pause
from trading_platform.market.sessions import SessionTable
from trading_platform.ports import CandleSource, FetchedCandles, TableStore
from trading_platform.wire.lake_tables import BACKFILL_ACCOUNT, INSTRUMENTS, SESSION

Report = Callable[[str], None]

_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class BackfillLimits:
    """Real seconds, and counts: how long it waits after what, and how much it holds before it is put on disk."""

    first_pause_seconds: float = 1.0  # after a failure; doubled with each that follows
    longest_pause_seconds: float = 60.0
    most_failures: int = 10  # in a row, before it gives up
    flush_answers: int = 30
    report_seconds: float = 30.0


@dataclass(slots=True)
class BackfillReport:
    """What a backfill did and what it could not get."""

    sessions: list[date]
    instruments: int = 0
    requests: int = 0
    failures: int = 0
    candles: int = 0
    written: dict[date, int] = field(default_factory=dict)
    gaps: pl.DataFrame = field(default_factory=BACKFILL_ACCOUNT.schema.to_frame)

    @property
    def changed(self) -> list[date]:
        """Return the sessions that candles came for, ascending."""
        return sorted(session for session, rows in self.written.items() if rows)

    @property
    def lacking(self) -> pl.DataFrame:
        """Return the gaps that are a loss: nothing came, or something of it could not be used.

        A minute without a trade has no candle and an instrument has none before it is listed: both are no loss.
        """
        lost = pl.col("outcome").is_in([Outcome.NO_CANDLES, Outcome.REFUSED])
        return self.gaps.filter(lost | (pl.col("set_aside") > 0))

    def add(self, other: "BackfillReport") -> None:
        """Take in what another round over the same sessions did."""
        for name in ("instruments", "requests", "failures", "candles"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for session, rows in other.written.items():
            self.written[session] = self.written.get(session, 0) + rows
        self.gaps = pl.concat([self.gaps, other.gaps]).sort(SESSION, "symbol", "segment")


@dataclass(frozen=True, slots=True)
class Backfill:
    """What a backfill works with; `now` is the time that answers are stamped with."""

    lake: TableStore
    source: CandleSource
    pieces: Pieces
    table: SessionTable
    now: Callable[[], datetime]
    report: Report
    limits: BackfillLimits = BackfillLimits()

    def run(
        self, targets: Sequence[Target], sessions: Sequence[date], *, since: datetime | None = None
    ) -> BackfillReport:
        """Ask for what is not in the lake, `since` a moment if given; raise AccessRefused, BrokerError or LakeError.

        Whatever came until then is in the lake all the same. The caller holds the lock of the pieces.
        """
        told = BackfillReport(list(sessions), len(targets), written=self.pieces.settle(self.lake))
        done = self._done(sessions, since)
        plan = plan_requests(targets, sessions, table=self.table, done=done, listed=self._listed(targets, sessions))
        if plan.unlisted:
            self.pieces.add(not_listed(plan.unlisted, at=self.now()))
        try:
            self._ask_all(plan, told)
        finally:
            self.pieces.flush()
            for session, rows in self.pieces.settle(self.lake).items():
                told.written[session] = told.written.get(session, 0) + rows
        told.gaps = self._gaps(targets, sessions)
        return told

    def _ask_all(self, plan: Plan, told: BackfillReport) -> None:
        told_at = elapsed_ns()
        for place, request in enumerate(plan.requests):
            self._ask(request, told)
            if self.pieces.waiting >= self.limits.flush_answers:
                self.pieces.flush()
            if elapsed_ns() - told_at > self.limits.report_seconds * NS_PER_SECOND:
                told_at = elapsed_ns()
                self.report(f"{place + 1:,} of {len(plan.requests):,} requests, {told.candles:,} candles so far")

    def _ask(self, request: Request, told: BackfillReport) -> None:
        begin, end = _span(request)
        target = request.target
        told.requests += 1
        try:
            fetched = self._fetch(target.token, begin, end, told)
        except RequestRefused as error:
            self.report(f"{target.symbol}: {error}")
            self.pieces.add(refused(request, str(error), at=self.now()))
            return
        answer = answered(request, fetched.candles, fetched.unreadable, table=self.table, at=self.now())
        told.candles += answer.bars.height
        self.pieces.add(answer)

    def _fetch(self, token: int, begin: int, end: int, told: BackfillReport) -> FetchedCandles:
        """Ask until an answer comes; each failure in a row makes the pause longer, the last one is raised."""
        failures = 0
        while True:
            try:
                return self.source.minute_candles(token, begin, end)
            except (AccessRefused, RequestRefused):
                raise
            except BrokerError as error:
                failures += 1
                told.failures += 1
                if failures == self.limits.most_failures:
                    raise BrokerError(
                        f"{failures} requests in a row failed, the last: {error}. What came before is in the lake: run "
                        "the same again later, it goes on there"
                    ) from error
                wanted = self.limits.first_pause_seconds * 2.0 ** (failures - 1)
                seconds = min(self.limits.longest_pause_seconds, wanted)
                self.report(f"{error}; asking again in {seconds:g} s")
                pause(seconds)

    def _done(self, sessions: Sequence[date], since: datetime | None) -> frozenset[tuple[date, Name, int | None]]:
        held = [day for day in sessions if day in self.lake.counts(BACKFILL_ACCOUNT.name)]
        if not held:
            return frozenset()
        columns = (SESSION, "symbol", "segment", "outcome", "token")
        rows = self.lake.read_sessions(BACKFILL_ACCOUNT.name, held)
        if since is not None:
            rows = rows.filter(pl.col("asked_at") >= since.astimezone(IST))
        rows = rows.select(columns)
        return frozenset(
            (day, (symbol, segment), token if outcome == Outcome.REFUSED else None)
            for day, symbol, segment, outcome, token in rows.iter_rows()
        )

    def _listed(self, targets: Sequence[Target], sessions: Sequence[date]) -> dict[date, frozenset[Name]]:
        """Return which of the targets the dumps of those sessions list whose instruments the lake holds."""
        names = pl.DataFrame([one.name for one in targets], schema=["symbol", "segment"], orient="row")
        listed = {}
        for day in set(sessions) & set(self.lake.counts(INSTRUMENTS.name)):
            rows = self.lake.read_sessions(INSTRUMENTS.name, [day])
            known = rows.select("symbol", segment_of(pl.col("token")).alias("segment"))
            listed[day] = frozenset(known.join(names, on=["symbol", "segment"], how="semi").iter_rows())
        return listed

    def _gaps(self, targets: Sequence[Target], sessions: Sequence[date]) -> pl.DataFrame:
        held = [day for day in sessions if day in self.lake.counts(BACKFILL_ACCOUNT.name)]
        if not held:
            return BACKFILL_ACCOUNT.schema.to_frame()
        names = pl.DataFrame([one.name for one in targets], schema=["symbol", "segment"], orient="row")
        rows = self.lake.read_sessions(BACKFILL_ACCOUNT.name, held).join(names, on=["symbol", "segment"], how="semi")
        odd = (pl.col("outcome") != Outcome.COMPLETE) | (pl.col("set_aside") > 0)
        return rows.filter(odd).sort(SESSION, "symbol", "segment")


def _span(request: Request) -> tuple[int, int]:
    """Return the first second of the first session's date and the one after the last's, seconds since the epoch."""
    begin = datetime.combine(request.sessions[0], time(), IST)
    end = datetime.combine(request.sessions[-1] + _ONE_DAY, time(), IST)
    return int(begin.timestamp()), int(end.timestamp())
