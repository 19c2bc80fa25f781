"""Means of day volume and last price over the last 20 and 55 sessions, from the minute bars of the lake."""

from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trading_platform.batch.reference import with_tokens
from trading_platform.calc.volume_averages import LONG_SESSIONS, volume_averages
from trading_platform.errors import UnknownSessionDate
from trading_platform.market.corporate_actions import CorporateActions
from trading_platform.market.session_kinds import PhaseKind, VolumeClass
from trading_platform.market.sessions import SessionClass, SessionTable
from trading_platform.ports import TableStore
from trading_platform.wire.lake_tables import MINUTE_BARS

NO_AVERAGES = pl.DataFrame(
    schema={
        "token": pl.Int64,
        **dict.fromkeys(("avg_volume_20", "avg_volume_55", "avg_price_20", "avg_price_55"), pl.Float64),
        "turtle_ready": pl.Boolean,
    }
)
_CLASS = SessionClass.NSE_CASH_FNO
_LOOK_BACK = LONG_SESSIONS + 5
"""How many sessions are looked through: a few of them may be special."""
_IN_TOTALS = [int(kind) for kind in (PhaseKind.CONTINUOUS, PhaseKind.PRE_OPEN, PhaseKind.CLOSING_AUCTION)]


def day_averages(
    lake: TableStore, instruments: pl.DataFrame, table: SessionTable, session: date, actions: CorporateActions
) -> pl.DataFrame:
    """Return the means by today's token; sessions are read one after the other, to bound memory.

    Special sessions (an hour of Muhurat trading) are left out: they would pass for days of little volume.
    """
    held = set(lake.sessions(MINUTE_BARS.name))
    days = [day for day in _ordinary_before(table, session) if day in held]
    parts = [with_tokens(_totals(lake.read_sessions(MINUTE_BARS.name, [day])), instruments) for day in days]
    if not parts:
        return NO_AVERAGES
    totals = pl.concat(parts).with_columns(pl.col("token").cast(pl.Int64))
    known = totals.select("token", "symbol").unique("token").sort("token")
    volumes, closes = (_matrix(totals, name, days, known["token"].to_list()) for name in ("volume", "close"))
    symbols = known["symbol"].to_list()
    factors = np.array([[actions.factor(symbol, day, session) for symbol in symbols] for day in days])
    means = volume_averages(volumes * factors, closes / factors)
    return known.select(
        "token",
        avg_volume_20=means.volume_20,
        avg_volume_55=means.volume_55,
        avg_price_20=means.price_20,
        avg_price_55=means.price_55,
        turtle_ready=means.turtle_ready,
    )


def _ordinary_before(table: SessionTable, session: date) -> list[date]:
    found: list[date] = []
    for back in range(1, _LOOK_BACK + 1):
        try:
            day = table.previous_session(_CLASS, session, back)
        except UnknownSessionDate:
            break
        if table.session_type(_CLASS, day) is not VolumeClass.SPECIAL:
            found.append(day)
    return sorted(found)


def _totals(bars: pl.DataFrame) -> pl.DataFrame:
    """Return volume (null without any that is known) and last price of each instrument of one session."""
    counted = bars.filter(pl.col("kind").is_in(_IN_TOTALS)).sort("start")
    volume = pl.when(pl.col("volume").count() > 0).then(pl.col("volume").sum())
    return counted.group_by("session", "symbol", "segment").agg(volume.alias("volume"), pl.col("close").last())


def _matrix(totals: pl.DataFrame, name: str, days: list[date], tokens: list[int]) -> NDArray[np.float64]:
    values = np.full((len(days), len(tokens)), np.nan)
    day = totals["session"].replace_strict(days, range(len(days)), return_dtype=pl.Int64).to_numpy()
    row = totals["token"].replace_strict(tokens, range(len(tokens)), return_dtype=pl.Int64).to_numpy()
    values[day, row] = totals[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
    return values
