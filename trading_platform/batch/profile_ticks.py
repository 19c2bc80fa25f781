"""What was traded at which price, from the ticks of one instrument: each rise of the day's volume at its last price."""

from datetime import datetime

import numpy as np
import polars as pl

from trading_platform.batch.profiles import Traded
from trading_platform.calc.packets import AHEAD_SECONDS
from trading_platform.market.clock import NS_PER_SECOND
from trading_platform.market.session_kinds import PhaseKind

COLUMNS = ("token", "record", "place", "received_ns", "exchange_ns", "last_price", "day_volume")
_SECONDS_PER_MINUTE = 60


def traded_of_ticks(ticks: pl.DataFrame, bars: pl.DataFrame, opens: datetime) -> tuple[Traded, int]:
    """Return what COLUMNS of one instrument tell of its continuous trading, and what was traded in auctions.

    A minute belongs to the phase that its bar is of. As in the pass, the highest volume seen stands, and the first one
    counts from zero only if the instrument was subscribed before the open: ticks do not tell that, but its bars, of
    all phases together, then hold more than what the volume grew by.
    """
    known = ticks.filter((pl.col("last_price") > 0.0) & (pl.col("day_volume") >= 0)).sort("record", "place")
    received, exchange = known["received_ns"] // NS_PER_SECOND, known["exchange_ns"] // NS_PER_SECOND
    sound = (exchange <= received + AHEAD_SECONDS).fill_null(value=False)
    second = pl.select(pl.when(sound).then(exchange).otherwise(received)).to_series().to_numpy().astype(np.int64)
    price = known["last_price"].to_numpy()
    volume = known["day_volume"].to_numpy().astype(np.int64)
    if not len(volume):
        nothing = np.zeros(0)
        return Traded(np.zeros(0, np.int64), nothing, nothing, nothing, np.zeros(0, np.int64)), 0
    top = np.maximum.accumulate(volume)
    base = 0 if bars["volume"].sum() > top[-1] - top[0] else int(top[0])
    grown = np.diff(top, prepend=base)
    continuous = bars.filter(pl.col("kind") == int(PhaseKind.CONTINUOUS))["start"].dt.epoch("s").to_numpy()
    inside = np.isin(second - second % _SECONDS_PER_MINUTE, continuous)
    kept = inside & (grown > 0)
    at = price[kept]
    # a packet that came late raised the volume when it came
    after = np.maximum.accumulate(second[kept] - int(opens.timestamp()))
    return Traded(after, at, at, at, grown[kept]), int(grown[~inside].sum())
