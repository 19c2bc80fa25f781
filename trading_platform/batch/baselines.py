"""Volume baselines of a session, from the minute bars of the sessions before it."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trading_platform.batch.bars import longer_bars
from trading_platform.batch.reference import stored_day, with_tokens
from trading_platform.calc.volume_baseline import INTERVALS, BaselineBlock, median_by_bucket
from trading_platform.errors import InstrumentError, UnknownSessionDate
from trading_platform.market.instruments import session_class
from trading_platform.market.sessions import SessionClass, SessionTable
from trading_platform.wire.blocks import content_hash

LOOK_BACK_LIMIT = 3
"""How many times the wanted number of sessions is looked through for days of the same class."""

_INSTRUMENTS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Baselines:
    """The block for the engine and the same as rows of table `volume_baselines`."""

    block: BaselineBlock
    content: bytes
    rows: pl.DataFrame

    @property
    def sha256(self) -> str:
        """Return the hash that names the block."""
        return content_hash(self.content)


def comparable_sessions(table: SessionTable, of_class: SessionClass, session: date, count: int) -> list[date]:
    """Return up to `count` sessions before `session` of its own volume class, ascending."""
    wanted = table.session_type(of_class, session)
    found: list[date] = []
    for back in range(1, count * LOOK_BACK_LIMIT + 1):
        try:
            day = table.previous_session(of_class, session, back)
        except UnknownSessionDate:
            break
        if table.session_type(of_class, day) is wanted:
            found.append(day)
        if len(found) == count:
            break
    return sorted(found)


def sessions_wanted(table: SessionTable, session: date, count: int) -> dict[SessionClass, list[date]]:
    """Return for each class that is open on `session` the sessions that its baseline looks at."""
    return {
        one: comparable_sessions(table, one, session, count)
        for one in SessionClass
        if table.is_covered(one, session) and table.is_session(one, session)
    }


def volume_baselines(
    bars: pl.DataFrame,
    instruments: pl.DataFrame,
    *,
    session: date,
    wanted: dict[SessionClass, list[date]],
    min_sessions: int,
) -> Baselines:
    """Return the medians of the same minute over past sessions, for today's tokens.

    `bars` are rows of `minute_bars`; of each instrument only sessions that its own class wants are used.
    """
    named = _of_wanted_sessions(with_tokens(bars, instruments), instruments, session, wanted)
    tokens = named["token"].unique().sort().to_numpy().astype(np.uint32)
    first_minute, last_minute = _span(named)
    frames, expected = [], {}
    for interval in INTERVALS:
        volumes = longer_bars(named, interval).select("session", "token", "symbol", "start", "volume")
        buckets = (last_minute - first_minute) // interval + 1
        medians, known = _medians(volumes, tokens, first_minute, buckets, interval, min_sessions)
        expected[interval] = medians
        frames.append(_rows(medians, known, tokens, interval, first_minute))
    block = BaselineBlock(session, tokens, first_minute, expected, tuple(sorted(set(named["session"]))))
    content = block.encode()
    symbols = named.select("token", "symbol").unique("token")
    rows = pl.concat(frames).join(symbols, on="token", how="left")
    version = pl.lit(content_hash(content)[:16]).alias("baseline_version")
    return Baselines(block, content, rows.with_columns(version, session=pl.lit(session)))


def _of_wanted_sessions(
    bars: pl.DataFrame, instruments: pl.DataFrame, session: date, wanted: dict[SessionClass, list[date]]
) -> pl.DataFrame:
    seen = set(bars["token"].unique())
    day = stored_day(instruments.filter(pl.col("token").is_in(list(seen))), session)
    names = stored_day(instruments, session).fno_names
    pairs: list[tuple[int, date]] = []
    for instrument in day.instruments:
        try:
            of_class = session_class(instrument, names)
        except InstrumentError:
            continue
        pairs += [(instrument.token, past) for past in wanted.get(of_class, ())]
    allowed = pl.DataFrame(pairs, schema={"token": pl.Int64, "session": pl.Date}, orient="row")
    return bars.with_columns(pl.col("token").cast(pl.Int64)).join(allowed, on=["token", "session"], how="semi")


def _minute_of_day() -> pl.Expr:
    return pl.col("start").dt.hour().cast(pl.Int32) * 60 + pl.col("start").dt.minute().cast(pl.Int32)


def _span(bars: pl.DataFrame) -> tuple[int, int]:
    minutes = bars.select(low=_minute_of_day().min(), high=_minute_of_day().max()).row(0)
    longest = max(INTERVALS)
    if minutes[0] is None:
        return 0, 0
    return int(minutes[0]) // longest * longest, int(minutes[1])


def _medians(
    bars: pl.DataFrame,
    tokens: NDArray[np.uint32],
    first_minute: int,
    buckets: int,
    interval: int,
    min_sessions: int,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return medians and numbers of sessions, both (instruments, buckets); in parts, to bound memory."""
    days = {day: place for place, day in enumerate(bars["session"].unique().sort())}
    placed = bars.drop_nulls("volume").select(
        pl.col("session").replace_strict(days, return_dtype=pl.Int64).alias("day"),
        pl.col("token").cast(pl.Int64),
        ((_minute_of_day() - first_minute) // interval).cast(pl.Int64).alias("bucket"),
        pl.col("volume").cast(pl.Float64),
    )
    row = np.searchsorted(tokens, placed["token"].to_numpy())
    medians = np.full((len(tokens), buckets), np.nan)
    known = np.zeros((len(tokens), buckets), np.int64)
    for start in range(0, len(tokens), _INSTRUMENTS_AT_ONCE):
        stop = min(start + _INSTRUMENTS_AT_ONCE, len(tokens))
        here = (row >= start) & (row < stop)
        part = placed.filter(here)
        volumes = np.full((max(1, len(days)), stop - start, buckets), np.nan)
        volumes[part["day"].to_numpy(), row[here] - start, part["bucket"].to_numpy()] = part["volume"].to_numpy()
        medians[start:stop] = median_by_bucket(volumes, min_sessions)
        known[start:stop] = (~np.isnan(volumes)).sum(axis=0)
    return medians, known


def _rows(
    medians: NDArray[np.float64],
    known: NDArray[np.int64],
    tokens: NDArray[np.uint32],
    interval: int,
    first_minute: int,
) -> pl.DataFrame:
    buckets = medians.shape[1]
    starts = first_minute + np.arange(buckets) * interval
    rows = pl.DataFrame(
        {
            "token": np.repeat(tokens.astype(np.int64), buckets),
            "interval": np.full(medians.size, interval),
            "bucket_start": np.tile(starts, len(tokens)),
            "expected_median": medians.ravel(),
            "sessions_used": known.ravel(),
        }
    )
    return rows.filter(pl.col("sessions_used") > 0)
