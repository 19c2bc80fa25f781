import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_platform.simulator.bar_ticks import spread_bars, tick_rows
from trading_platform.wire.kite_encoder import encode_frame
from trading_platform_tests.simulator.made_bars import INDEX, OPTION, START, STOCK, MadeBar, columns, made_session
from trading_platform_tests.simulator.rebuilding import NaiveBar, naive_ticks, official_ticks, rebuild


def ticks_of(bars: list[MadeBar], lot: int = 1) -> list[object]:
    session = columns(bars, lot)
    spread = spread_bars(session)
    return naive_ticks(encode_frame(tick_rows(session, spread, 0, len(spread))))


@settings(deadline=None)
@given(made_session(), st.sampled_from([1, 7, 75]))
def test_ticks_rebuild_every_bar(bars: list[MadeBar], lot: int) -> None:
    expected = {bar.key: NaiveBar(*(word / 100 for word in bar.words), bar.volume) for bar in bars}
    assert rebuild(ticks_of(bars, lot)) == expected


@pytest.mark.parametrize(
    ("words", "prices"),
    [
        ((100, 100, 100, 100), [100]),
        ((100, 105, 100, 105), [100, 105]),
        ((105, 105, 100, 100), [105, 100]),
        ((100, 105, 100, 100), [100, 105, 100]),
        ((100, 110, 95, 105), [100, 95, 110, 105]),
        ((105, 110, 95, 100), [105, 110, 95, 100]),
        ((100, 110, 100, 105), [100, 110, 105]),
    ],
)
@pytest.mark.parametrize("volume", [0, 1, 2, 1000])
def test_a_bar_takes_as_few_ticks_as_it_can(words: tuple[int, int, int, int], prices: list[int], volume: int) -> None:
    ticks = ticks_of([MadeBar(STOCK, 0, words, volume)])
    assert [round(tick.price * 100) for tick in ticks] == prices
    assert ticks[-1].day_volume == volume
    assert all(START <= tick.second < START + 60 for tick in ticks)
    seconds = [tick.second for tick in ticks]
    assert seconds == sorted(set(seconds))


def test_one_share_belongs_to_one_tick_and_whole_lots_stay_whole() -> None:
    wide = (100, 110, 95, 105)
    assert [tick.day_volume for tick in ticks_of([MadeBar(STOCK, 0, wide, 1)])] == [0, 0, 0, 1]
    volumes = [tick.day_volume for tick in ticks_of([MadeBar(OPTION, 0, wide, 75 * 9)], lot=75)]
    assert [volume % 75 for volume in volumes] == [0, 0, 0, 0]
    assert volumes[-1] == 675


def test_the_day_of_a_packet_runs_with_its_ticks() -> None:
    bars = [MadeBar(STOCK, 0, (100, 110, 95, 105), 400), MadeBar(STOCK, 1, (104, 104, 90, 104), 100)]
    session = columns(bars, previous_close=1.5)
    spread = spread_bars(session)
    ticks = naive_ticks(encode_frame(tick_rows(session, spread, 0, len(spread))))
    highs = lows = None
    turnover = traded = 0.0
    for tick in ticks:
        highs, lows = max(highs or 0.0, tick.price), min(lows or 9.9, tick.price)
        turnover += tick.price * (tick.day_volume - traded)
        traded = tick.day_volume
        assert tick.day == (1.0, highs, lows, 1.5)
        assert tick.average == pytest.approx(turnover / traded, abs=0.0051)


def test_the_official_client_reads_what_is_made_up() -> None:
    session = columns([MadeBar(STOCK, 0, (1000, 1100, 950, 1050), 100), MadeBar(INDEX, 0, (500, 510, 490, 505), 0)])
    spread = spread_bars(session)
    ticks = official_ticks(encode_frame(tick_rows(session, spread, 0, len(spread))))
    stock = [tick for tick in ticks if tick["instrument_token"] == STOCK]
    index = [tick for tick in ticks if tick["instrument_token"] == INDEX]
    assert [tick["last_price"] for tick in stock] == [10.0, 9.5, 11.0, 10.5]
    assert all(tick["mode"] == "full" for tick in ticks)
    assert not any(tick["tradable"] for tick in index)
    for tick in stock:
        bids, asks = tick["depth"]["buy"], tick["depth"]["sell"]
        assert [row["price"] for row in bids] == sorted((row["price"] for row in bids), reverse=True)
        assert [row["price"] for row in asks] == sorted(row["price"] for row in asks)
        assert bids[0]["price"] < asks[0]["price"]
        assert bids[0]["price"] <= tick["last_price"] <= asks[0]["price"]
        assert all(row["quantity"] > 0 and row["orders"] > 0 for row in (*bids, *asks))
        assert tick["last_trade_time"] == tick["exchange_timestamp"]
        assert tick["total_buy_quantity"] > 0 < tick["total_sell_quantity"]


def test_nothing_was_traded_before_the_first_share() -> None:
    session = columns(
        [MadeBar(STOCK, 0, (5, 5, 5, 5), 0), MadeBar(STOCK, 1, (5, 5, 5, 5), 3), MadeBar(STOCK, 2, (5, 5, 5, 5), 0)]
    )
    spread = spread_bars(session)
    rows = tick_rows(session, spread, 0, len(spread))
    assert rows["last_quantity"].tolist() == [0, 3, 3]
    assert rows["average_price"].tolist() == [0.0, 0.05, 0.05]
    assert rows["last_trade_time"][0] == -1
    assert rows["last_trade_time"][2] == rows["last_trade_time"][1] == rows["exchange_time"][1]
    # a price of zero is no bid
    assert (rows["depth_quantity"][:, :5] > 0).sum() == (rows["depth_price"][:, :5] > 0).sum() <= 3


def test_the_instruments_of_a_minute_are_mixed() -> None:
    bars = [MadeBar(number * 256 + 1, 0, (100, 110, 95, 105), 10) for number in range(1, 200)]
    spread = spread_bars(columns(bars))
    per_second = np.bincount(spread.time - START, minlength=60)
    assert per_second.min() > 0
    assert per_second.max() < 40
    assert (np.diff(spread.bar) != 1).sum() > 600


def test_open_interest_changes_from_bar_to_bar_where_something_expires() -> None:
    bars = [MadeBar(token, minute, (100, 110, 95, 105), 75_000) for token in (STOCK, OPTION) for minute in range(20)]
    session = columns(bars, 75)
    spread = spread_bars(session)
    packets = [one for one in official_ticks(encode_frame(tick_rows(session, spread, 0, len(spread)))) if one["oi"]]
    assert {one["instrument_token"] for one in packets} == {OPTION}
    levels = [one["oi"] for one in packets]
    assert len(packets) == 20 * 4
    # it stands still within a bar and moves by whole lots between two
    assert [levels[at : at + 4] for at in range(0, 80, 4)] == [[levels[at]] * 4 for at in range(0, 80, 4)]
    assert len(set(levels)) > 10
    assert all(level % 75 == 0 for level in levels)
    assert [one["oi_day_high"] for one in packets] == np.maximum.accumulate(levels).tolist()
    assert [one["oi_day_low"] for one in packets] == np.minimum.accumulate(levels).tolist()
