"""Minute bars of many sessions as arrays by session, instrument and minute: what histories of volume are made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trading_platform.calc.pass_layout import BarFlag
from trading_platform.calc.volume_history import VolumeHistory
from trading_platform.market.corporate_actions import CorporateActions
from trading_platform.market.session_kinds import PhaseKind

LONGEST_BAR = 5
"""Minutes of the longest bar: the first minute of a cube begins one."""


@dataclass(frozen=True)
class VolumeCube:
    """Volumes by (session, symbol) and minute, sessions ascending; as they were traded, no factor applied.

    `minutes` (sessions, symbols, minutes) holds continuous trading from `first_minute` after midnight IST on, `present`
    tells where there is a bar; `opening_auction`, `closing_auction`, `closes` (last price of the day) have (sessions,
    symbols). NaN: unknown. `whole` tells which sessions were seen from their open on.
    """

    sessions: tuple[date, ...]
    symbols: tuple[str, ...]
    first_minute: int
    minutes: NDArray[np.float64]
    present: NDArray[np.bool_]
    opening_auction: NDArray[np.float64]
    closing_auction: NDArray[np.float64]
    closes: NDArray[np.float64]
    whole: NDArray[np.bool_]

    @property
    def day_volumes(self) -> NDArray[np.float64]:
        """Return the volume of each day, auctions included, NaN for a day without a known volume."""
        known = ~np.isnan(self.minutes)
        continuous = np.where(known, self.minutes, 0.0).sum(axis=2)
        total = continuous + np.nan_to_num(self.opening_auction) + np.nan_to_num(self.closing_auction)
        return np.where(known.any(axis=2), total, np.nan)

    def factors(self, actions: CorporateActions, places: Sequence[int], session: date) -> NDArray[np.float64]:
        """Return what volumes of the sessions at `places` are multiplied by for `session`, (places, symbols)."""
        found = np.ones((len(places), len(self.symbols)))
        for k, place in enumerate(places):
            past = self.sessions[place]
            for symbol in actions.symbols(past, session):
                for row in self.rows_of.get(symbol, ()):
                    found[k, row] = actions.factor(symbol, past, session)
        return found

    @cached_property
    def rows_of(self) -> dict[str, list[int]]:
        """Map each symbol to its rows: a name may be listed by two exchanges."""
        found: dict[str, list[int]] = {}
        for row, symbol in enumerate(self.symbols):
            found.setdefault(symbol, []).append(row)
        return found

    def history(self, actions: CorporateActions, places: Sequence[int], session: date) -> VolumeHistory:
        """Return the sessions at `places` as a history for `session`, adjusted for what happened between."""
        at = np.array(places, np.int64)
        factors = self.factors(actions, places, session)
        changed = (factors != 1.0).any(axis=0)
        minutes = self.minutes[at]
        return VolumeHistory(
            minutes=minutes * factors[:, :, None] if changed.any() else minutes,
            opening_auction=self.opening_auction[at] * factors,
            closing_auction=self.closing_auction[at] * factors,
            whole=self.whole[at],
            adjusted=changed,
        )


def minute_of_day() -> pl.Expr:
    """Return the minute after midnight IST in which a bar starts."""
    return pl.col("start").dt.hour().cast(pl.Int64) * 60 + pl.col("start").dt.minute().cast(pl.Int64)


def span_of(bars: pl.DataFrame) -> tuple[int, int]:
    """Return the first minute, where the longest bar begins, and the number of minutes of continuous trading."""
    continuous = bars.filter(pl.col("kind") == int(PhaseKind.CONTINUOUS))
    low, high = continuous.select(low=minute_of_day().min(), high=minute_of_day().max()).row(0)
    if low is None:
        return 0, 0
    first = int(low) // LONGEST_BAR * LONGEST_BAR
    return first, (int(high) - first) // LONGEST_BAR * LONGEST_BAR + LONGEST_BAR


def last_minute_of(bars: pl.DataFrame) -> int:
    """Return the last minute that has a bar of continuous trading; there must be one."""
    continuous = bars.filter(pl.col("kind") == int(PhaseKind.CONTINUOUS))
    return int(continuous.select(minute_of_day().max()).item())


def volume_cube(
    bars: pl.DataFrame,
    *,
    sessions: Sequence[date],
    symbols: Sequence[str],
    span: tuple[int, int],
    tokens: Sequence[int] | None = None,
) -> VolumeCube:
    """Place bars (session, symbol, kind, start, close, volume) in a cube; `span` is what `span_of` gives.

    With `tokens`, each that of its symbol, bars are told apart by their token. Bars with `flags` say themselves whether
    their session was seen from its open on.
    """
    first_minute, count = span
    by, keys = ("symbol", symbols) if tokens is None else ("token", tokens)
    placed = bars.select(
        pl.col("session").replace_strict(sessions, range(len(sessions)), return_dtype=pl.Int64).alias("day"),
        pl.col(by).replace_strict(keys, range(len(keys)), return_dtype=pl.Int64).alias("row"),
        "kind",
        (minute_of_day() - first_minute).alias("bucket"),
        pl.col("volume").cast(pl.Float64),
        "start",
        "close",
        *(pl.col("flags") for _ in range("flags" in bars.columns)),
    )
    shape = (len(sessions), len(symbols))
    minutes = np.full((*shape, count), np.nan)
    present = np.zeros(minutes.shape, np.bool_)
    continuous = placed.filter(pl.col("kind") == int(PhaseKind.CONTINUOUS))
    at = tuple(continuous[name].to_numpy() for name in ("day", "row", "bucket"))
    minutes[at], present[at] = continuous["volume"].fill_null(np.nan).to_numpy(), True
    last = placed.sort("start").group_by("day", "row").agg(pl.col("close").last())
    closes = np.full(shape, np.nan)
    closes[last["day"].to_numpy(), last["row"].to_numpy()] = last["close"].to_numpy()
    return VolumeCube(
        sessions=tuple(sessions),
        symbols=tuple(symbols),
        first_minute=first_minute,
        minutes=minutes,
        present=present,
        opening_auction=_auction(placed, PhaseKind.PRE_OPEN, shape),
        closing_auction=_auction(placed, PhaseKind.CLOSING_AUCTION, shape),
        closes=closes,
        whole=_whole(placed, shape),
    )


def _whole(placed: pl.DataFrame, shape: tuple[int, int]) -> NDArray[np.bool_]:
    whole = np.ones(shape, np.bool_)
    if "flags" in placed.columns:
        late = placed.filter((pl.col("flags") & int(BarFlag.SNAPSHOT)) != 0)
        whole[late["day"].to_numpy(), late["row"].to_numpy()] = False
    return whole


def _auction(placed: pl.DataFrame, kind: PhaseKind, shape: tuple[int, int]) -> NDArray[np.float64]:
    chosen = placed.filter(pl.col("kind") == int(kind)).drop_nulls("volume")
    sums = chosen.group_by("day", "row").agg(pl.col("volume").sum())
    volumes = np.full(shape, np.nan)
    volumes[sums["day"].to_numpy(), sums["row"].to_numpy()] = sums["volume"].to_numpy()
    return volumes
