"""Volume fields by plain Python from their definitions, bar by bar: slow, and without a line of the code under test."""

import statistics
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import polars as pl

Past = dict[date, dict[datetime, float]]
"""Of one symbol: session -> start of the minute -> volume."""


@dataclass(frozen=True)
class Usual:
    """What the sessions before say, of one symbol."""

    past: Past
    least: int

    def median(self, values: Iterable[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        return statistics.median(known) if len(known) >= self.least else None

    def bar(self, start: datetime, minutes: int) -> float | None:
        return self.median(_bar(day, start, minutes) for day in self.past.values())

    def by_then(self, end: datetime) -> float | None:
        return self.median(_by_then(day, end) for day in self.past.values())

    def tradingview(self, end: datetime) -> float | None:
        """TradingView: mean over the ten sessions before of what was traded up to the same offset."""
        last = [self.past[day] for day in sorted(self.past)[-10:]]
        return statistics.fmean(_by_then(day, end) for day in last) if len(last) == 10 else None

    @property
    def total(self) -> float | None:
        return self.median(sum(day.values()) for day in self.past.values())


def _bar(day: dict[datetime, float], start: datetime, minutes: int) -> float | None:
    moments = [start + timedelta(minutes=k) for k in range(minutes)]
    inside = [v for at, v in day.items() if any(at.time() == m.time() for m in moments)]
    return sum(inside) if inside else None


def _by_then(day: dict[datetime, float], end: datetime) -> float:
    return sum(volume for at, volume in day.items() if at.time() < end.time())


def _over(volume: float, usual: float | None) -> float | None:
    return volume / usual if usual else None


def oracle(bars: pl.DataFrame, *, least: int, look_back: int) -> dict[tuple[str, datetime, int], dict[str, object]]:
    """Return the fields of each bar by (symbol, start, minutes); `bars` of continuous trading alone."""
    by_symbol: dict[str, Past] = defaultdict(lambda: defaultdict(dict))
    for symbol, ts, volume in bars.select("symbol", "ts", "volume").iter_rows():
        by_symbol[symbol][ts.date()][ts] = volume
    found: dict[tuple[str, datetime, int], dict[str, object]] = {}
    for symbol, days in by_symbol.items():
        for day, minutes in days.items():
            usual = Usual({d: days[d] for d in sorted(d for d in days if d < day)[-look_back:]}, least)
            for start in minutes:
                for length in (1, 5):
                    begin = start - timedelta(minutes=start.minute % length)
                    found[symbol, begin, length] = _fields(minutes, begin, length, usual)
    return found


def _fields(minutes: dict[datetime, float], begin: datetime, length: int, usual: Usual) -> dict[str, object]:
    end = begin + timedelta(minutes=length)
    traded = _by_then(minutes, end)
    volume = _bar(minutes, begin, length) or 0.0
    return {
        "volume": volume,
        "rvol_bar": _over(volume, usual.bar(begin, length)),
        "rvol_cum": _over(traded, usual.by_then(end)),
        "tradingview_rvol": _over(traded, usual.tradingview(end)) if length == 5 else None,
        "eod_projection": _projection(traded, end, usual),
        "eod_ratio": _over(_projection(traded, end, usual) or 0.0, usual.total) if usual.total else None,
        "participation": _over(traded, usual.total),
        "sessions_used": len(usual.past),
    }


def _projection(traded: float, end: datetime, usual: Usual) -> float | None:
    total, by_then = usual.total, usual.by_then(end)
    if total is None or by_then is None:
        return None
    seen = sorted({at.time() for day in usual.past.values() for at in day})
    span = (seen[-1].hour - seen[0].hour) * 60 + seen[-1].minute - seen[0].minute + 1
    prior = 30.0 * total / span
    yesterday = sum(usual.past[max(usual.past)].values()) / total
    level: float = min(max(yesterday, 0.25), 4.0) ** 0.5
    factor = (traded + prior * level) / (by_then + prior)
    return traded + factor * (total - by_then)
