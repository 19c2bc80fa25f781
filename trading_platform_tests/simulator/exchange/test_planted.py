from dataclasses import replace

import numpy as np
import pytest

from trading_platform.errors import SettingsError
from trading_platform.market.instruments import InstrumentDay
from trading_platform.market.sessions import load_session_table
from trading_platform.simulator.exchange.market import Market, Wall
from trading_platform.simulator.exchange.planted import plant_all, read_plant
from trading_platform.simulator.session_bars import to_session_bars
from trading_platform.simulator.synthetic_market import synthetic_session
from trading_platform_tests.simulator.exchange.offered import DAY, SESSION, made
from trading_platform_tests.simulator.made_bars import START, STOCK, columns

BARS = columns(made())
AT = (BARS.token == STOCK) & (BARS.start == START + 300)


def test_a_spike_multiplies_the_volume_of_its_minute_only() -> None:
    planted = plant_all(BARS, DAY, [read_plant("spike,ALPHA,09:20,8")])
    assert planted.bars.volume[AT].tolist() == [840]
    assert (planted.bars.volume[~AT] == BARS.volume[~AT]).all()
    (told,) = planted.told
    assert (told["kind"], told["minute"], told["volume"], told["without"]) == (
        "spike",
        "2016-08-16T09:20:00+05:30",
        840,
        105,
    )
    assert told["instrument_token"] == STOCK


@pytest.mark.parametrize(("size", "side", "price"), [(6, "high", 101.05), (-6, "low", 99.95)])
def test_a_sweep_runs_through_levels_with_their_volume(size: int, side: str, price: float) -> None:
    # the bar of minute 5: 100.50, high 100.75, low 100.25; a level is 0.05
    planted = plant_all(BARS, DAY, [read_plant(f"sweep,ALPHA,09:20,{size}")])
    assert getattr(planted.bars, side)[AT].tolist() == [price]
    assert planted.bars.volume[AT].tolist() == [105 + 6 * 500]
    assert replace(planted.bars, **{side: getattr(BARS, side), "volume": BARS.volume}).close is BARS.close
    ticks = Market(planted.bars)
    rows = ticks.rows(ticks.forming(int(ticks.places(np.array([STOCK]))[0]), START + 359))
    assert price in rows["last_price"].tolist()


def test_a_wall_stands_for_five_minutes() -> None:
    planted = plant_all(BARS, DAY, [read_plant("wall,ALPHA,09:20,50000")])
    assert planted.walls == (Wall(STOCK, START + 300, START + 600, 2, 50_000),)
    assert planted.told[0]["until"] == "2016-08-16T09:25:00+05:30"


def test_a_smile_shift_moves_the_options_from_its_minute_on() -> None:
    made_up = synthetic_session(SESSION, names=3, table=load_session_table())
    day = InstrumentDay(SESSION, made_up.instruments)
    bars = to_session_bars(made_up.bars, day, made_up.previous_closes)
    planted = plant_all(bars, day, [read_plant("smile,SYNDEX,11:00,0.05")])
    eleven = START + 105 * 60
    options = np.isin(bars.token, [one.token for one in day.instruments if one.instrument_type in {"CE", "PE"}])
    moved = planted.bars.close - bars.close
    assert (moved[~options | (bars.start < eleven)] == 0.0).all()
    after = moved[options & (bars.start >= eleven)]
    assert after.min() >= 0.0
    assert (after > 0.5).mean() > 0.5
    assert planted.told[0]["options"] == 42
    assert (planted.bars.high >= planted.bars.low).all()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "spike",
        "fire,ALPHA,09:20,2",
        "spike,ALPHA,noon,2",
        "spike,ALPHA,09:20,x",
        "spike,ALPHA,09:20,0",
        "spike,ALPHA,09:20,-2",
        "wall,ALPHA,09:20,nan",
        "spike,ALPHA,09:20,2,3",
    ],
)
def test_what_is_no_event_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="--plant"):
        read_plant(text)


@pytest.mark.parametrize(
    "text",
    [
        "spike,NOBODY,09:20,2",
        "spike,ALPHA,09:17,2",
        "spike,ALPHA,12:00,2",
        "spike,INDEX 1,09:20,2",
        "smile,BETA,09:20,0.1",
        "sweep,ALPHA,09:20,-90000",
    ],
)
def test_an_event_without_a_place_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="--plant"):
        plant_all(BARS, DAY, [read_plant(text)])
