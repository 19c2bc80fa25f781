"""Minute bars of past sessions, part by part, as cubes of volumes by class of instruments: what baselines are made of.

Only what is needed of a part is kept, so that sixty sessions of two thousand instruments fit into memory.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trading_platform.batch.reference import stored_day, with_tokens
from trading_platform.batch.volume_cubes import LONGEST_BAR, VolumeCube, minute_of_day
from trading_platform.calc.pass_layout import BarFlag
from trading_platform.errors import InstrumentError
from trading_platform.market.instruments import OPTION_TYPES, session_class
from trading_platform.market.session_kinds import PhaseKind
from trading_platform.market.sessions import SessionClass


@dataclass(frozen=True, slots=True)
class PastVolumes:
    """Volumes of the instruments of one class over its past sessions, by name; `options` tells which are."""

    tokens: NDArray[np.uint32]
    options: NDArray[np.bool_]
    cube: VolumeCube


@dataclass(frozen=True, slots=True)
class _Bars:
    """Bars of one session, a row each; minutes after midnight IST."""

    token: NDArray[np.uint32]
    minute: NDArray[np.int16]
    kind: NDArray[np.int8]
    volume: NDArray[np.float64]
    late: NDArray[np.bool_]
    """Whether counting began in this bar, after the open."""


class _Listed:
    """What today's dump says of the tokens that past bars have."""

    def __init__(self, instruments: pl.DataFrame, session: date) -> None:
        self._rows, self._session = instruments, session
        self._names: frozenset[str] | None = None
        self.of_class: dict[int, SessionClass | None] = {}
        self.symbols: dict[int, str] = {}
        self.options: set[int] = set()

    def learn(self, tokens: Sequence[int]) -> None:
        """Look up those tokens that are new; of a class that we do not know the hours of, None."""
        new = [token for token in tokens if token not in self.of_class]
        if not new:
            return
        if self._names is None:
            self._names = stored_day(self._rows, self._session).fno_names
        for one in stored_day(self._rows.filter(pl.col("token").is_in(new)), self._session).instruments:
            self.symbols[one.token] = one.tradingsymbol
            if one.instrument_type in OPTION_TYPES:
                self.options.add(one.token)
            try:
                self.of_class[one.token] = session_class(one, self._names)
            except InstrumentError:
                self.of_class[one.token] = None


def past_volumes(
    parts: Iterable[pl.DataFrame],
    instruments: pl.DataFrame,
    *,
    session: date,
    wanted: Mapping[SessionClass, Sequence[date]],
    opens: Mapping[SessionClass, int],
) -> list[PastVolumes]:
    """Return the volumes of today's tokens by class, each class over the sessions that it wants.

    `parts` are rows of `minute_bars`, whole sessions each. Curves begin with the minute in which the class `opens`, or
    an earlier one that has bars.
    """
    listed = _Listed(instruments, session)
    by_class: dict[SessionClass, dict[date, list[_Bars]]] = {}
    for part in parts:
        named = with_tokens(part, instruments)
        listed.learn(named["token"].unique().to_list())
        for of_class, day, bars in _by_class(named, listed, wanted):
            by_class.setdefault(of_class, {}).setdefault(day, []).append(bars)
    return [_stacked(by_class[one], listed, opens.get(one)) for one in SessionClass if one in by_class]


def _by_class(
    named: pl.DataFrame, listed: _Listed, wanted: Mapping[SessionClass, Sequence[date]]
) -> Iterator[tuple[SessionClass, date, _Bars]]:
    late = (pl.col("flags") & int(BarFlag.SNAPSHOT)) != 0 if "flags" in named.columns else pl.lit(None)
    slim = named.select(
        "session",
        pl.col("token").cast(pl.Int64),
        minute_of_day().cast(pl.Int16).alias("minute"),
        pl.col("kind").cast(pl.Int8),
        pl.col("volume").cast(pl.Float64).fill_null(np.nan),
        late.cast(pl.Boolean).fill_null(value=False).alias("late"),
    )
    for (day,), of_day in sorted(slim.partition_by("session", as_dict=True).items()):
        for one, days in wanted.items():
            if day not in days:
                continue
            tokens = [token for token, found in listed.of_class.items() if found is one]
            mine = of_day.filter(pl.col("token").is_in(tokens))
            if mine.height:
                columns = (mine[name].to_numpy() for name in ("minute", "kind", "volume", "late"))
                yield one, day, _Bars(mine["token"].to_numpy().astype(np.uint32), *columns)


def _stacked(by_session: dict[date, list[_Bars]], listed: _Listed, opens: int | None) -> PastVolumes:
    """Fill a cube session by session; what was gathered of a session is given up with it."""
    days = sorted(by_session)
    every = [bars for parts in by_session.values() for bars in parts]
    ascending = np.unique(np.concatenate([np.unique(bars.token) for bars in every]))
    order = sorted(range(len(ascending)), key=lambda k: (listed.symbols[int(ascending[k])], int(ascending[k])))
    tokens, row_of = ascending[order], np.argsort(order)
    first, count = _span(every, opens)
    del every
    shape = (len(days), len(tokens))
    cube = VolumeCube(
        sessions=tuple(days),
        symbols=tuple(listed.symbols[int(token)] for token in tokens),
        first_minute=first,
        # filled as what was gathered is given up: both whole at once would be too much
        minutes=np.empty((*shape, count)),
        present=np.empty((*shape, count), np.bool_),
        opening_auction=np.full(shape, np.nan),
        closing_auction=np.full(shape, np.nan),
        closes=np.full(shape, np.nan),
        whole=np.ones(shape, np.bool_),
    )
    for place, day in enumerate(days):
        cube.minutes[place], cube.present[place] = np.nan, False
        for bars in by_session.pop(day):
            _fill(cube, place, bars, row_of[np.searchsorted(ascending, bars.token)])
    options = np.array([int(token) in listed.options for token in tokens], np.bool_)
    return PastVolumes(tokens, options, cube)


def _span(every: list[_Bars], opens: int | None) -> tuple[int, int]:
    """Return the first minute, where the longest bar begins, and how many there are up to the last one with a bar."""
    minutes = [bars.minute[bars.kind == int(PhaseKind.CONTINUOUS)] for bars in every]
    low = min((int(some.min()) for some in minutes if len(some)), default=None)
    if low is None:
        return 0 if opens is None else opens // LONGEST_BAR * LONGEST_BAR, 1
    first = (low if opens is None else min(low, opens)) // LONGEST_BAR * LONGEST_BAR
    return first, max(int(some.max()) for some in minutes if len(some)) - first + 1


def _fill(cube: VolumeCube, place: int, bars: _Bars, row: NDArray[np.intp]) -> None:
    continuous = bars.kind == int(PhaseKind.CONTINUOUS)
    at = row[continuous], bars.minute[continuous] - cube.first_minute
    cube.minutes[place][at] = bars.volume[continuous]
    cube.present[place][at] = True
    cube.whole[place][row[bars.late]] = False
    auctions = ((PhaseKind.PRE_OPEN, cube.opening_auction), (PhaseKind.CLOSING_AUCTION, cube.closing_auction))
    for kind, volumes in auctions:
        chosen = (bars.kind == int(kind)) & ~np.isnan(bars.volume)
        volumes[place][row[chosen]] = 0.0
        np.add.at(volumes[place], row[chosen], bars.volume[chosen])
