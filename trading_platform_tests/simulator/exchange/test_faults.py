from collections import Counter

import pytest

from trading_platform.errors import ExchangeRefusal
from trading_platform.simulator.exchange.faults import Fault, FaultKind, SocketFaults, read_fault

FRAME, NEXT = bytes([0, 1, 0, 8]) + b"12345678", bytes([0, 1, 0, 8]) + b"abcdefgh"


def faults(*added: Fault) -> SocketFaults:
    found = SocketFaults(Counter())
    for one in added:
        found.add(one)
    return found


@pytest.mark.parametrize(
    ("fault", "wanted"),
    [
        (Fault(FaultKind.TRUNCATE), [FRAME[:6], NEXT]),
        (Fault(FaultKind.TRUNCATE, value=3), [FRAME[:3], NEXT]),
        (Fault(FaultKind.DUPLICATE), [FRAME, FRAME, NEXT]),
        (Fault(FaultKind.REORDER), [NEXT, FRAME]),
        (Fault(FaultKind.WRONG_LENGTH), [FRAME[:2] + bytes([0, 45]) + FRAME[4:], NEXT]),
        (Fault(FaultKind.WRONG_LENGTH, count=2, value=9), [f[:2] + bytes([0, 9]) + f[4:] for f in (FRAME, NEXT)]),
    ],
)
def test_damage_befalls_so_many_frames_and_is_counted(fault: Fault, wanted: list[bytes]) -> None:
    socket = faults(fault)
    assert [*socket.shape(FRAME), *socket.shape(NEXT)] == wanted
    assert socket.counts == {fault.kind: fault.count}
    assert socket.shape(FRAME) == [FRAME]


def test_silence_is_lost_a_stall_and_a_slow_drain_are_late() -> None:
    assert not faults().is_silent()
    assert faults(Fault(FaultKind.SILENCE, seconds=9)).is_silent()
    assert not faults(Fault(FaultKind.SILENCE, seconds=0)).is_silent()
    stalled = faults(Fault(FaultKind.STALL, seconds=9))
    assert stalled.is_stalled()
    assert 8 < stalled.delay_seconds(10) <= 9
    assert faults(Fault(FaultKind.SLOW_DRAIN, value=100)).delay_seconds(50) == 0.5
    assert faults().delay_seconds(10**9) == 0.0


def test_faults_can_be_ended_and_a_frame_held_back_still_comes() -> None:
    socket = faults(
        Fault(FaultKind.SILENCE), Fault(FaultKind.STALL), Fault(FaultKind.REORDER), Fault(FaultKind.TRUNCATE)
    )
    assert socket.shape(FRAME) == []
    socket.clear()
    assert not socket.is_silent()
    assert socket.delay_seconds(10) == 0.0
    assert socket.shape(NEXT) == [NEXT, FRAME]


def test_a_fault_is_read_from_json() -> None:
    body = {"kind": "slow_drain", "socket": 2, "seconds": 1.5, "value": 10}
    assert read_fault(body) == Fault(FaultKind.SLOW_DRAIN, socket=2, seconds=1.5, value=10)
    assert read_fault({"kind": "drop"}) == Fault(FaultKind.DROP)


@pytest.mark.parametrize(
    "body",
    [None, [], {}, {"kind": "fire"}, {"kind": "drop", "colour": 1}, {"kind": "drop", "socket": "0"},
     {"kind": "stall", "seconds": -1}, {"kind": "stall", "seconds": True}, {"kind": "truncate", "count": -1}],
)  # fmt: skip
def test_what_is_no_fault_is_refused(body: object) -> None:
    with pytest.raises(ExchangeRefusal) as refusal:
        read_fault(body)
    assert refusal.value.status == 400
