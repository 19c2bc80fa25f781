"""Events that are put into a session on purpose, and where: what a detector has to find can then be known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trading_platform.calc.options import black76_price
from trading_platform.errors import SettingsError
from trading_platform.market.clock import IST, NS_PER_SECOND, from_ns
from trading_platform.market.instruments import OPTION_TYPES, Instrument, InstrumentDay
from trading_platform.simulator.bar_ticks import SECONDS_PER_BAR, Ints, SessionBars
from trading_platform.simulator.exchange.market import Wall
from trading_platform.simulator.synthetic_contracts import years_to
from trading_platform.simulator.synthetic_market import RATE

WALL_SECONDS = 300
WALL_ROW = 2
"""The third best bid."""

SWEEP_LOTS_PER_LEVEL = 500
_LEAST_VOL, _MOST_VOL, _HALVINGS = 0.001, 5.0, 50


class PlantKind(StrEnum):
    """The events that can be planted."""

    SPIKE = "spike"
    SWEEP = "sweep"
    WALL = "wall"
    SMILE = "smile"


@dataclass(frozen=True, slots=True)
class Plant:
    """One event: on a symbol, in the minute that begins at `at`, of a size whose meaning depends on the kind."""

    kind: PlantKind
    symbol: str
    at: time
    size: float


@dataclass(frozen=True, slots=True)
class Planted:
    """The bars with everything in them, walls that stand in the book, and what a test is told about all of it."""

    bars: SessionBars
    walls: tuple[Wall, ...]
    told: tuple[Mapping[str, Any], ...]


def read_plant(text: str) -> Plant:
    """Read KIND,SYMBOL,HH:MM,SIZE; raise SettingsError."""
    try:
        kind, symbol, clock, size = text.split(",")
        plant = Plant(PlantKind(kind), symbol, time.fromisoformat(clock), float(size))
    except ValueError as error:
        raise SettingsError(f"--plant {text} is not KIND,SYMBOL,HH:MM,SIZE ({error})") from None
    sound = plant.size != 0 and np.isfinite(plant.size)
    if not sound or (plant.kind in {PlantKind.SPIKE, PlantKind.WALL} and plant.size < 0):
        raise SettingsError(f"--plant {text}: nothing happens with a size of {size}; choose another")
    return plant


def plant_all(bars: SessionBars, day: InstrumentDay, plants: Sequence[Plant]) -> Planted:
    """Put all events into the bars; raise SettingsError for one that has no bar to be in."""
    walls: list[Wall] = []
    told: list[Mapping[str, Any]] = []
    for plant in plants:
        instrument = _instrument(plant, day)
        start = int(datetime.combine(day.session, plant.at, IST).timestamp())
        if plant.kind is PlantKind.SMILE:
            bars, facts = _shift_smile(bars, day, instrument, start=start, shift=plant.size)
        else:
            bars, facts, wall = _in_bar(bars, instrument, plant, start=start)
            walls.extend(wall)
        told.append(
            {
                "kind": str(plant.kind),
                "symbol": plant.symbol,
                "instrument_token": instrument.token,
                "minute": from_ns(start * NS_PER_SECOND).isoformat(),
                "size": plant.size,
                **facts,
            }
        )
    return Planted(bars, tuple(walls), tuple(told))


def _instrument(plant: Plant, day: InstrumentDay) -> Instrument:
    found = [one for one in day.instruments if one.tradingsymbol == plant.symbol]
    if len(found) != 1:
        raise SettingsError(f"--plant: {plant.symbol} names {len(found)} instruments of {day.session}; name one")
    return found[0]


def _in_bar(
    bars: SessionBars, instrument: Instrument, plant: Plant, *, start: int
) -> tuple[SessionBars, dict[str, Any], list[Wall]]:
    rows = np.flatnonzero((bars.token == instrument.token) & (bars.start == start))
    if len(rows) != 1 or (plant.kind is not PlantKind.WALL and instrument.is_index):
        raise SettingsError(f"--plant: {plant.symbol} has no trading in the minute {plant.at:%H:%M}; choose another")
    row = int(rows[0])
    if plant.kind is PlantKind.WALL:
        wall = Wall(instrument.token, start, start + WALL_SECONDS, WALL_ROW, int(plant.size))
        return bars, {"until": from_ns(wall.end * NS_PER_SECOND).isoformat(), "depth_row": wall.row}, [wall]
    if plant.kind is PlantKind.SPIKE:
        before = int(bars.volume[row])
        volume = max(1, round(before * plant.size))
        return replace(bars, volume=_with(bars.volume, row, volume)), {"volume": volume, "without": before}, []
    swept, facts = _sweep(bars, instrument, row, round(plant.size))
    return swept, facts, []


def _sweep(bars: SessionBars, instrument: Instrument, row: int, levels: int) -> tuple[SessionBars, dict[str, Any]]:
    """Let the bar reach so many price steps beyond its extreme, with the volume that stood there."""
    reach = levels * instrument.tick_size
    quantity = abs(levels) * SWEEP_LOTS_PER_LEVEL * int(bars.lot[row])
    column = bars.high if levels > 0 else bars.low
    price = round(float(column[row]) + reach, 7)
    if price <= 0.0:
        raise SettingsError(f"--plant: a sweep of {levels} levels takes {instrument.tradingsymbol} below zero")
    volume, moved = _with(bars.volume, row, int(bars.volume[row]) + quantity), _with(column, row, price)
    swept = replace(bars, volume=volume, high=moved) if levels > 0 else replace(bars, volume=volume, low=moved)
    return swept, {"reached": price, "from": float(column[row]), "quantity": quantity}


def _shift_smile(
    bars: SessionBars, day: InstrumentDay, underlying: Instrument, *, start: int, shift: float
) -> tuple[SessionBars, dict[str, Any]]:
    """Reprice each option bar from `start` on with its own implied volatility plus the shift."""
    options = [one for one in day.instruments if one.instrument_type in OPTION_TYPES and one.name == underlying.name]
    forward = {
        int(second): float(price)
        for second, price in zip(
            bars.start[bars.token == underlying.token], bars.close[bars.token == underlying.token], strict=True
        )
    }
    if not options or not underlying.is_index:
        raise SettingsError(f"--plant: {underlying.tradingsymbol} has no option chain; name an index that has one")
    added = np.zeros(len(bars))
    for option in options:
        for row in np.flatnonzero((bars.token == option.token) & (bars.start >= start)).tolist():
            spot = forward.get(int(bars.start[row]))
            if spot is not None:
                added[row] = _price_change(option, spot, int(bars.start[row]), float(bars.close[row]), shift=shift)
    opened, high, low, close = (
        _on_grid(column + added, added) for column in (bars.open, bars.high, bars.low, bars.close)
    )
    return replace(bars, open=opened, high=high, low=low, close=close), {
        "options": len(options),
        "bars": int(np.count_nonzero(added)),
    }


def _price_change(option: Instrument, spot: float, second: int, price: float, *, shift: float) -> float:
    """Return what a higher or lower volatility adds to an option's price; zero where the price implies none."""
    assert option.expiry is not None  # noqa: S101  # options of a dump are dated
    years = years_to(option.expiry, second + SECONDS_PER_BAR)
    forward, is_call = spot * float(np.exp(RATE * years)), option.instrument_type == "CE"
    low, high = _LEAST_VOL, _MOST_VOL
    if years <= 0.0 or not (
        black76_price(is_call, forward, option.strike, years, low, RATE)
        < price
        < black76_price(is_call, forward, option.strike, years, high, RATE)
    ):
        return 0.0
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        if black76_price(is_call, forward, option.strike, years, middle, RATE) < price:
            low = middle
        else:
            high = middle
    shifted = black76_price(is_call, forward, option.strike, years, max(low + shift, _LEAST_VOL), RATE)
    return float(shifted - price)


def _on_grid(prices: NDArray[np.float64], added: NDArray[np.float64]) -> NDArray[np.float64]:
    rounded: NDArray[np.float64] = np.where(added != 0.0, np.maximum(np.rint(prices * 20.0), 1.0) / 20.0, prices)
    return rounded


def _with(column: "Ints | NDArray[np.float64]", row: int, value: float) -> Any:
    changed = column.copy()
    changed[row] = value
    return changed
