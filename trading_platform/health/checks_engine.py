"""What the engine's snapshot tells: whether it keeps up, how late and fresh its numbers are, what it could not use."""

from collections.abc import Mapping

from trading_platform.health.checks_feed import FeedFacts, is_recording
from trading_platform.health.findings import Figure, Figures, Finding, Level
from trading_platform.health.liveness import Verdict, not_at_work
from trading_platform.health.market_hours import Duty, MarketHours
from trading_platform.health.snapshots import EngineSnapshot, Group, Histogram, Observed
from trading_platform.market.clock import Clock
from trading_platform.market.session_kinds import PhaseKind, SessionClass

SILENT_SECONDS = 10.0
"""An engine says something each second, but may wait for Redis for several."""

LAG_DEGRADED_MS, LAG_RED_MS = 5_000.0, 30_000.0
LATENCY_DEGRADED_MS, LATENCY_RED_MS = 1_000.0, 10_000.0
"""Of the 99th percentile of the last minute or two, or of the median where that would be the longest of a few."""

ENOUGH = 100

BUSY_INSTRUMENTS = 50
BUSY_LIMITS, QUIET_LIMITS = (10.0, 30.0), (60.0, 300.0)
"""Real seconds without any packet of a group after which it is degraded, and red."""

STALE_SHARE_BUSY, STALE_SHARE_QUIET = 0.2, 0.9

_BUSY = frozenset(
    {SessionClass.NSE_INDEX, SessionClass.BSE_INDEX, SessionClass.NSE_CASH_FNO, SessionClass.BSE_CASH_FNO}
)
"""Classes of which something is traded, or calculated, each second."""

STAGES = ("journal", "stream", "decoded", "written")

_UNUSABLE = ("unknown_token", "damaged_frames", "damaged_bytes", "unknown_kind")
_NO_ENGINE = "the engine says nothing of it"

EngineFacts = Observed[EngineSnapshot]


def check_engine(engine: EngineFacts, feed: FeedFacts, hours: MarketHours) -> Finding:
    """Say whether the engine runs, on today's session."""
    snapshot = engine.snapshot
    absent = not_at_work(engine, hours, name="engine", silent_seconds=SILENT_SECONDS)
    level, says, advice = absent or _work(engine, feed, hours)
    if snapshot is None:
        return Finding("engine", level, says, advice)
    progress = snapshot.progress
    refused = 0 if progress is None else progress.states_refused
    if refused:
        level = max(level, Level.DEGRADED)
        says += f"; {refused} state files could not be written"
        advice = advice or "make room in the data folder: a restart replays more of the journal until then"
    figures = {
        "age_seconds": engine.age_seconds,
        "alive": int(engine.alive),
        "position": snapshot.position,
        "starts_total": snapshot.starts,
        "batches_total": None if progress is None else progress.batches,
        "states_refused_total": refused,
        "caught_up_frames_total": snapshot.caught_up_frames,
        "unplaced_instruments": snapshot.unplaced,
    }
    return Finding("engine", level, says, advice, figures)


def check_lag(engine: EngineFacts, feed: FeedFacts, hours: MarketHours) -> Finding:
    """Say how far the engine is behind the journal, in records and in real time."""
    snapshot, last = engine.snapshot, None if feed.snapshot is None else feed.snapshot.last_record
    if snapshot is None or feed.snapshot is None or last is None or not _works_on(snapshot, feed):
        return Finding("lag", hours.ignorance, hours.or_closed("not known: feed and engine are not at one session"))
    behind = max(0, last - (snapshot.position or 0))
    lag = snapshot.lag_ms
    figures = {"records": behind, "ms": lag}
    level = Level.GREEN
    if behind and lag is not None and lag >= LAG_DEGRADED_MS:
        level = min(hours.absence, Level.RED if lag >= LAG_RED_MS else Level.DEGRADED)
    told = "an unknown time" if lag is None else f"{lag:,.0f} ms"
    says = f"{behind:,} records behind the journal, the last one folded is {told} old"
    if lag is None and hours.duty is not Duty.CLOSED:
        level = max(level, Level.DEGRADED)
    advice = "the machine is too slow, or the engine is catching up: watch whether it falls" if level else None
    return Finding("lag", level, says, advice, figures)


def latencies(engine: EngineFacts, feed: FeedFacts) -> dict[str, Histogram]:
    """Return the histograms of all stages that are measured, in the order of the way of a tick."""
    found = {} if feed.snapshot is None else dict(feed.snapshot.latency_ms)
    return found | ({} if engine.snapshot is None else engine.snapshot.latency_ms)


def check_latency(engine: EngineFacts, feed: FeedFacts, hours: MarketHours) -> Finding:
    """Say the percentiles of the last minutes from receipt to each stage, in real time."""
    stages = latencies(engine, feed)
    figures: Figures = {
        "recent_p50_ms": {stage: one.recent.p50 for stage, one in stages.items()},
        "recent_p99_ms": {stage: one.recent.p99 for stage, one in stages.items()},
    }
    judged = {stage: one.recent.p99 if one.recent.count >= ENOUGH else one.recent.p50 for stage, one in stages.items()}
    known = {stage: value for stage, value in judged.items() if value is not None}
    if not known:
        return Finding("latency", hours.ignorance, hours.or_closed("nothing is measured yet"), None, figures)
    slow = max(map(_latency_level, known.values()))
    told = ", ".join(f"{stage} {_percentiles(stages[stage])} ms" for stage in known)
    unknown = [stage for stage in STAGES if stage not in known]
    steady = feed.snapshot is None or feed.snapshot.clock.steady
    if unknown:
        told += f"; not measured: {', '.join(unknown)}"
        told += "" if steady else " (time is told by the exchange's messages)"
    level = max(slow, hours.ignorance if unknown and steady else Level.GREEN)
    advice = "the machine or its disk is too slow for this load" if slow else None
    return Finding("latency", min(level, hours.absence), f"p50/p99 since receipt: {told}", advice, figures)


def check_freshness(engine: EngineFacts, feed: FeedFacts, hours: MarketHours, clock: Clock) -> Finding:
    """Say of each group of instruments in continuous trading how long nothing came; real seconds."""
    snapshot = engine.snapshot
    if snapshot is None or not _is_current(engine, hours):
        return Finding("freshness", hours.ignorance, hours.or_closed(f"not known: {_NO_ENGINE}"))
    groups = {one.name: one for one in snapshot.groups}
    planned = feed.snapshot.hours.classes if feed.snapshot is not None and feed.snapshot.hours is not None else {}
    ages: dict[str, Figure] = {}
    faults: dict[str, Level] = {}
    for one in hours.classes:
        group = groups.get(one.name)
        if one.phase is not PhaseKind.CONTINUOUS or not (group or planned.get(one.name)):
            continue
        age = clock.real_seconds_since(max(one.since_ns, (group.newest_ns or 0) if group else 0))
        ages[one.name] = age
        degraded, red = _limits(one.name, group.instruments if group else planned[one.name])
        if age >= degraded:
            faults[one.name] = Level.RED if age >= red else Level.DEGRADED
    figures: Figures = {"seconds": ages, "instruments": {name: one.instruments for name, one in groups.items()}}
    if not ages:
        says = hours.or_closed("no group is in continuous trading")
        return Finding("freshness", Level.GREEN, says, None, figures)
    says = ", ".join(f"{name} {age:,.1f} s" for name, age in ages.items())
    level = max(faults.values(), default=Level.GREEN)
    advice = f"nothing comes of {', '.join(faults)}: look at sockets, subscription and engine" if faults else None
    return Finding("freshness", level, f"newest packet: {says}", advice, figures)


def check_stale(engine: EngineFacts, hours: MarketHours) -> Finding:
    """Say which share of a group's instruments had no packet for long in continuous trading."""
    snapshot = engine.snapshot
    if snapshot is None or not _is_current(engine, hours):
        return Finding("stale", hours.ignorance, hours.or_closed(f"not known: {_NO_ENGINE}"))
    trading = [one for one in snapshot.groups if one.continuous_since_ns is not None and one.instruments]
    figures: Figures = {
        "instruments": {one.name: one.stale for one in trading},
        "never_heard": {one.name: one.never for one in trading},
        "share": {one.name: one.stale / one.instruments for one in trading},
    }
    if not trading:
        return Finding("stale", Level.GREEN, hours.or_closed("no group is in continuous trading"), None, figures)
    many = [one.name for one in trading if one.stale / one.instruments > _stale_limit(one)]
    says = ", ".join(f"{one.name} {one.stale} of {one.instruments}" for one in trading)
    advice = f"compare {', '.join(many)} with Kite: was the subscription accepted?" if many else None
    level = min(hours.absence, Level.DEGRADED) if many else Level.GREEN
    return Finding("stale", level, f"no packet for a minute: {says}", advice, figures)


def check_packets(engine: EngineFacts, hours: MarketHours) -> Finding:
    """Say what the pass could not use: unknown tokens, damage; all its counters are the figures."""
    snapshot = engine.snapshot
    if snapshot is None or not snapshot.counters:
        return Finding("packets", hours.ignorance, hours.or_closed(f"not known: {_NO_ENGINE}"))
    counters: Mapping[str, Figure] = dict(snapshot.counters)
    figures = {"counted_total": counters}
    missing = snapshot.counters.get("missing_records", 0)
    bad = {name: snapshot.counters.get(name, 0) for name in _UNUSABLE}
    packets = snapshot.counters.get("packets", 0)
    if missing:
        says = f"{missing:,} records are missing from the journal"
        return Finding("packets", Level.RED, says, "trading-platform verify names the damage", figures)
    if not any(bad.values()):
        return Finding("packets", Level.GREEN, f"{packets:,} packets, none unknown, none damaged", None, figures)
    told = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in bad.items() if count)
    advice = "trading-platform decode shows damaged frames; a new kind of packet wants a newer version"
    return Finding("packets", min(Level.DEGRADED, hours.absence), f"{packets:,} packets; {told}", advice, figures)


def reconciled_bars(engine: EngineFacts) -> int | None:
    """Return how many bars were made whole from candles, None where the engine does not say."""
    return None if engine.snapshot is None else engine.snapshot.counters.get("reconciled_bars")


def _work(engine: EngineFacts, feed: FeedFacts, hours: MarketHours) -> Verdict:
    """Say what an engine does that is at work."""
    snapshot = engine.snapshot
    if snapshot is None or snapshot.waiting is not None:
        why = "nothing is said" if snapshot is None else f"{snapshot.state}: {snapshot.waiting}"
        return Verdict(hours.absence, why, "mend what it waits for")
    told = f"{snapshot.state}: session {snapshot.session}, record {snapshot.position or 0:,}"
    if is_recording(feed) and not _works_on(snapshot, feed):
        session = None if feed.snapshot is None else feed.snapshot.session
        return Verdict(hours.ignorance, f"{told}; the feed records {session}", "older journals come first: wait")
    if snapshot.state == "catching up":
        return Verdict(hours.ignorance, told, "wait: it replays the journal")
    if snapshot.state == "idle" and hours.duty is Duty.OPEN:
        return Verdict(Level.RED, "idle: there is no journal to work on", "start the feed")
    return Verdict(Level.GREEN, told)


def _works_on(snapshot: EngineSnapshot, feed: FeedFacts) -> bool:
    return feed.snapshot is not None and snapshot.session is not None and snapshot.session == feed.snapshot.session


def _is_current(engine: EngineFacts, hours: MarketHours) -> bool:
    """Tell whether the snapshot speaks of today, and just now."""
    snapshot = engine.snapshot
    return snapshot is not None and snapshot.session == hours.today and engine.age_seconds <= SILENT_SECONDS


def _limits(name: SessionClass, instruments: int) -> tuple[float, float]:
    return BUSY_LIMITS if name in _BUSY or instruments >= BUSY_INSTRUMENTS else QUIET_LIMITS


def _stale_limit(group: Group) -> float:
    return STALE_SHARE_BUSY if group.name in _BUSY else STALE_SHARE_QUIET


def _percentiles(stage: Histogram) -> str:
    recent = stage.recent
    return "/".join("?" if value is None else f"{value:,.1f}" for value in (recent.p50, recent.p99))


def _latency_level(judged_ms: float) -> Level:
    if judged_ms >= LATENCY_RED_MS:
        return Level.RED
    return Level.DEGRADED if judged_ms >= LATENCY_DEGRADED_MS else Level.GREEN
