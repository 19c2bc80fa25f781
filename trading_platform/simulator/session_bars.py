"""Bring a table of one session's bars into the columns that ticks are made from."""

from collections.abc import Mapping

import polars as pl

from trading_platform.errors import InstrumentError
from trading_platform.market.instruments import InstrumentDay
from trading_platform.simulator.bar_ticks import SessionBars


def to_session_bars(bars: pl.DataFrame, day: InstrumentDay, previous_closes: Mapping[str, float]) -> SessionBars:
    """Join bars (symbol, ts, open, high, low, close, volume) to the tokens of their day, by trading symbol.

    A volume of null (an index) becomes zero; a previous close that is not known too, as Kite writes it.
    """
    known = pl.DataFrame(
        {
            "symbol": [one.tradingsymbol for one in day.instruments],
            "token": [one.token for one in day.instruments],
            "lot": [max(one.lot_size, 1) for one in day.instruments],
            "previous": [previous_closes.get(one.tradingsymbol, 0.0) for one in day.instruments],
        },
        schema={"symbol": pl.String, "token": pl.Int64, "lot": pl.Int64, "previous": pl.Float64},
    )
    joined = bars.join(known, on="symbol", how="inner", validate="m:1").sort("token", "ts")
    if len(joined) != len(bars):
        raise InstrumentError(
            f"{len(bars) - len(joined)} bars belong to no instrument of {day.session}; add them to it"
        )
    return SessionBars(
        token=joined["token"].to_numpy(),
        start=joined["ts"].dt.epoch("s").to_numpy(),
        open=joined["open"].to_numpy(),
        high=joined["high"].to_numpy(),
        low=joined["low"].to_numpy(),
        close=joined["close"].to_numpy(),
        volume=joined["volume"].fill_null(0).cast(pl.Int64).to_numpy(),
        lot=joined["lot"].to_numpy(),
        previous_close=joined["previous"].to_numpy(),
    )


def last_closes(bars: pl.DataFrame) -> dict[str, float]:
    """Return the last close of each symbol (bars in order of time within a symbol)."""
    last = bars.group_by("symbol").agg(pl.col("close").last())
    return dict(zip(last["symbol"].to_list(), last["close"].to_list(), strict=True))
