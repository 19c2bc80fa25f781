"""Straddle volume of an underlying: what both options of every strike of its nearest expiry traded since the open."""

import polars as pl

from trading_platform.market.session_kinds import PhaseKind
from trading_platform.wire.lake_tables import STRADDLE_VOLUMES

LEG = ("underlying", "expiry", "strike", "leg")
TOTALS = "underlying_straddle_volume"

_SYMBOL = (
    r"^(?<underlying>.+?)(?<year>\d{2})(?:(?<named>[A-Z]{3})|(?<month>[1-9OND])(?<day>0[1-9]|[12]\d|3[01]))"
    r"(?<strike>\d+(?:\.\d+)?)(?<leg>CE|PE)$"
)
_NAMES = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_LETTERS = {**{str(month): month for month in range(1, 10)}, "O": 10, "N": 11, "D": 12}
_MONTHLY = 99
"""A month's own expiry is its last: behind those of its weeks."""


def legs_of_symbols(symbols: pl.Series) -> pl.DataFrame:
    """Return symbol and LEG of each option among Kite's trading symbols; `expiry` only tells their order."""
    parts = (
        symbols.unique()
        .sort()
        .rename("symbol")
        .to_frame()
        .with_columns(pl.col("symbol").str.extract_groups(_SYMBOL).alias("parts"))
    )
    found = parts.unnest("parts").drop_nulls("leg")
    months = dict(zip(_NAMES, range(1, 13), strict=True))
    month = pl.coalesce(
        pl.col("named").replace_strict(months, default=None, return_dtype=pl.Int64),
        pl.col("month").replace_strict(_LETTERS, default=None, return_dtype=pl.Int64),
    )
    day = pl.col("day").cast(pl.Int64).fill_null(_MONTHLY)
    expiry = (pl.col("year").cast(pl.Int64) * 100 + month) * 100 + day
    return found.select(
        "symbol", "underlying", expiry.alias("expiry"), pl.col("strike").cast(pl.Float64), "leg"
    ).drop_nulls("expiry")


def straddle_rows(bars: pl.DataFrame, instruments: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of table `straddle_volumes` of a session from its minute bars and its dump."""
    legs = instruments.filter(pl.col("instrument_type").is_in(["CE", "PE"])).select(
        "token", "exchange", "name", "expiry", "strike", leg="instrument_type"
    )
    traded = bars.filter(pl.col("kind") == int(PhaseKind.CONTINUOUS)).join(legs, on="token")
    # names of two exchanges are apart
    keyed = traded.with_columns(underlying=pl.struct("exchange", "name"))
    totals = straddle_totals(keyed.select("session", *LEG, "start", "volume"))
    return totals.unnest("underlying").rename({"name": "underlying"}).select(list(STRADDLE_VOLUMES.schema))


def straddle_totals(bars: pl.DataFrame) -> pl.DataFrame:
    """Return session, underlying, expiry, start and TOTALS by minute from bars (session, LEG, start, volume).

    A strike counts from the minute on in which both of its options have traded, as the straddle volume of each does.
    """
    nearest = pl.col("expiry") == pl.col("expiry").min().over("session", "underlying")
    known = bars.filter(nearest).drop_nulls("volume")
    strike = ["session", "underlying", "expiry", "strike"]
    begins = known.group_by(*strike, "leg").agg(pl.col("start").min())
    begins = begins.group_by(strike).agg(pl.col("start").max().alias("both"), pl.len().alias("legs"))
    counted = known.join(begins.filter(pl.col("legs") == 2), on=strike)
    counted = counted.with_columns(start=pl.max_horizontal("start", "both"))
    minutes = counted.group_by("session", "underlying", "expiry", "start").agg(pl.col("volume").cast(pl.Float64).sum())
    ordered = minutes.sort("session", "underlying", "start")
    total = pl.col("volume").cum_sum().over("session", "underlying")
    return ordered.select("session", "underlying", "expiry", "start", total.alias(TOTALS))


def with_straddle_totals(rows: pl.DataFrame, bars: pl.DataFrame) -> pl.DataFrame:
    """Add TOTALS to rows of (symbol, start, interval): that at the end of the bar, of options of a nearest expiry.

    `bars` are the minutes of continuous trading (session, symbol, start, volume). The row of the underlying itself has
    it too, where its symbol is the name that its options bear. Null for all others.
    """
    legs = legs_of_symbols(bars["symbol"])
    totals = straddle_totals(bars.join(legs, on="symbol").select("session", *LEG, "start", "volume"))
    owners = pl.concat([legs.select("symbol", "underlying", "expiry"), _underlyings(totals)])
    day = pl.col("start").dt.date().alias("session")
    last = (pl.col("start") + pl.duration(minutes=pl.col("interval") - 1)).alias("last")
    asked = rows.with_row_index("place").select("place", "symbol", day, last)
    mine = asked.join(owners, on="symbol").sort("last")
    told = mine.join_asof(
        totals.sort("start"),
        left_on="last",
        right_on="start",
        by=["session", "underlying", "expiry"],
        check_sortedness=False,
    )
    return (
        rows.with_row_index("place")
        .join(told.drop_nulls(TOTALS).select("place", TOTALS), on="place", how="left")
        .drop("place")
    )


def _underlyings(totals: pl.DataFrame) -> pl.DataFrame:
    """Return each underlying as a symbol of its own, beside each of its nearest expiries."""
    return totals.select(pl.col("underlying").alias("symbol"), "underlying", "expiry").unique()
