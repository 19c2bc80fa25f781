from pathlib import Path

from trading_platform.cli.bench_load import Load
from trading_platform.cli.bench_stack import SESSION, SHARD, Stack
from trading_platform.cli.bench_stream import StreamSource
from trading_platform.wire import redis_keys


def test_the_writer_records_until_it_is_stopped_and_tells_what(tmp_path: Path) -> None:
    source = StreamSource()
    with Stack(tmp_path) as stack:
        clock = source.begin(stack, Load(20, 10, 1.0, instruments=30))
        frames = redis_keys.frames(SHARD, SESSION)
        stack.wait("some frames", lambda: stack.manager.connect().xlen(frames) > 20)
        sent = source.finish(stack)
        arrivals, recorded = stack.recorded(clock)
        assert stack.manager.connect().xlen(frames) == len(arrivals.received_ns)
    assert sent == recorded
    assert source.told() == {"redis_failures": 0}
    assert arrivals.packets.max() == 20
    assert not list(tmp_path.iterdir())
