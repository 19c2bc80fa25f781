import itertools

from hypothesis import given, settings

from trading_platform.simulator.frames import MAX_PACKETS, Frame, arrival_ns, session_frames
from trading_platform.wire.kite_packets import HEARTBEAT
from trading_platform_tests.simulator.made_bars import START, MadeBar, columns, made_session
from trading_platform_tests.simulator.rebuilding import naive_ticks, official_ticks

SECOND = 1_000_000_000


def frames_of(bars: list[MadeBar], first: int = START - 5, last: int = START + 60 * 32) -> list[Frame]:
    return list(session_frames(columns(bars), first, last))


@given(made_session())
@settings(max_examples=25, deadline=None)
def test_every_second_has_frames_or_one_heartbeat_in_order_of_arrival(bars: list[MadeBar]) -> None:
    frames = frames_of(bars)
    assert all(before.received_ns < after.received_ns for before, after in itertools.pairwise(frames))
    assert {frame.received_ns // SECOND for frame in frames} == set(range(START - 5, START + 60 * 32 + 1))
    for frame in frames:
        ticks = naive_ticks(frame.payload)
        assert len(ticks) == frame.ticks == len(official_ticks(frame.payload) if frame.ticks else [])
        assert (frame.payload == HEARTBEAT) == (not ticks)
        assert {tick.second for tick in ticks} <= {frame.received_ns // SECOND}


def test_a_busy_second_is_split_and_still_arrives_within_it() -> None:
    bars = [MadeBar(number * 256 + 1, 0, (100, 110, 95, 105), 10) for number in range(1, 9000)]
    frames = frames_of(bars, START, START + 59)
    assert max(frame.ticks for frame in frames) == MAX_PACKETS
    assert sum(frame.ticks for frame in frames) == 4 * len(bars)
    assert all(before.received_ns < after.received_ns for before, after in itertools.pairwise(frames))
    assert all(frame.received_ns - naive_ticks(frame.payload)[0].second * SECOND < SECOND for frame in frames)


def test_the_same_bars_make_the_same_bytes() -> None:
    bars = [MadeBar(number * 256 + 1, number % 7, (100, 110, 95, 105), 10) for number in range(1, 50)]
    assert frames_of(bars) == frames_of(list(reversed(bars)))


def test_frames_arrive_after_their_second() -> None:
    delays = {arrival_ns(second) - second * SECOND for second in range(START, START + 1000)}
    assert min(delays) >= 400_000_000
    assert max(delays) < 450_000_000
    assert len(delays) > 10
