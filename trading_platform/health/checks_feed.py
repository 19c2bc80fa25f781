"""What the feed's snapshot tells: whether it runs, its sockets, its token, and how much of the session is missing."""

from trading_platform.health.findings import Finding, Level
from trading_platform.health.liveness import Verdict, not_at_work
from trading_platform.health.market_hours import MarketHours, clock_text
from trading_platform.health.snapshots import Candles, FeedSnapshot, Observed, Queue, Socket
from trading_platform.market.clock import NS_PER_SECOND, Clock
from trading_platform.market.token_life import token_dies_ns

SILENT_SECONDS = 5.0
"""A feed that records says something each second."""

IDLE_SILENT_SECONDS = 20.0
"""One that idles every five."""

QUIET_SOCKET_SECONDS = 5.0
"""Kite sends a heartbeat each second."""

RECONNECT_SECONDS = 600.0
RECONNECTS_DEGRADED, RECONNECTS_RED = 3, 10

QUEUE_DEGRADED, QUEUE_RED = 0.1, 0.5
"""Shares of the queue between sockets and journal."""

QUEUE_LAG_DEGRADED_MS, QUEUE_LAG_RED_MS = 1_000.0, 10_000.0
EXPIRY_WARNING_SECONDS = 2 * 3600.0
"""How long before the sockets connect a missing token is named."""

_NO_FEED = "the feed says nothing of it"

FeedFacts = Observed[FeedSnapshot]


def check_feed(feed: FeedFacts, hours: MarketHours) -> Finding:
    """Say whether the feed runs and records while data has to flow."""
    snapshot = feed.snapshot
    level, says, advice = not_at_work(feed, hours, name="feed", silent_seconds=_patience(feed)) or _work(feed, hours)
    if snapshot is None:
        return Finding("feed", level, says, advice)
    recorder = snapshot.recorder
    figures = {
        "age_seconds": feed.age_seconds,
        "alive": int(feed.alive),
        "last_record": snapshot.last_record,
        "records_total": None if recorder is None else recorder.records,
        "bytes_total": None if recorder is None else recorder.bytes,
        "clock_steps_total": None if recorder is None else recorder.clock_steps,
        "starts_total": None if snapshot.session_so_far is None else snapshot.session_so_far.starts,
        "error_texts_total": snapshot.texts.get("error", 0),
    }
    return Finding("feed", level, says, advice, figures)


def is_recording(feed: FeedFacts) -> bool:
    """Tell whether the snapshot speaks of a session that is being recorded just now."""
    return (
        feed.snapshot is not None
        and feed.alive
        and feed.snapshot.state == "recording"
        and feed.age_seconds <= SILENT_SECONDS
    )


def check_sockets(feed: FeedFacts, hours: MarketHours) -> Finding:
    """Say how many sockets are connected and heard of; instruments that found no socket are named."""
    snapshot = feed.snapshot
    if snapshot is None or not is_recording(feed):
        return Finding("sockets", hours.ignorance, hours.or_closed(f"not known: {_NO_FEED}"))
    silent = [one for one in snapshot.sockets if not _is_up(one)]
    count, up = len(snapshot.sockets), len(snapshot.sockets) - len(silent)
    level, says, advice = Level.GREEN, f"{up} of {count} connected", None
    if silent:
        level = min(hours.absence, Level.DEGRADED if up else Level.RED)
        first = silent[0]
        says += f"; socket {first.socket} is {first.state} ({first.last_ending or 'nothing heard yet'})"
        advice = "the feed connects again by itself; look at its log, the network and the token"
    elif not count:
        level, says, advice = hours.absence, "none is open", "look at the feed's log"
    if snapshot.refused_instruments:
        level = max(level, Level.DEGRADED)
        says += f"; {len(snapshot.refused_instruments)} instruments found no place"
        advice = advice or "take instruments out of the universe, or use a second key"
    quiet = [one.quiet_seconds for one in snapshot.sockets if one.quiet_seconds is not None]
    figures = {
        "connected": up,
        "planned": count,
        "instruments": sum(one.tokens for one in snapshot.sockets),
        "refused_instruments": len(snapshot.refused_instruments),
        "quiet_seconds": max(quiet, default=None),
    }
    return Finding("sockets", level, says, advice, figures)


def check_reconnects(feed: FeedFacts, hours: MarketHours, clock: Clock) -> Finding:
    """Say how often sockets came back of late; one alone is a gap, many are a storm."""
    snapshot = feed.snapshot
    if snapshot is None or not is_recording(feed):
        return Finding("reconnects", hours.ignorance, hours.or_closed(f"not known: {_NO_FEED}"))
    times = [at for one in snapshot.sockets for at in one.reconnected_ns]
    recent = sum(0.0 <= clock.real_seconds_since(at) <= RECONNECT_SECONDS for at in times)
    level = Level.GREEN
    if recent >= RECONNECTS_DEGRADED:
        level = Level.RED if recent >= RECONNECTS_RED else Level.DEGRADED
    total = None if snapshot.session_so_far is None else snapshot.session_so_far.reconnects
    minutes = int(RECONNECT_SECONDS // 60)
    says = f"{recent} in the last {minutes} minutes, {total or 0} in the session"
    advice = "look at the reasons in the feed's log: network, token, or another client on this key" if level else None
    return Finding("reconnects", level, says, advice, {"recent": recent, "reconnects_total": total})


def check_token(feed: FeedFacts, hours: MarketHours, *, present: bool) -> Finding:
    """Say whether there is an access token, what Kite said of it, and when it dies."""
    token = None if feed.snapshot is None else feed.snapshot.token
    accepted = None if token is None else token.accepted_at_ns
    dies = None if accepted is None else token_dies_ns(accepted)
    figures = {"present": int(present), "dies_in_seconds": None}
    due = hours.absence
    following = hours.next_opens_ns
    if due is Level.GREEN and following is not None:
        due = Level(int((following - hours.now_ns) / NS_PER_SECOND <= EXPIRY_WARNING_SECONDS))
    advice = None if due is Level.GREEN else "log in to Kite: trading-platform login"
    if not present:
        return Finding("token", due, "no access token is set", advice, figures)
    if dies is not None and dies <= hours.now_ns:
        says = f"the token died at {clock_text(dies, hours.today)}"
        return Finding("token", due, says, advice, figures)
    if token is not None and token.standing == "refused":
        return Finding("token", due, "Kite refuses the token", advice, figures)
    if token is None or dies is None:
        says = "set; Kite was not asked yet"
        return Finding("token", min(due, hours.ignorance), says, None, figures)
    figures["dies_in_seconds"] = (dies - hours.now_ns) // NS_PER_SECOND
    return Finding("token", Level.GREEN, f"accepted, dies {clock_text(dies, hours.today)}", None, figures)


def check_losses(feed: FeedFacts, hours: MarketHours) -> Finding:
    """Say whether payloads that arrived are not in the journal; any loss of today's session is red."""
    so_far = None if feed.snapshot is None else feed.snapshot.session_so_far
    if so_far is None:
        return Finding("losses", hours.ignorance, hours.or_closed(f"not known: {_NO_FEED}"))
    lost, of_today = so_far.lost_payloads, so_far.session == hours.today
    figures = {"lost_payloads_total": lost}
    if not lost:
        return Finding("losses", Level.GREEN, f"nothing of session {so_far.session} was lost", None, figures)
    says = f"{lost:,} payloads of session {so_far.session} arrived and were not recorded"
    advice = "the disk was too slow or full: find out why; the bars they touch are flagged as gaps"
    return Finding("losses", Level.RED if of_today else Level.GREEN, says, advice if of_today else None, figures)


def check_gaps(feed: FeedFacts, hours: MarketHours, *, reconciled_bars: int | None) -> Finding:
    """Say how long sockets were away in today's session; bars that gaps touched are flagged until reconciled."""
    snapshot = feed.snapshot
    so_far = None if snapshot is None else snapshot.session_so_far
    if snapshot is None or so_far is None:
        return Finding("gaps", hours.ignorance, hours.or_closed(f"not known: {_NO_FEED}"))
    away = sum(one.away for one in snapshot.sockets) if is_recording(feed) else 0
    figures = {
        "gaps_total": so_far.gaps,
        "gap_seconds_total": so_far.gap_seconds,
        "open": away,
        "reconciled_bars_total": reconciled_bars,
        "unreconciled_instruments": None if snapshot.candles is None else snapshot.candles.outstanding_instruments,
    }
    if so_far.session != hours.today or not (so_far.gaps or away):
        says = f"{so_far.gaps} in session {so_far.session}"
        return Finding("gaps", Level.GREEN, says, None, figures)
    says = f"{so_far.gaps} gaps, {so_far.gap_seconds:,.1f} s, in today's session"
    says += f"; {away} open now" if away else ""
    says += f"; {reconciled_bars} bars are reconciled" if reconciled_bars else ""
    left = _unreconciled(snapshot.candles)
    if left is None and not away:
        return Finding("gaps", Level.GREEN, f"{says}; nothing is left to reconcile", None, figures)
    says += f"; {left}" if left else ""
    advice = "bars of these intervals are flagged GAP: trade on them only when reconciled"
    return Finding("gaps", Level.RED, says, advice, figures)


def check_queue(feed: FeedFacts, hours: MarketHours) -> Finding:
    """Say how much waits between sockets and journal, and whether the journal refuses."""
    snapshot = feed.snapshot
    if snapshot is None or snapshot.queue is None or not is_recording(feed):
        return Finding("queue", hours.ignorance, hours.or_closed(f"not known: {_NO_FEED}"))
    queue, failures = snapshot.queue, snapshot.write_failures
    level = max(_queue_level(queue), Level.DEGRADED if failures else Level.GREEN)
    says = f"{queue.bytes:,} bytes wait, the oldest for {queue.lag_ms:,.0f} ms"
    says += f"; the journal refused {failures} times: {snapshot.last_write_failure}" if failures else ""
    advice = "the disk is too slow or full; what exceeds the queue is lost" if level else None
    figures = {
        "bytes": queue.bytes,
        "share": queue.bytes / queue.most_bytes if queue.most_bytes else None,
        "peak_bytes": queue.peak_bytes,
        "lag_ms": queue.lag_ms,
        "write_failures_total": failures,
    }
    return Finding("queue", level, says, advice, figures)


def check_stream(feed: FeedFacts, hours: MarketHours) -> Finding:
    """Say whether the recorder reaches Redis; the journal goes on without."""
    recorder = None if feed.snapshot is None else feed.snapshot.recorder
    if recorder is None or not is_recording(feed):
        return Finding("stream", hours.ignorance, hours.or_closed(f"not known: {_NO_FEED}"))
    figures = {"redis_failures_total": recorder.redis_failures, "repaired_records_total": recorder.stream_repaired}
    if recorder.online:
        return Finding("stream", Level.GREEN, "the recorder writes to Redis", None, figures)
    says = f"the recorder is without Redis: {recorder.last_redis_failure}"
    advice = "start Redis or mend TP_REDIS_URL; the journal goes on and the stream is repaired from it"
    return Finding("stream", min(Level.DEGRADED, hours.absence), says, advice, figures)


def _work(feed: FeedFacts, hours: MarketHours) -> Verdict:
    """Say what a feed does that is at work."""
    snapshot = feed.snapshot
    if snapshot is None or snapshot.state == "idle":
        waiting = "nothing is said" if snapshot is None else snapshot.waiting
        return Verdict(hours.absence, f"idle: {waiting}", "mend what it waits for" if hours.absence else None)
    told = f"{snapshot.state} session {snapshot.session}, record {snapshot.last_record or 0:,}"
    if snapshot.waiting is not None:
        return Verdict(hours.absence, f"{told}; {snapshot.waiting}", "mend what it waits for")
    return Verdict(Level.GREEN, told)


def _unreconciled(candles: Candles | None) -> str | None:
    """Say which bars of gaps are as the gaps left them, None when that is none."""
    if candles is None:
        return "no candles are fetched for them"
    left, refused = candles.outstanding_instruments, candles.refused_instruments
    told = [f"{left} instruments wait for candles"] if left else []
    told += [candles.waiting] if left and candles.waiting else []
    told += [f"{refused} get none"] if refused else []
    return ", ".join(told) or None


def _patience(feed: FeedFacts) -> float:
    idle = feed.snapshot is not None and feed.snapshot.state == "idle"
    return IDLE_SILENT_SECONDS if idle else SILENT_SECONDS


def _is_up(socket: Socket) -> bool:
    quiet = socket.quiet_seconds
    return socket.state == "connected" and quiet is not None and quiet <= QUIET_SOCKET_SECONDS


def _queue_level(queue: Queue) -> Level:
    share = queue.bytes / queue.most_bytes if queue.most_bytes else 0.0
    if share >= QUEUE_RED or queue.lag_ms >= QUEUE_LAG_RED_MS:
        return Level.RED
    return Level.DEGRADED if share >= QUEUE_DEGRADED or queue.lag_ms >= QUEUE_LAG_DEGRADED_MS else Level.GREEN
