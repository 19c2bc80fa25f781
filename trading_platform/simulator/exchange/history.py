"""Historical candles: bars of past sessions and of the one that runs, gathered into Kite's intervals."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import groupby

import numpy as np

from trading_platform.market.clock import IST, NS_PER_SECOND, from_ns
from trading_platform.market.instruments import FUTURE, Instrument, InstrumentDay, session_class
from trading_platform.market.sessions import SessionTable
from trading_platform.simulator.bar_ticks import SECONDS_PER_BAR, SessionBars
from trading_platform.simulator.exchange.accounts import input_refusal
from trading_platform.simulator.exchange.market import Market
from trading_platform.simulator.exchange.quotes import named_by_token
from trading_platform.simulator.open_interest import bar_interest

DAY = "day"
MINUTES = {
    "minute": 1,
    "3minute": 3,
    "5minute": 5,
    "10minute": 10,
    "15minute": 15,
    "30minute": 30,
    "60minute": 60,
}
MOST_DAYS = {
    "minute": 60,
    "3minute": 100,
    "5minute": 100,
    "10minute": 100,
    "15minute": 200,
    "30minute": 200,
    "60minute": 400,
    DAY: 2000,
}

Candle = list[str | float | int]


@dataclass(frozen=True, slots=True)
class PastSession:
    """A session that is over: its instruments and their bars."""

    day: InstrumentDay
    bars: SessionBars


@dataclass(frozen=True, slots=True)
class _Bar:
    start: int
    open: float
    high: float
    low: float
    close: float
    volume: int
    open_interest: int


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for candles, as its words say it."""

    token: str
    interval: str
    begin: str
    end: str
    continuous: str = "0"
    oi: str = "0"


class History:
    """Candles up to now; sessions that are over come from `load` when they are asked for, and are kept.

    Several threads may ask.
    """

    def __init__(
        self,
        market: Market,
        day: InstrumentDay,
        *,
        table: SessionTable,
        past: Sequence[date] = (),
        load: Callable[[date], PastSession] | None = None,
    ) -> None:
        self._market, self._day, self._table = market, day, table
        self._past, self._load = tuple(past), load
        self._loaded: dict[date, PastSession] = {}
        self._loading = threading.Lock()

    def candles(self, asked: Asked, second: int) -> list[Candle]:
        """Return the candles whose start lies within the request; raise the refusals that Kite gives."""
        instrument = self._instrument(asked.token)
        begin, end = _window(asked)
        if asked.continuous == "1" and (asked.interval != DAY or instrument.instrument_type != FUTURE):
            raise input_refusal("continuous data is given for day candles of futures only")
        found: list[Candle] = []
        for on in [*self._past, self._day.session]:
            if not begin.date() <= on <= end.date():
                continue
            bars = self._bars(instrument, on, second, continuous=asked.continuous == "1")
            found.extend(self._gathered(bars, asked, self._start_of(instrument, on, asked.interval)))
        return found

    def _instrument(self, token: str) -> Instrument:
        found = named_by_token(self._day, token)
        if found is None:
            raise input_refusal("invalid token")
        return found

    def _bars(self, instrument: Instrument, on: date, second: int, *, continuous: bool) -> list[_Bar]:
        if on == self._day.session:
            token = instrument.token if not continuous else _near(instrument, self._day)
            return list(self._bars_today(token, second))
        past = self._session(on)
        token = _near(instrument, past.day) if continuous else instrument.token
        return list(_of_token(past.bars, token))

    def _session(self, on: date) -> PastSession:
        with self._loading:
            if on not in self._loaded:
                if self._load is None:
                    raise input_refusal(f"no data of {on}")
                self._loaded[on] = self._load(on)
            return self._loaded[on]

    def _bars_today(self, token: int, second: int) -> Iterator[_Bar]:
        """Yield the bars that are over, and the one that is being made as its ticks have it so far."""
        minute = second - second % SECONDS_PER_BAR
        yield from (bar for bar in _of_token(self._market.bars, token) if bar.start < minute)
        place = int(self._market.places(np.array([token]))[0])
        indices = self._market.forming(place, second) if place >= 0 else np.empty(0, np.int64)
        if len(indices):
            rows = self._market.rows(indices)
            before = self._market.latest(np.array([place]), minute - 1)
            prior = int(self._market.rows(before)["volume"][0]) if before[0] >= 0 else 0
            prices = rows["last_price"]
            yield _Bar(
                minute,
                float(prices[0]),
                float(prices.max()),
                float(prices.min()),
                float(prices[-1]),
                int(rows["volume"].max()) - prior,
                int(rows["open_interest"][-1]),
            )

    def _gathered(self, bars: list[_Bar], asked: Asked, start_of: Callable[[_Bar], int]) -> Iterator[Candle]:
        begin, end = _window(asked)
        first, last = _seconds(begin), _seconds(end)
        if asked.interval == DAY:
            first = _seconds(_midnight(begin.date()))
        for start, group in groupby(bars, start_of):
            if first <= start <= last:
                yield _candle(start, list(group), with_oi=asked.oi == "1")

    def _start_of(self, instrument: Instrument, on: date, interval: str) -> Callable[[_Bar], int]:
        """Return where the candle of a bar starts: intervals are counted from the open of the instrument's session."""
        if interval == DAY:
            midnight = _seconds(_midnight(on))
            return lambda _: midnight
        opens = _seconds(self._table.session(session_class(instrument, self._day.fno_names), on).opens)
        length = MINUTES[interval] * SECONDS_PER_BAR
        return lambda bar: opens + (bar.start - opens) // length * length


def _near(future: Instrument, day: InstrumentDay) -> int:
    """Return the token of the contract that expires next among those of the same underlying."""
    live = [
        one
        for one in day.by_underlying.get(future.underlying, ())
        if one.instrument_type == FUTURE and one.is_live(day.session)
    ]
    return min(live, key=lambda one: one.expiry or date.max, default=future).token


def _of_token(bars: SessionBars, token: int) -> Iterator[_Bar]:
    begin, end = np.searchsorted(bars.token, [token, token + 1])
    part = slice(int(begin), int(end))
    columns = [column[part] for column in (bars.start, bars.open, bars.high, bars.low, bars.close, bars.volume)]
    interest = bar_interest(bars.token[part], bars.start[part], bars.volume[part], bars.lot[part])
    for values in zip(*(column.tolist() for column in (*columns, interest)), strict=True):
        yield _Bar(*values)


def _candle(start: int, bars: list[_Bar], *, with_oi: bool) -> Candle:
    return [
        f"{from_ns(start * NS_PER_SECOND):%Y-%m-%dT%H:%M:%S%z}",
        bars[0].open,
        max(bar.high for bar in bars),
        min(bar.low for bar in bars),
        bars[-1].close,
        sum(bar.volume for bar in bars),
        *([bars[-1].open_interest] if with_oi else []),
    ]


def _window(asked: Asked) -> tuple[datetime, datetime]:
    most = MOST_DAYS.get(asked.interval)
    if most is None:
        raise input_refusal(f"invalid interval {asked.interval!r}; one of {', '.join(MOST_DAYS)}")
    begin, end = _moment("from", asked.begin), _moment("to", asked.end)
    if begin > end:
        raise input_refusal("`from` is later than `to`")
    if end - begin > timedelta(days=most):
        raise input_refusal(f"interval exceeds max limit: {most} days")
    return begin, end


def _moment(name: str, text: str) -> datetime:
    for form in ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d"):
        try:
            return datetime.strptime(text, form).replace(tzinfo=IST)
        except ValueError:
            continue
    raise input_refusal(f"invalid `{name}`: {text!r} is not yyyy-mm-dd HH:MM:SS")


def _midnight(on: date) -> datetime:
    return datetime.combine(on, time(), IST)


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())
