"""The bars of one instrument as the pass gave them, each with its indicators, its flags, and when it was known."""

import math
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from trading_platform.inspection.standing import flag_names
from trading_platform.inspection.trace import Trace
from trading_platform.market.clock import NS_PER_SECOND, from_ns
from trading_platform.market.session_kinds import PhaseKind
from trading_platform.wire.records import BAR, INDICATOR

INDICATOR_NAMES = ("ema_20", "rsi_14", "atr_14", "vwap", "rvol_bar", "expected_volume")


@dataclass(frozen=True, slots=True)
class BarSeen:
    """A bar at one revision; indicators are NaN where the bar fed none.

    `known_after_seconds`: from its end until the record came that closed or revised it.
    """

    record: int
    interval: int
    kind: str
    revision: int
    start: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float
    ticks: int
    flags: tuple[str, ...]
    known_after_seconds: float
    ema_20: float
    rsi_14: float
    atr_14: float
    vwap: float
    rvol_bar: float
    expected_volume: float
    baseline_version: str | None

    def revised_from(self, first: "BarSeen") -> "BarSeen":
        """Return this revision with what the bar gave when it closed first, and when that was known."""
        kept = {name: getattr(first, name) for name in (*INDICATOR_NAMES, "known_after_seconds", "baseline_version")}
        return replace(self, **kept)


def bars_seen(found: Trace) -> tuple[BarSeen, ...]:
    """Return every bar and every revision, in the order in which they came."""
    by_bar = {bar_key(row): row for row in found.of(INDICATOR)}
    return tuple(_bar(found, row, by_bar.get(bar_key(row))) for row in found.of(BAR))


def bar_key(row: Any) -> tuple[int, int, int]:
    """Return what a row of a bar and that of its indicators have in common: interval, start, revision."""
    return int(row["interval"]), int(row["start"]), int(row["revision"])


def _bar(found: Trace, row: Any, indicators: Any) -> BarSeen:
    start, interval = int(row["start"]), int(row["interval"])
    known_ns = found.received_ns[int(row["record"])]
    values = {name: math.nan if indicators is None else float(indicators[name]) for name in INDICATOR_NAMES}
    version = 0 if indicators is None else int(indicators["baseline_version"])
    return BarSeen(
        record=int(row["record"]),
        interval=interval,
        kind=PhaseKind(int(row["kind"])).name.lower(),
        revision=int(row["revision"]),
        start=from_ns(start * NS_PER_SECOND),
        **{name: float(row[name]) for name in ("open", "high", "low", "close", "volume")},
        ticks=int(row["ticks"]),
        flags=flag_names(int(row["flags"])),
        known_after_seconds=known_ns / NS_PER_SECOND - (start + interval * 60),
        **values,
        baseline_version=f"{version:016x}" if version else None,
    )
