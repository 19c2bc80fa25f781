"""Volume profiles of sessions: rows of table `volume_profiles` from what was traded, by bars or by ticks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trading_platform.calc.volume_profile import (
    MOST_VOLUME,
    PARTS_PER_SHARE,
    POC,
    TIED,
    VAH,
    VAL,
    VALUE_AREA_RULE,
    nodes,
    poc_shifts,
    profile_scan,
    value_area,
)
from trading_platform.market.session_kinds import PhaseKind

BARS, TICKS = "bars", "ticks"
PERIOD_SECONDS = 1800
"""Length of the periods at whose end the developing profile is told."""
BALANCE_SECONDS = 3600
"""Length of the initial balance."""

MOST_ROWS_HELD = 20_000
INDEX, NO_VOLUME, NOT_TRADED = "an index has no volume", "its volume is not known", "nothing was traded"


@dataclass(frozen=True, slots=True)
class Traded:
    """What was traded in the continuous trading of a session, in order of time; one entry a bar or a tick.

    `after` is in seconds since the open, `volume` in shares. A tick has its price as `low` and as `high`.
    """

    after: NDArray[np.int64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    close: NDArray[np.float64]
    volume: NDArray[np.int64]

    def crosses(self, low: float, high: float) -> bool:
        """Tell whether anything was traded from `low` up to below `high`."""
        return bool(((self.low < high) & (self.high >= low)).any())


@dataclass(frozen=True, slots=True)
class Grid:
    """The rows of a symbol's profile: `row_ticks` ticks each, counted from price zero."""

    tick_size: float
    row_ticks: int

    @property
    def row_size(self) -> float:
        """Return the height of a row as a price."""
        return self.bottom(1)

    def rows_of(self, price: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the rows that prices lie in."""
        return np.rint(price / self.tick_size).astype(np.int64) // self.row_ticks

    def bottom(self, row: int) -> float:
        """Return the lowest price of a row; the next row's is its top."""
        return round(row * self.row_ticks * self.tick_size, 6)

    def middle(self, row: int) -> float:
        """Return the middle of the prices that a row holds."""
        return round((row * self.row_ticks + (self.row_ticks - 1) / 2) * self.tick_size, 6)


@dataclass(frozen=True, slots=True)
class NakedPoc:
    """A point of control of an earlier session, and its row; nothing was traded there since."""

    price: float
    low: float
    high: float
    session: date

    def divided(self, factor: float) -> "NakedPoc":
        """Return it in the price measure after a split or bonus."""
        if factor == 1.0:
            return self
        return NakedPoc(self.price / factor, self.low / factor, self.high / factor, self.session)


def still_naked(earlier: Sequence[NakedPoc], traded: Traded) -> list[NakedPoc]:
    """Return those that this session did not trade at."""
    return [one for one in earlier if not traded.crosses(one.low, one.high)]


def poc_of(row: Mapping[str, Any], session: date) -> list[NakedPoc]:
    """Return the point of control of a profile as what later sessions look for, none where there is no profile."""
    if row.get("poc") is None:
        return []
    return [NakedPoc(row["poc"], row["poc_low"], row["poc_high"], session)]


def naked_columns(naked: Sequence[NakedPoc]) -> dict[str, Any]:
    """Return them as columns of the table."""
    return {
        "naked_pocs": [one.price for one in naked],
        "naked_poc_lows": [one.low for one in naked],
        "naked_poc_highs": [one.high for one in naked],
        "naked_poc_sessions": [one.session for one in naked],
    }


def traded_of_bars(bars: pl.DataFrame, opens: datetime) -> tuple[Traded, int]:
    """Return what minute bars (start, kind, high, low, close, volume) of continuous trading tell, in order of start.

    Second, what was traded in auctions.
    """
    inside = (bars["kind"] == int(PhaseKind.CONTINUOUS)).to_numpy()
    volume = bars["volume"].fill_null(0).to_numpy().astype(np.int64)
    after = bars["start"].dt.epoch("s").to_numpy() - int(opens.timestamp())
    low, high, close = (bars[name].to_numpy()[inside] for name in ("low", "high", "close"))
    return Traded(after[inside], low, high, close, volume[inside]), int(volume[~inside].sum())


def grid_columns(grid: Grid, day_atr: float) -> dict[str, Any]:
    """Return what a profile was made with as columns of the table."""
    return {
        "tick_size": grid.tick_size,
        "row_ticks": grid.row_ticks,
        "row_size": grid.row_size,
        "day_atr": day_atr if day_atr > 0.0 else None,
    }


def profile_row(traded: Traded, grid: Grid, day_atr: float) -> dict[str, Any]:
    """Return the columns of a profile; only `reason` is told where there is none."""
    if reason := without_profile(traded, grid):
        return {"reason": reason}
    volumes, developing, base = profile_by_period(traded, grid, PERIOD_SECONDS)
    return {
        "reason": None,
        "volume": int(traded.volume.sum()),
        **_levels(volumes, developing[-1], grid, base),
        **_balance(traded),
        **_developing(developing, grid, base, day_atr),
        "histogram_from": grid.bottom(base),
        "histogram": (volumes / PARTS_PER_SHARE).tolist(),
    }


def without_profile(traded: Traded, grid: Grid) -> str | None:
    """Return why there is no profile of what was traded, None where there is one."""
    total = int(traded.volume.sum())
    if total == 0:
        return NOT_TRADED
    if total > MOST_VOLUME:
        return f"its volume is beyond {MOST_VOLUME} shares"
    rows = int(grid.rows_of(traded.high).max() - grid.rows_of(traded.low).min()) + 1
    if rows > MOST_ROWS_HELD:
        return f"its range has {rows} rows of {grid.row_size:g}, more than {MOST_ROWS_HELD}"
    return None


def profile_by_period(traded: Traded, grid: Grid, seconds: int) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """Return what `profile_scan` does for periods of this length, and the row of the grid that its first one is."""
    first, last = grid.rows_of(traded.low), grid.rows_of(traded.high)
    base = int(first.min())
    rows = int(last.max()) - base + 1
    volumes, developing = profile_scan(first - base, last - base, traded.volume, traded.after // seconds, rows)
    return volumes, developing, base


def _levels(volumes: NDArray[np.int64], at_close: NDArray[np.int64], grid: Grid, base: int) -> dict[str, Any]:
    poc = int(at_close[POC])
    low, high, inside = value_area(volumes, poc)
    high_nodes, low_nodes = nodes(volumes)
    return {
        "poc": grid.middle(base + poc),
        "poc_low": grid.bottom(base + poc),
        "poc_high": grid.bottom(base + poc + 1),
        "poc_volume": float(volumes[poc] / PARTS_PER_SHARE),
        "poc_tied": bool(at_close[TIED]),
        "val": grid.bottom(base + low),
        "vah": grid.bottom(base + high + 1),
        "value_area_volume": inside / PARTS_PER_SHARE,
        "value_area_share": float(inside / volumes.sum()),
        "value_area_rule": VALUE_AREA_RULE,
        "high_nodes": [grid.middle(base + row) for row in high_nodes],
        "low_nodes": [grid.middle(base + row) for row in low_nodes],
    }


def _balance(traded: Traded) -> dict[str, Any]:
    early = traded.after < BALANCE_SECONDS
    known = early.any()
    return {
        "high": float(traded.high.max()),
        "low": float(traded.low.min()),
        "close": float(traded.close[-1]),
        "ib_high": float(traded.high[early].max()) if known else None,
        "ib_low": float(traded.low[early].min()) if known else None,
    }


def _developing(developing: NDArray[np.int64], grid: Grid, base: int, day_atr: float) -> dict[str, Any]:
    known = developing[:, POC] >= 0
    poc = [grid.middle(base + int(row)) if ok else None for row, ok in zip(developing[:, POC], known, strict=True)]
    val = [grid.bottom(base + int(row)) if ok else None for row, ok in zip(developing[:, VAL], known, strict=True)]
    vah = [grid.bottom(base + int(row) + 1) if ok else None for row, ok in zip(developing[:, VAH], known, strict=True)]
    shifts = poc_shifts(np.array([np.nan if one is None else one for one in poc]), day_atr)
    return {
        "developing_poc": poc,
        "developing_val": val,
        "developing_vah": vah,
        "poc_shifts": len(shifts) if day_atr > 0.0 else None,
        "poc_shift_periods": shifts if day_atr > 0.0 else None,
    }
