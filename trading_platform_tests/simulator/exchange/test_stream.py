import asyncio

from trading_platform.market.clock import pause
from trading_platform.simulator.exchange.clock import ExchangeClock
from trading_platform.simulator.exchange.market import Market
from trading_platform.simulator.exchange.stream import Pace, Stream
from trading_platform.simulator.exchange.subscriptions import Subscriptions
from trading_platform_tests.simulator.exchange.offered import PREVIOUS_CLOSE, TOKENS, made
from trading_platform_tests.simulator.exchange.test_market import given_by, wanted
from trading_platform_tests.simulator.made_bars import INDEX, OTHER, START, STOCK, columns
from trading_platform_tests.simulator.rebuilding import naive_ticks, official_ticks

SECOND = 1_000_000_000
BEGIN = (START - 10) * SECOND


def stream(text: str, pace: Pace | None = None, *, speed: float = 1e6, begin: int = BEGIN) -> Stream:
    pace = pace or Pace()
    market = Market(columns(made(), previous_close=PREVIOUS_CLOSE), steady=pace.packets_per_second is not None)
    subscriptions = Subscriptions()
    subscriptions.apply(text)
    made_stream = Stream(market, ExchangeClock(begin, speed, held=True), pace, subscriptions)
    made_stream.subscriptions_changed()
    return made_stream


def all_of(one: Stream) -> list[bytes]:
    async def gather() -> list[bytes]:
        asyncio.get_running_loop().call_later(0.01, one._clock.start)
        return [frame async for frame in one.frames()]

    return asyncio.run(gather())


def full(*tokens: int) -> str:
    return f'{{"a":"mode","v":["full",{list(tokens)}]}}'


def test_a_socket_gets_its_instruments_and_they_rebuild_their_bars() -> None:
    frames = all_of(stream(full(STOCK, INDEX)))
    assert given_by(frames) == wanted([bar for bar in made() if bar.token in {STOCK, INDEX}])


def test_a_steady_stream_sends_each_instrument_so_often_and_keeps_its_bars() -> None:
    frames = all_of(stream(full(*TOKENS), Pace(packets_per_second=2, packets_per_frame=4)))
    assert given_by(frames) == wanted(made())
    ticks = [tick for frame in frames for tick in naive_ticks(frame)]
    assert len(ticks) == 2 * 60 * len(made())
    assert max(len(naive_ticks(frame)) for frame in frames) == 4


def test_frames_come_when_they_are_due() -> None:
    one = stream(full(*TOKENS), speed=2000.0)
    late = []

    async def listen() -> None:
        asyncio.get_running_loop().call_later(0.01, one._clock.start)
        async for frame in one.frames():
            second = naive_ticks(frame)[0].second
            late.append(one._clock.now_ns() - second * SECOND)

    asyncio.run(listen())
    # 400 ms after its second at the earliest; a real millisecond is two simulated seconds here
    assert min(late) > 0.4 * SECOND - 2 * SECOND
    assert late[0] < 1000 * SECOND


def test_nothing_subscribed_is_nothing_sent() -> None:
    assert all_of(stream('{"a":"subscribe","v":[]}')) == []
    assert all_of(stream('{"a":"subscribe","v":[999]}')) == []


def test_a_stream_begins_now_and_not_at_the_open() -> None:
    frames = all_of(stream(full(STOCK), begin=(START + 600) * SECOND, speed=1e5))
    seconds = [tick.second for frame in frames for tick in naive_ticks(frame)]
    assert START + 600 <= min(seconds) < START + 800
    assert max(seconds) > START + 1700


def test_the_last_tick_comes_in_the_mode_of_the_subscription() -> None:
    one = stream(f'{{"a":"subscribe","v":[{STOCK},{INDEX},999]}}', speed=1.0, begin=(START + 600) * SECOND)
    (frame,) = one.last_ticks((STOCK, INDEX, 999))
    ticks = official_ticks(frame)
    # minute 9 of the stock: open 100.90, close 101.00; of the index (third): open 110.90, close 110.
    assert {tick["instrument_token"]: tick["mode"] for tick in ticks} == {STOCK: "quote", INDEX: "quote"}
    assert {tick["instrument_token"]: tick["last_price"] for tick in ticks} == {STOCK: 101.0, INDEX: 111.0}


def test_before_its_first_tick_an_instrument_shows_yesterday_only_when_told_to() -> None:
    text = full(OTHER)
    assert list(stream(text, speed=1.0).last_ticks((OTHER,))) == []
    (frame,) = stream(text, Pace(yesterday_second=START - 70_000), speed=1.0).last_ticks((OTHER,))
    (tick,) = official_ticks(frame)
    assert (tick["last_price"], tick["last_trade_time"].timestamp()) == (PREVIOUS_CLOSE, START - 70_000)


def test_the_last_tick_of_a_socket_that_is_behind_is_not_ahead_of_its_next_frame() -> None:
    one = stream(full(STOCK), speed=1e6)

    async def ask_late() -> tuple[list[bytes], list[bytes], bytes]:
        frames = one.frames()
        following = asyncio.ensure_future(anext(frames))
        await asyncio.sleep(0)
        one._clock.start()
        # the loop is held up: a thousand simulated seconds and more go by before the first frame is sent
        pause(0.002)
        before = list(one.last_ticks((STOCK,)))
        first = await following
        return before, list(one.last_ticks((STOCK,))), first

    before, after, first = asyncio.run(ask_late())
    assert before == []
    assert {tick.second for frame in after for tick in naive_ticks(frame)} <= {naive_ticks(first)[0].second}
