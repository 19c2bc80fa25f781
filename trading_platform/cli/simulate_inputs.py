"""What `trading-platform simulate` trades: one session of bars with instruments, past sessions and planted events."""

from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from trading_platform.batch.instrument_dump import dump_csv
from trading_platform.cli.play_inputs import (
    DEFAULT_SESSION,
    SessionInput,
    read_input,
    sessions_of_files,
    synthetic_dates,
    synthetic_sessions,
)
from trading_platform.errors import NoSessionError
from trading_platform.market.instruments import InstrumentDay, session_class
from trading_platform.market.sessions import SessionClass, SessionTable, load_session_table
from trading_platform.simulator.bar_ticks import SECONDS_PER_BAR, SessionBars
from trading_platform.simulator.exchange.history import PastSession
from trading_platform.simulator.exchange.planted import plant_all, read_plant
from trading_platform.simulator.exchange.server import Offer
from trading_platform.simulator.session_bars import to_session_bars


class PlantOption:
    """The help of `--plant`, which is long."""

    HELP = (
        "KIND,SYMBOL,HH:MM,SIZE: spike (volume times SIZE), sweep (SIZE levels up, or down below 0), wall (SIZE shares "
        "for 5 minutes, then gone), smile (volatility of the options of SYMBOL plus SIZE, from then on)"
    )


@dataclass(frozen=True, slots=True)
class Trade:
    """What the options ask to be traded."""

    bars: Path | None = None
    session: date | None = None
    names: int = 200
    seed: int = 1
    indices: tuple[str, ...] = ()
    minutes: int | None = None
    past: int = 0
    plants: tuple[str, ...] = ()


def make_offer(trade: Trade) -> Offer:
    """Read or make the session; raise SettingsError, BadFileError or NoSessionError naming what is wrong."""
    table = load_session_table()
    plants = [read_plant(text) for text in trade.plants]
    given = _synthetic(trade, table) if trade.bars is None else _from_files(trade, table)
    day = InstrumentDay(given.session, given.instruments)
    bars = _first_minutes(to_session_bars(given.bars, day, given.previous_closes), trade.minutes)
    planted = plant_all(bars, day, plants)
    opens = min(
        table.session(session_class(one, day.fno_names), given.session).opens.timestamp() for one in day.instruments
    )
    exchanges = sorted({one.exchange for one in day.instruments})
    dumps = {one: dump_csv([each for each in day.instruments if each.exchange == one]) for one in exchanges}
    before = table.previous_session(SessionClass.NSE_CASH, given.session)
    past = synthetic_dates(before, trade.past, table) if trade.bars is None and trade.past else []
    return Offer(
        day=day,
        bars=planted.bars,
        opens=int(opens),
        dumps={"": dump_csv(day.instruments), **dumps},
        table=table,
        yesterday_second=int(table.session(SessionClass.NSE_CASH, before).closes.timestamp()) - 1,
        planted=planted.told,
        walls=planted.walls,
        past=past,
        load_past=lambda on: _past(replace(trade, session=on), table),
    )


def _synthetic(trade: Trade, table: SessionTable) -> SessionInput:
    dates = synthetic_dates(trade.session or DEFAULT_SESSION, 1, table)
    return next(synthetic_sessions(dates, trade.seed, trade.names, table=table))


def _from_files(trade: Trade, table: SessionTable) -> SessionInput:
    assert trade.bars is not None  # noqa: S101  # the caller has looked
    found = read_input(trade.bars, list(trade.indices), table)
    for given in sessions_of_files(found, table):
        if trade.session in {None, given.session}:
            return given
    raise NoSessionError(f"{trade.bars} holds no bars of {trade.session}; it has {', '.join(map(str, found.sessions))}")


def _past(trade: Trade, table: SessionTable) -> PastSession:
    given = _synthetic(trade, table)
    day = InstrumentDay(given.session, given.instruments)
    return PastSession(day, to_session_bars(given.bars, day, given.previous_closes))


def _first_minutes(bars: SessionBars, minutes: int | None) -> SessionBars:
    if minutes is None:
        return bars
    kept = bars.start < int(bars.start.min()) + minutes * SECONDS_PER_BAR
    return SessionBars(*(getattr(bars, name)[kept] for name in SessionBars.__slots__))
