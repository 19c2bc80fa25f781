"""The printed page of `debug`: one screen that answers why an instrument stands where it stands."""

from datetime import datetime, timedelta

from trading_platform.inspection.bars_seen import BarSeen
from trading_platform.inspection.columns import UNKNOWN, age, clock, number, price, short, table, under
from trading_platform.inspection.differences import Compared
from trading_platform.inspection.frames import PacketSeen
from trading_platform.inspection.pattern_page import history_lines, step_lines, summary_lines
from trading_platform.inspection.report import Report
from trading_platform.market.clock import from_ns

_SHOWN_BARS = ((5, 3), (1, 5))
"""Bar lengths in minutes, and how many of each."""
_SHOWN_EVENTS, _SHOWN_SIGNALS, _SHOWN_DIFFERENCES = 3, 3, 20
_HEX_BYTES = 32


def page(report: Report) -> str:
    """Return the page; a pattern that was asked for stands before everything else that it follows from."""
    asked = report.why_not is not None
    parts = [
        [_title(report)],
        [*_now(report), *_standing(report), *_baseline(report)],
        _patterns(report) if asked else _packets(report, with_bytes=True),
        _bars(report),
        _packets(report, with_bytes=False) if asked else _patterns(report),
        [*_signals(report), *_events(report)],
        _compared(report),
        _differences(report),
    ]
    return "\n\n".join("\n".join(lines) for lines in parts if lines)


def difference_lines(report: Report) -> list[str]:
    """Return one line a difference: the store, what differs, the journal's value and the stored one."""
    rows = [
        (one.store, one.what, f"journal {short(one.journal)}", f"stored {short(one.stored)}")
        for one in report.differences
    ]
    return table(("", "", "", ""), rows, left=frozenset(range(4)))[1:]


def _title(report: Report) -> str:
    one = report.subject
    state = ", closed" if one.is_closed else ""
    return (
        f"{one.exchange}:{one.symbol}  {one.kind}, token {one.token}  session {one.session}{state}, shard {one.shard}  "
        f"at {clock(one.at)} IST, record {one.last_record:,}"
    )


def _now(report: Report) -> list[str]:
    latest = report.standing.latest
    if latest is None:
        return under("now", ["no packet yet"])
    prices = (
        f"last {price(latest['last_price'])}  vwap {number(report.standing.vwap, 2)}  "
        f"day volume {number(latest['day_volume'])}  "
        f"bid {price(latest['bid_price'])} x {number(latest['bid_quantity'])}  "
        f"ask {price(latest['ask_price'])} x {number(latest['ask_quantity'])}"
    )
    came = report.age_seconds(int(latest["received_ns"] or 0))
    behind = report.engine_behind_seconds
    engine = "" if behind is None else f"; engine {behind:.1f} s behind the journal"
    return under("now", [prices, f"last packet {age(came)}{engine}"])


def _standing(report: Report) -> list[str]:
    one = report.standing
    if one.no_bars_because:
        return under("hours", [f"no bars: {one.no_bars_because}"])
    late = "subscribed after the open: volume since then"
    counted = "volume counts from the open" if one.counted_from_open else late
    if report.subject.kind == "index":
        counted = "an index has no volume"
    gap = "no gap under way" if one.away_since is None else f"its socket is away since {clock(one.away_since)}"
    waits = [
        f"{wait.pattern} {wait.direction} ({wait.interval} min) fired and waits {wait.bars_left} bars more"
        for wait in one.waits
    ]
    return under("hours", [f"{one.hours}; {counted}; {gap}"]) + under("waits", waits)


def _baseline(report: Report) -> list[str]:
    one = report.baseline
    if one.version is None:
        return under("baseline", [f"none: {one.none_because}"])
    sessions = f"median of {one.sessions_used} sessions, the last {one.last_session}"
    lines = [f"version {one.version}, {sessions}; loaded by record {one.loaded_at_record}"]
    known = ", ".join(f"{count:,} of {interval} min" for interval, count in one.known.items())
    lines.append(f"none for this instrument: {one.none_because}" if one.none_because else f"bars with one: {known}")
    return under("baseline", lines)


def _packets(report: Report, *, with_bytes: bool) -> list[str]:
    if not report.packets:
        return []
    head = ("record", "received", "age", "mode", "bytes", "last", "quantity", "day volume", "exchange", "lag")
    lines = table(head, (_packet(report, one) for one in report.packets), left=frozenset({3}))
    if not with_bytes:
        return under("packets", lines)
    last = report.packets[-1]
    lines.append(
        f"bytes of the last, from byte {last.offset} of a frame of {last.frame_bytes:,} (socket {last.socket})"
    )
    lines += [last.body[at : at + _HEX_BYTES].hex(" ", 4) for at in range(0, len(last.body), _HEX_BYTES)]
    return under("packets", lines)


def _packet(report: Report, one: PacketSeen) -> tuple[str, ...]:
    fields, exchange_time = one.fields, one.fields["exchange_time"]
    return (
        f"{one.record:,}",
        clock(from_ns(one.received_ns), fine=True),
        age(report.age_seconds(one.received_ns)).removesuffix(" ago"),
        one.mode,
        str(len(one.body)),
        price(fields["last_price"]),
        number(fields["last_quantity"]),
        number(fields["volume"]),
        UNKNOWN if exchange_time is None else clock(from_ns(exchange_time * 10**9)),
        UNKNOWN if one.lag_seconds is None else f"{one.lag_seconds:.1f} s",
    )


def _bars(report: Report) -> list[str]:
    head = (
        *("bar", "min", "open", "high", "low", "close", "volume", "usual", "rvol"),
        *("ticks", "ema 20", "rsi 14", "atr 14", "vwap", "known", "flags"),
    )
    rows = [_bar(bar) for interval, most in _SHOWN_BARS for bar in _last_bars(report, interval, most)]
    rows += [
        (
            *(f"{one.start:%H:%M}", str(one.interval)),
            *(price(value) for value in (one.open, one.high, one.low, one.close)),
            *(number(one.traded), "", "", number(one.ticks), "", "", "", "", "runs", " ".join(one.flags)),
        )
        for one in report.standing.running
    ]
    if not rows:
        return under("bars", ["none closed yet"])
    return under("bars", table(head, rows, left=frozenset({15})))


def _last_bars(report: Report, interval: int, most: int) -> list[BarSeen]:
    """Return the last bars at their highest revision, with the indicators that they gave when they closed first."""
    newest: dict[tuple[datetime, str], BarSeen] = {}
    for bar in report.bars:
        if bar.interval == interval:
            first = newest.get((bar.start, bar.kind))
            newest[bar.start, bar.kind] = bar if first is None else bar.revised_from(first)
    return sorted(newest.values(), key=lambda bar: bar.start)[-most:]


def _bar(bar: BarSeen) -> tuple[str, ...]:
    kind = () if bar.kind == "continuous" else (bar.kind,)
    flags = [flag for flag in bar.flags if flag != "revised"]
    revision = (f"rev {bar.revision}",) if bar.revision else ()
    return (
        *(f"{bar.start:%H:%M}", str(bar.interval)),
        *(price(value) for value in (bar.open, bar.high, bar.low, bar.close)),
        *(number(bar.volume), number(bar.expected_volume), number(bar.rvol_bar, 2), number(bar.ticks)),
        *(price(round(bar.ema_20, 2)), number(bar.rsi_14, 1), number(bar.atr_14, 2), number(bar.vwap, 2)),
        *(f"+{bar.known_after_seconds:.1f} s", " ".join((*kind, *revision, *flags))),
    )


def _patterns(report: Report) -> list[str]:
    if not report.steps:
        return under("patterns", ["no bar of a length on which patterns run has closed yet"])
    if report.why_not is None:
        return under("patterns", summary_lines(report.steps))
    lines = [line for step in report.steps for line in step_lines(step.only(report.why_not), report.bars)]
    return [*under("patterns", lines), *history_lines(report.history)]


def _signals(report: Report) -> list[str]:
    if not report.signals:
        return under("signals", ["none in this session so far"])
    lines = [
        f"{one.pattern} {one.direction} on {one.formed_at:%H:%M} ({one.interval} min), known {clock(one.known_at)}, "
        f"{age((report.subject.at - one.known_at) / timedelta(seconds=1))}: entry {price(one.entry_ref)}, "
        f"stop {number(one.stop, 2)}, target {number(one.target, 2)}"
        for one in report.signals[-_SHOWN_SIGNALS:]
    ]
    if len(report.signals) > _SHOWN_SIGNALS:
        lines.append(f"and {len(report.signals) - _SHOWN_SIGNALS} before")
    return under("signals", lines)


def _events(report: Report) -> list[str]:
    lines = [f"{clock(one.at)} record {one.record:,}: {one.says}" for one in report.events[-_SHOWN_EVENTS:]]
    return under("events", lines)


def _compared(report: Report) -> list[str]:
    rows = [(one.store, _verdict(one), one.told) for one in report.compared]
    lines = table(("", "", ""), rows, left=frozenset({0, 1, 2}))[1:]
    return under("compared", [*lines, *report.notes])


def _verdict(one: Compared) -> str:
    if one.differences:
        return f"{len(one.differences)} DIFFERENT"
    return "" if one.rows is None else f"equal, {one.rows:,} rows"


def _differences(report: Report) -> list[str]:
    lines = difference_lines(report)
    more = len(lines) - _SHOWN_DIFFERENCES
    shown = lines[:_SHOWN_DIFFERENCES] + ([f"and {more} more: --json has them all"] if more > 0 else [])
    return under("different", shown)
