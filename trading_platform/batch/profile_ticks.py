"""What was traded at which price, from the ticks of one instrument: each rise of the day's volume at its last price."""

from datetime import datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trading_platform.batch.profiles import Traded
from trading_platform.calc.packets import AHEAD_SECONDS
from trading_platform.market.clock import NS_PER_SECOND
from trading_platform.market.session_kinds import PhaseKind, Session

COLUMNS = ("token", "record", "place", "received_ns", "exchange_ns", "last_price", "day_volume")
_SECONDS_PER_MINUTE = 60


def traded_of_ticks(ticks: pl.DataFrame, bars: pl.DataFrame, opens: datetime) -> tuple[Traded, int]:
    """Return what COLUMNS of one instrument tell of its continuous trading, and what was traded in auctions.

    A minute belongs to the phase that its bar is of. As in the pass, the highest volume seen stands, and the first one
    counts from zero only if the instrument was subscribed before the open: ticks do not tell that, but its bars, of
    all phases together, then hold more than what the volume grew by.
    """
    rising, volume = _rising(ticks)
    continuous = bars.filter(pl.col("kind") == int(PhaseKind.CONTINUOUS))["start"].dt.epoch("s").to_numpy()
    from_zero = bool(len(volume) and bars["volume"].sum() > volume[-1] - volume[0])
    return _traded(rising, volume, continuous, opens, from_zero=from_zero)


def traded_so_far(ticks: pl.DataFrame, hours: Session, *, from_zero: bool) -> tuple[Traded, int]:
    """Return the same while a session runs, without its bars: its minutes are those of its hours.

    `from_zero` tells that the instrument was subscribed before the open.
    """
    rising, volume = _rising(ticks)
    minutes = [
        np.arange(int(phase.start.timestamp()), int(phase.end.timestamp()), _SECONDS_PER_MINUTE)
        for phase in hours.phases
        if phase.kind is PhaseKind.CONTINUOUS
    ]
    return _traded(rising, volume, np.concatenate(minutes), hours.opens, from_zero=from_zero)


def _rising(ticks: pl.DataFrame) -> tuple[pl.DataFrame, NDArray[np.int64]]:
    """Return the ticks that tell price and volume as `second` and `price`, and the highest volume up to each."""
    known = ticks.filter((pl.col("last_price") > 0.0) & (pl.col("day_volume") >= 0)).sort("record", "place")
    received, exchange = known["received_ns"] // NS_PER_SECOND, known["exchange_ns"] // NS_PER_SECOND
    sound = (exchange <= received + AHEAD_SECONDS).fill_null(value=False)
    second = pl.select(pl.when(sound).then(exchange).otherwise(received)).to_series().cast(pl.Int64)
    rising = pl.DataFrame({"second": second, "price": known["last_price"]})
    return rising, np.maximum.accumulate(known["day_volume"].to_numpy().astype(np.int64))


def _traded(
    rising: pl.DataFrame, top: NDArray[np.int64], minutes: NDArray[np.int64], opens: datetime, *, from_zero: bool
) -> tuple[Traded, int]:
    if not len(top):
        nothing = np.zeros(0)
        return Traded(np.zeros(0, np.int64), nothing, nothing, nothing, np.zeros(0, np.int64)), 0
    second = rising["second"].to_numpy()
    grown = np.diff(top, prepend=0 if from_zero else int(top[0]))
    inside = np.isin(second - second % _SECONDS_PER_MINUTE, minutes)
    kept = inside & (grown > 0)
    at = rising["price"].to_numpy()[kept]
    # a packet that came late raised the volume when it came
    after = np.maximum.accumulate(second[kept] - int(opens.timestamp()))
    return Traded(after, at, at, at, grown[kept]), int(grown[~inside].sum())
