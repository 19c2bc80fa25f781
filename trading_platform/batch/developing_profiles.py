"""How a session's volume profile came about: what it was at the end of each bar, of what was traded until then."""

from datetime import datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trading_platform.batch.profiles import (
    BALANCE_SECONDS,
    PERIOD_SECONDS,
    Grid,
    Traded,
    profile_by_period,
    without_profile,
)
from trading_platform.calc.volume_profile import INSIDE, PARTS_PER_SHARE, POC, TIED, VAH, VAL, poc_shifts
from trading_platform.wire.lake_tables import MOMENT

_COLUMNS: dict[str, pl.DataType | type[pl.DataType]] = {
    "end": MOMENT,
    "volume": pl.Int64,
    "poc": pl.Float64,
    "poc_tied": pl.Boolean,
    "val": pl.Float64,
    "vah": pl.Float64,
    "value_area_volume": pl.Float64,
    "ib_high": pl.Float64,
    "ib_low": pl.Float64,
    "poc_moved": pl.Float64,
    "poc_shifts": pl.Int64,
}

DEVELOPING = pl.Schema(_COLUMNS)
"""Columns of the developing profile: `poc_moved` is the price by which the POC moved since the last half hour ended,
`poc_shifts` how many half hours moved it for good, the running one as it stands; null without an ATR."""

_BAR_SECONDS = 60


def developing_profile(traded: Traded, grid: Grid, opens: datetime, day_atr: float) -> pl.DataFrame:
    """Return DEVELOPING at the end of each minute in which something was traded; no rows where there is no profile.

    The last row is the session's profile.
    """
    if without_profile(traded, grid) is not None:
        return pl.DataFrame(schema=DEVELOPING)
    _, by_minute, base = profile_by_period(traded, grid, _BAR_SECONDS)
    _, by_half_hour, _ = profile_by_period(traded, grid, PERIOD_SECONDS)
    minute = traded.after // _BAR_SECONDS
    volume = np.cumsum(traded.volume)
    ends = np.flatnonzero(np.diff(minute, append=minute[-1] + 1))
    ends = ends[volume[ends] > 0]
    at, through = minute[ends], by_minute[minute[ends]]
    poc = _prices(through[:, POC], grid, base)
    halves = _prices(by_half_hour[:, POC], grid, base)
    running = at * _BAR_SECONDS // PERIOD_SECONDS
    early = traded.after < BALANCE_SECONDS
    columns = {
        "end": [int(opens.timestamp()) + (int(one) + 1) * _BAR_SECONDS for one in at],
        "volume": volume[ends],
        "poc": poc,
        "poc_tied": through[:, TIED] == 1,
        "val": [grid.bottom(base + int(row)) for row in through[:, VAL]],
        "vah": [grid.bottom(base + int(row) + 1) for row in through[:, VAH]],
        "value_area_volume": through[:, INSIDE] / PARTS_PER_SHARE,
        "ib_high": np.fmax.accumulate(np.where(early, traded.high, np.nan))[ends],
        "ib_low": np.fmin.accumulate(np.where(early, traded.low, np.nan))[ends],
        "poc_moved": poc - np.where(running > 0, halves[running - 1], np.nan),
        "poc_shifts": [_shifts(halves[:now], one, day_atr) for now, one in zip(running, poc, strict=True)],
    }
    moment = pl.from_epoch("end", "s").cast(pl.Datetime("us", "UTC")).dt.convert_time_zone(str(opens.tzinfo))
    rows = pl.DataFrame(columns).with_columns(moment, pl.selectors.float().fill_nan(None))
    return rows.select(pl.col(name).cast(kind) for name, kind in DEVELOPING.items())


def _prices(rows: NDArray[np.int64], grid: Grid, base: int) -> NDArray[np.float64]:
    return np.array([grid.middle(base + int(row)) if row >= 0 else np.nan for row in rows])


def _shifts(halves: NDArray[np.float64], now: float, day_atr: float) -> int | None:
    """Count the shifts of the half hours that are over and of the running one, whose POC is `now`."""
    return len(poc_shifts(np.append(halves, now), day_atr)) if day_atr > 0.0 else None
