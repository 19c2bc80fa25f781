"""Volume baselines of a session, from the minute bars of the sessions before it."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trading_platform.batch.day_averages import NO_AVERAGES
from trading_platform.batch.reference import stored_day, with_tokens
from trading_platform.batch.volume_cubes import last_minute_of, span_of, volume_cube
from trading_platform.calc.relative_volume import DAY_NAMES, TRADINGVIEW_MINUTES
from trading_platform.calc.volume_baseline import INTERVALS, BaselineBlock, UsualDay
from trading_platform.calc.volume_history import DayExpectations, expectations, joined
from trading_platform.errors import InstrumentError, UnknownSessionDate
from trading_platform.market.corporate_actions import CorporateActions, load_corporate_actions
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
    actions: CorporateActions | None = None,
    averages: pl.DataFrame = NO_AVERAGES,
) -> Baselines:
    """Return what is usual over past sessions, for today's tokens.

    `bars` are rows of `minute_bars`; of each instrument only sessions that its own class wants are used. Without
    `actions` those that are shipped adjust past volumes. `averages` are of `day_averages`, for the rows alone.
    """
    actions = load_corporate_actions() if actions is None else actions
    named = _of_wanted_sessions(with_tokens(bars, instruments), instruments, session, wanted)
    known = named.select("token", "symbol").unique("token").sort("token")
    tokens = known["token"].to_numpy().astype(np.uint32)
    usual, first_minute = _usual(named, known, session, actions, min_sessions)
    block = BaselineBlock(
        session,
        tokens,
        first_minute,
        usual.bars,
        tuple(sorted(set(named["session"]))),
        UsualDay(usual.cumulative, usual.tradingview_mean, usual.day),
    )
    content = block.encode()
    rows = pl.concat([_rows(usual, tokens, interval, first_minute) for interval in INTERVALS])
    version = pl.lit(content_hash(content)[:16]).alias("baseline_version")
    named_rows = rows.join(known, on="token", how="left").join(averages, on="token", how="left")
    return Baselines(block, content, named_rows.with_columns(version, session=pl.lit(session)))


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


def _usual(
    bars: pl.DataFrame, known: pl.DataFrame, session: date, actions: CorporateActions, min_sessions: int
) -> tuple[DayExpectations, int]:
    """Return what is usual for each known token, and the first minute of its curves; in parts, to bound memory."""
    span = span_of(bars)
    width = last_minute_of(bars) - span[0] + 1 if span[1] else 1
    sessions = bars["session"].unique().sort().to_list()
    parts = []
    for first in range(0, max(1, known.height), _INSTRUMENTS_AT_ONCE):
        chosen = known.slice(first, _INSTRUMENTS_AT_ONCE)
        cube = volume_cube(
            bars.filter(pl.col("token").is_in(chosen["token"].implode())),
            sessions=sessions,
            symbols=chosen["symbol"].to_list(),
            span=(span[0], width),
            tokens=chosen["token"].to_list(),
        )
        history = cube.history(actions, range(len(sessions)), session)
        parts.append(expectations(history, INTERVALS, min_sessions))
    return joined(parts), span[0]


def _rows(usual: DayExpectations, tokens: NDArray[np.uint32], interval: int, first_minute: int) -> pl.DataFrame:
    buckets = usual.bars[interval].shape[1]
    ends = np.minimum((np.arange(buckets) + 1) * interval, usual.cumulative.shape[1]) - 1
    unknown = np.full((len(tokens), buckets), np.nan)
    columns = {
        "token": np.repeat(tokens.astype(np.int64), buckets),
        "interval": np.full(len(tokens) * buckets, interval),
        "bucket_start": np.tile(first_minute + np.arange(buckets) * interval, len(tokens)),
        "expected_median": usual.bars[interval].ravel(),
        "sessions_used": usual.known[interval].ravel(),
        "expected_cumulative": usual.cumulative[:, ends].ravel(),
        "tradingview_mean": (usual.tradingview_mean if interval == TRADINGVIEW_MINUTES else unknown).ravel(),
        **{name: np.repeat(usual.day[:, k], buckets) for k, name in enumerate(DAY_NAMES)},
    }
    return pl.DataFrame(columns).filter(pl.col("sessions_used") > 0)
