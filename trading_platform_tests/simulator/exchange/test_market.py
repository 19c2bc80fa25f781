import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_platform.simulator.exchange.market import UNKNOWN, Market, Wall
from trading_platform.wire.kite_encoder import encode_frame
from trading_platform_tests.simulator.exchange.offered import PREVIOUS_CLOSE, TOKENS, made
from trading_platform_tests.simulator.made_bars import INDEX, START, STOCK, MadeBar, columns, made_session
from trading_platform_tests.simulator.rebuilding import naive_ticks, official_ticks, rebuild


def wanted(bars: list[MadeBar]) -> dict[tuple[int, int], tuple[float, ...]]:
    return {bar.key: (*(word / 100 for word in bar.words), float(bar.volume)) for bar in bars}


def given_by(frames: list[bytes]) -> dict[tuple[int, int], tuple[float, ...]]:
    bars = rebuild(tick for frame in frames for tick in naive_ticks(frame))
    return {key: (bar.open, bar.high, bar.low, bar.close, float(bar.volume)) for key, bar in bars.items()}


@given(made_session(), st.booleans())
@settings(max_examples=25, deadline=None)
def test_the_ticks_of_all_seconds_rebuild_the_bars(bars: list[MadeBar], steady: bool) -> None:
    market = Market(columns(bars), steady=steady)
    frames, second = [], market.first_second
    while (following := market.next_second(second)) is not None:
        indices, places = market.ticks_in(following)
        rows = market.rows(indices)
        assert rows["token"].tolist() == market.tokens[places].tolist()
        assert set(rows["exchange_time"].tolist()) == {following}
        again, same_places = market.rows_in(following)
        assert (again.tobytes(), same_places.tolist()) == (rows.tobytes(), places.tolist())
        assert len(market.rows_in(following - 10**6)[0]) == 0
        frames.append(encode_frame(rows))
        second = following + 1
    assert given_by(frames) == wanted(bars)


def test_what_stands_is_repeated_without_changing_a_bar() -> None:
    bars = made()
    market = Market(columns(bars), steady=True)
    frames = []
    for second in range(market.first_second, market.end_second):
        indices = market.latest(np.arange(len(TOKENS)), second)
        rows = market.rows(indices[market.in_minute(indices, second)])
        rows["exchange_time"] = second
        frames.append(encode_frame(rows))
    assert given_by(frames) == wanted(bars)
    assert sum(len(naive_ticks(frame)) for frame in frames) == 60 * len(bars)


def test_the_latest_tick_is_found_by_instrument_and_second() -> None:
    market = Market(columns(made()))
    places = market.places(np.array([STOCK, 999, INDEX]))
    assert places[1] == UNKNOWN
    assert market.tokens[places[[0, 2]]].tolist() == [STOCK, INDEX]
    assert market.latest(places[[0, 2]], START - 1).tolist() == [UNKNOWN, UNKNOWN]
    last = market.rows(market.latest(places[[0, 2]], START + 10**6))
    assert last["last_price"].tolist() == [103.0, 113.0]  # closes of minute 29
    assert last["token"].tolist() == [STOCK, INDEX]


def test_the_forming_minute_holds_its_ticks_so_far() -> None:
    market = Market(columns(made()))
    place = int(market.places(np.array([STOCK]))[0])
    whole = market.rows(market.forming(place, START + 60 * 5 + 59))
    assert [whole["last_price"].max(), whole["last_price"].min()] == [100.75, 100.25]
    for second in range(60):
        part = market.rows(market.forming(place, START + 60 * 5 + second))
        assert part["exchange_time"].tolist() == [
            t for t in whole["exchange_time"].tolist() if t <= START + 300 + second
        ]
    assert len(market.forming(place, START + 60 * 2 + 59)) == 0


def test_yesterday_is_the_close_before_at_the_second_given() -> None:
    market = Market(columns(made(), previous_close=PREVIOUS_CLOSE))
    rows = market.yesterday(market.places(np.array([STOCK, INDEX])), START - 100_000)
    stock, index = official_ticks(encode_frame(rows))
    assert (stock["last_price"], index["last_price"]) == (PREVIOUS_CLOSE, PREVIOUS_CLOSE)
    assert stock["last_trade_time"].timestamp() == stock["exchange_timestamp"].timestamp() == START - 100_000
    assert Market(columns(made())).yesterday(np.array([0]), 1)["last_price"][0] == 0.0


def test_a_wall_stands_in_the_book_and_vanishes() -> None:
    wall = Wall(STOCK, START + 60, START + 180, 2, 1_000_000)
    with_wall, without = Market(columns(made()), walls=[wall]), Market(columns(made()))
    indices = np.arange(len(without.rows(np.arange(100))))
    rows, plain = with_wall.rows(indices), without.rows(indices)
    standing = (
        (plain["token"] == STOCK) & (plain["exchange_time"] >= START + 60) & (plain["exchange_time"] < START + 180)
    )
    assert standing.sum() > 3
    assert (rows["depth_quantity"][:, 2] - plain["depth_quantity"][:, 2]).tolist() == (standing * 1_000_000).tolist()
    assert (rows["total_buy_quantity"] - plain["total_buy_quantity"]).tolist() == (standing * 1_000_000).tolist()
    assert (rows["total_sell_quantity"] == plain["total_sell_quantity"]).all()
