"""Volume baselines of a session, from the minute bars of the sessions before it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trading_platform.batch.baseline_rows import ClassBaselines, baseline_rows
from trading_platform.batch.day_averages import NO_AVERAGES
from trading_platform.batch.past_volumes import PastVolumes, past_volumes
from trading_platform.calc.live_forecast import LIVE_FIELDS
from trading_platform.calc.relative_volume import DAY_FIELDS, TRADINGVIEW_MINUTES
from trading_platform.calc.volume.outlook import outlooks
from trading_platform.calc.volume_baseline import INTERVALS, BaselineBlock, UsualDay
from trading_platform.calc.volume_history import VolumeHistory, expectations, joined
from trading_platform.errors import UnknownSessionDate
from trading_platform.market.clock import IST
from trading_platform.market.corporate_actions import CorporateActions, load_corporate_actions
from trading_platform.market.sessions import SessionClass, SessionTable, load_session_table
from trading_platform.wire.blocks import content_hash

GRANULARITIES = (1, 3, 5, 15, 30, 60)
"""Lengths in minutes of the bars that have a baseline; the block for the engine holds INTERVALS of them."""

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
    parts: Iterable[pl.DataFrame],
    instruments: pl.DataFrame,
    *,
    session: date,
    wanted: Mapping[SessionClass, list[date]],
    min_sessions: int,
    table: SessionTable | None = None,
    actions: CorporateActions | None = None,
    averages: pl.DataFrame = NO_AVERAGES,
) -> Baselines:
    """Return what past sessions say is usual, and what the model expects, for today's tokens.

    `parts` are rows of `minute_bars`, whole sessions each, all before `session`; of each instrument only those are used
    that its own class wants. Without `table` and `actions` those that are shipped tell opening hours and adjust past
    volumes. `averages` are of `day_averages`, for the rows alone.
    """
    table = load_session_table() if table is None else table
    actions = load_corporate_actions() if actions is None else actions
    volumes = past_volumes(parts, instruments, session=session, wanted=wanted, opens=opening_minutes(table, session))
    classes = []
    while volumes:
        # one class after the other, and its volumes given up behind it: they are most of the memory
        classes.append(_of_class(volumes.pop(0), session, actions, min_sessions))
    block = _block(classes, session)
    content = block.encode()
    version = pl.lit(content_hash(content)[:16]).alias("baseline_version")
    rows = baseline_rows(classes, min_sessions).join(averages, on="token", how="left")
    return Baselines(block, content, rows.with_columns(version, session=pl.lit(session)))


def opening_minutes(table: SessionTable, session: date) -> dict[SessionClass, int]:
    """Return the minute after midnight IST at which continuous trading of each class opens."""
    opens = {
        one: table.session(one, session).opens.astimezone(IST)
        for one in SessionClass
        if table.is_covered(one, session) and table.is_session(one, session)
    }
    return {one: moment.hour * 60 + moment.minute for one, moment in opens.items()}


def _of_class(past: PastVolumes, session: date, actions: CorporateActions, min_sessions: int) -> ClassBaselines:
    cube = past.cube
    factors = cube.factors(actions, range(len(cube.sessions)), session)
    adjusted = (factors != 1.0).any(axis=0)
    if adjusted.any():
        np.multiply(cube.minutes, factors[:, :, None], out=cube.minutes)
    usual = []
    for first in range(0, len(past.tokens), _INSTRUMENTS_AT_ONCE):
        rows = slice(first, first + _INSTRUMENTS_AT_ONCE)
        history = VolumeHistory(
            minutes=np.ascontiguousarray(cube.minutes[:, rows]),
            opening_auction=cube.opening_auction[:, rows] * factors[:, rows],
            closing_auction=cube.closing_auction[:, rows] * factors[:, rows],
            whole=cube.whole[:, rows],
            adjusted=adjusted[rows],
        )
        usual.append(expectations(history, (), min_sessions))
    expected = outlooks(cube.minutes, past.options, min_sessions, GRANULARITIES)
    return ClassBaselines(past.tokens, cube.symbols, cube.sessions, cube.first_minute, joined(usual), expected)


def _block(classes: list[ClassBaselines], session: date) -> BaselineBlock:
    """Return the block of all classes, tokens ascending, each curve at its minute of the day."""
    first = min((one.first_minute for one in classes), default=0)
    last = max((one.first_minute + one.usual.cumulative.shape[1] for one in classes), default=1)
    tokens = np.concatenate([np.zeros(0, np.uint32), *(one.tokens for one in classes)])
    order = np.argsort(tokens)

    def placed(interval: int, table: str) -> NDArray[np.float64]:
        values = np.full((len(tokens), -(-(last - first) // interval)), np.nan)
        row = 0
        for one in classes:
            found = one.expected[interval].median if table == "median" else getattr(one.usual, table)
            at = (one.first_minute - first) // interval
            values[row : row + len(found), at : at + found.shape[1]] = found
            row += len(found)
        return values[order]

    def stacked(found: list[NDArray[np.float64]], width: int) -> NDArray[np.float64]:
        return np.concatenate([np.zeros((0, width)), *found])[order]

    return BaselineBlock(
        session,
        tokens[order],
        first,
        {interval: placed(interval, "median") for interval in INTERVALS},
        tuple(sorted({day for one in classes for day in one.sessions})),
        UsualDay(
            placed(1, "cumulative"),
            placed(TRADINGVIEW_MINUTES, "tradingview_mean"),
            stacked([one.usual.day for one in classes], DAY_FIELDS),
        ),
        {i: stacked([one.expected[i].filters for one in classes], LIVE_FIELDS) for i in INTERVALS},
    )
