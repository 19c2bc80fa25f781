"""A made-up market: any session of it, the same for the same seed, with one index, its contracts and many names.

All of it is invented; symbols begin with SYN so that nobody takes them for real ones.
"""

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trading_platform.errors import SettingsError
from trading_platform.market.clock import IST
from trading_platform.market.instruments import Instrument
from trading_platform.market.sessions import PhaseKind, SessionClass, SessionTable
from trading_platform.market.synthetic_tokens import assign_tokens
from trading_platform.simulator.options_smile import price_chain
from trading_platform.simulator.synthetic_contracts import INDEX, LOT, Chain, make_chain, years_to
from trading_platform.simulator.synthetic_levels import DayLevels, day_levels, ordinal_of, roster
from trading_platform.simulator.synthetic_paths import (
    POINTS_PER_MINUTE,
    day_shape,
    minute_volumes,
    plant_events,
    price_paths,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

INDEX_BASE = 20_000.0
RATE = 0.065
"""Carry of the futures a year, continuously compounded."""
SESSIONS_PER_YEAR = 250
MAX_NAMES = 9000

_TICKS_PER_UNIT = 20
_MINUTE = 60
_FUTURE_LOTS = (160.0, 24.0)
_OPTION_LOTS = 240.0
"""Lots a minute of the futures, and of the busiest option of the chain."""


@dataclass(frozen=True, slots=True)
class SyntheticSession:
    """A session of the made-up market: bars as a file would hold them (volume null for the index) and instruments."""

    session: date
    bars: pl.DataFrame
    instruments: tuple[Instrument, ...]
    previous_closes: dict[str, float]


@dataclass(frozen=True, slots=True)
class _Part:
    """Paths of instruments with the same hours: prices (points, instruments), volumes (minutes, instruments)."""

    symbols: list[str]
    paths: Floats
    volumes: Ints | None
    hours: SessionClass


def synthetic_session(session: date, seed: int = 1, names: int = 200, *, table: SessionTable) -> SyntheticSession:
    """Make one session; raise NoSessionError or UnknownSessionDate for a date that is none."""
    if not 1 <= names <= MAX_NAMES:
        raise SettingsError(f"{names} names cannot be made; choose 1 to {MAX_NAMES} with --names")
    ordinal = ordinal_of(session, table)
    fixed, levels = roster(seed, names), day_levels(seed, names, ordinal)
    minutes = _minutes(session, table)
    all_minutes = np.unique(np.concatenate(list(minutes.values())))
    pinned = int(np.searchsorted(all_minutes, minutes[SessionClass.NSE_CASH][-1])) + 1
    random = np.random.default_rng([seed, 3, ordinal])
    events = plant_events(random, names, pinned)
    paths = price_paths(random, fixed, levels, minutes=len(all_minutes), pinned=pinned, events=events)
    volumes = minute_volumes(random, fixed, levels, paths, events)
    per_index = INDEX_BASE * fixed.weight / fixed.base
    index = paths @ per_index
    chain = make_chain(session, float(index[0]), table)
    symbols = [f"SYN{number:03d}" for number in range(1, names + 1)]
    parts = [
        _Part([INDEX], index[:, None], None, SessionClass.NSE_INDEX),
        _Part(symbols, paths, volumes, SessionClass.NSE_CASH),
        *_contract_parts(random, chain, index, levels, all_minutes),
    ]
    cash = assign_tokens([(INDEX, True), *((symbol, False) for symbol in symbols)])
    previous = {
        INDEX: _on_grid(levels.previous @ per_index),
        **dict(zip(symbols, _on_grid(levels.previous), strict=True)),
    }
    return SyntheticSession(
        session,
        pl.concat([_bars(part, all_minutes, minutes[part.hours]) for part in parts]).sort("symbol", "ts"),
        (*cash, *chain.futures, *chain.options),
        {symbol: float(price) for symbol, price in previous.items()},
    )


def _minutes(session: date, table: SessionTable) -> dict[SessionClass, Ints]:
    """Return the starts of all minutes of continuous trading, in seconds since the epoch, by class."""
    found = {}
    for hours in (SessionClass.NSE_INDEX, SessionClass.NSE_CASH, SessionClass.NSE_DERIVATIVES):
        phases = [phase for phase in table.session(hours, session).phases if phase.kind is PhaseKind.CONTINUOUS]
        spans = [(int(phase.start.timestamp()), int(phase.end.timestamp())) for phase in phases]
        found[hours] = np.concatenate([np.arange(start, end, _MINUTE, dtype=np.int64) for start, end in spans])
    return found


def _contract_parts(
    random: np.random.Generator, chain: Chain, index: Floats, levels: DayLevels, minutes: Ints
) -> list[_Part]:
    """Make futures with carry, and options on the forward to their expiry."""
    seconds = np.repeat(minutes, POINTS_PER_MINUTE) + np.tile(
        np.arange(POINTS_PER_MINUTE) * (_MINUTE // POINTS_PER_MINUTE), len(minutes)
    )
    scale = float(levels.volume_factor.mean())
    futures = np.stack([_forward(index, future, seconds) for future in chain.futures], axis=1)
    futures *= 1.0 + 2e-5 * random.standard_normal(futures.shape)
    lots = scale * np.array(_FUTURE_LOTS)
    first = chain.options[0]
    strikes = np.array([option.strike for option in chain.options])
    is_call = np.array([option.instrument_type == "CE" for option in chain.options])
    years = _years(first, seconds)
    forward = _forward(index, first, seconds)
    vol = 1.1 * levels.market_volatility * np.sqrt(SESSIONS_PER_YEAR)
    options = price_chain(forward, years, strikes, is_call, vol, RATE)
    away = (strikes - forward[0]) / (forward[0] * levels.market_volatility)
    # out of the money is where the trading is
    interest = np.exp(-0.5 * away**2) * np.where(is_call == (away > 0.0), 1.0, 0.3)
    return [
        _Part(
            [f.tradingsymbol for f in chain.futures],
            futures,
            _lots(random, lots, len(minutes)),
            SessionClass.NSE_DERIVATIVES,
        ),
        _Part(
            [o.tradingsymbol for o in chain.options],
            options,
            _lots(random, scale * _OPTION_LOTS * interest, len(minutes)),
            SessionClass.NSE_DERIVATIVES,
        ),
    ]


def _years(contract: Instrument, seconds: Ints) -> Floats:
    if contract.expiry is None:
        raise SettingsError(f"{contract.key} has no expiry; only dated contracts have a forward")
    first = years_to(contract.expiry, float(seconds[0]))
    years: Floats = np.maximum(first - (seconds - seconds[0]) / (365.0 * 24 * 3600), 0.0)
    return years


def _forward(index: Floats, contract: Instrument, seconds: Ints) -> Floats:
    forward: Floats = index * np.exp(RATE * _years(contract, seconds))
    return forward


def _lots(random: np.random.Generator, per_minute: Floats, minutes: int) -> Ints:
    """Return traded units (minutes, contracts) in whole lots."""
    mean = per_minute * day_shape(minutes)[:, None]
    traded: Ints = random.poisson(mean * random.gamma(4.0, 0.25, mean.shape)).astype(np.int64) * LOT
    return traded


def _on_grid(prices: Floats) -> Floats:
    """Return prices on the tick of five paise, one tick at least, as the nearest floats to their decimals."""
    rounded: Floats = np.maximum(np.rint(prices * _TICKS_PER_UNIT), 1.0) / _TICKS_PER_UNIT
    return rounded


def _bars(part: _Part, all_minutes: Ints, minutes: Ints) -> pl.DataFrame:
    """Make the bars of one part, all minutes of an instrument together."""
    points = _on_grid(part.paths).reshape(len(all_minutes), POINTS_PER_MINUTE, -1)
    prices = np.stack([points[:, 0], points.max(axis=1), points.min(axis=1), points[:, -1]])
    prices = prices[:, np.isin(all_minutes, minutes)]
    volumes = None
    if part.volumes is not None:
        volumes = part.volumes[np.isin(all_minutes, minutes)]
        prices = _flattened(prices, volumes)
    count = len(part.symbols)
    moments = pl.Series("ts", np.tile(minutes, count) * 1_000_000).cast(pl.Datetime("us", "UTC"))
    return pl.DataFrame(
        {
            "symbol": np.repeat(np.array(part.symbols, dtype=object), len(minutes)).tolist(),
            "ts": moments.dt.convert_time_zone(str(IST)),
            **{name: values.T.ravel() for name, values in zip(("open", "high", "low", "close"), prices, strict=True)},
            "volume": pl.Series(None if volumes is None else volumes.T.ravel(), dtype=pl.Int64)
            if volumes is not None
            else pl.repeat(None, count * len(minutes), dtype=pl.Int64, eager=True),
        }
    )


def _flattened(prices: Floats, volumes: Ints) -> Floats:
    """Hold the price in a minute without a trade, and let a single share trade at one price."""
    opened, high, low, close = prices
    row = np.arange(len(volumes))[:, None]
    last_trade = np.maximum.accumulate(np.where(volumes > 0, row, -1), axis=0)
    held = np.where(last_trade >= 0, np.take_along_axis(close, np.maximum(last_trade, 0), axis=0), opened[:1])
    still = volumes <= 1
    return np.stack([np.where(still, held, column) for column in (opened, high, low, close)])
