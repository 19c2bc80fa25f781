import numpy as np
import orjson
import pytest

from trading_platform.cli import bench_decode
from trading_platform.cli.bench_decode import mixed_frame, same
from trading_platform.wire.kite_packets import DAMAGE, TICK, damage_capacity, decode_frame, tick_capacity
from trading_platform_tests.wire.official_client import parse


def test_it_says_that_both_read_the_same(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_decode, "FRAMES", 2)
    monkeypatch.setattr(bench_decode, "ROUNDS", 1)
    bench_decode.main()
    told = orjson.loads(capsys.readouterr().out)
    assert told["equal"] == {"values": True}
    assert told["packets"] == 400
    assert told["ratio"] > 1.0


def test_any_other_value_of_a_packet_shows() -> None:
    frame = mixed_frame(np.random.default_rng(5))
    ticks, damage = np.empty(tick_capacity(len(frame)), TICK), np.empty(damage_capacity(len(frame)), DAMAGE)
    decode_frame(np.frombuffer(frame, np.uint8), 0, len(frame), ticks, 0, damage, 0)
    full = next(place for place, tick in enumerate(ticks[:200]) if tick["mode"] == 3 and not tick["is_index"])
    theirs = parse(frame)[full]
    assert same(theirs, ticks[full])
    for name in TICK.names:
        if name in {"segment", "mode", "is_index", "pad"}:
            continue
        changed = ticks[full].copy()
        changed[name] += 1
        assert not same(theirs, changed), name
