from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import pytest

from trading_platform.calc.session_pass import SessionPass
from trading_platform.cli.simulate_inputs import Trade, make_offer
from trading_platform.errors import ExchangeRefusal
from trading_platform.market.sessions import load_session_table
from trading_platform.ports import SessionContents
from trading_platform.settings import CalculationSettings
from trading_platform.simulator.exchange.faults import Fault, FaultKind, SocketFaults, read_fault
from trading_platform.simulator.player import Play, play_session
from trading_platform.wire.instrument_block import to_block
from trading_platform.wire.journal_records import ControlType
from trading_platform.wire.records import Rows
from trading_platform.wire.session_block import encode_hours
from trading_platform_tests.session_data import Item, SessionData

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


@dataclass
class FaultySocket:
    """Takes what a player gives through the faults of one socket; heartbeats go past them, as on the exchange."""

    faults: SocketFaults
    items: list[Item] = field(default_factory=list)

    def frame(self, payload: bytes, received_ns: int, *, socket: int = 0) -> int:  # noqa: ARG002
        shaped = [payload] if len(payload) == 1 else self.faults.shape(payload)
        self.items += [Item(received_ns, each) for each in shaped]
        return len(self.items)

    def control(self, control: ControlType, /, *, received_ns: int, content: bytes | None = None, **fields: Any) -> int:
        fields.pop("socket", None)
        self.items.append(Item(received_ns, control=control, content=content, fields=tuple(fields.items())))
        return len(self.items)

    def flush(self) -> None:
        pass


def bars_through(socket: FaultySocket, play: Play) -> tuple[Rows, dict[str, int]]:
    play_session(play, socket)
    data = SessionData(play.session, tuple(socket.items))
    state = SessionPass(play.session, data.contents.__getitem__)
    return state.feed(data.batch).bars, state.counters


def test_what_is_sent_twice_or_in_another_order_changes_no_bar() -> None:
    session, table = date(2016, 8, 16), load_session_table()
    offer = make_offer(Trade(session=session, names=150, minutes=6))
    settings = CalculationSettings().canonical()
    contents = SessionContents(settings, encode_hours(table, session), to_block(offer.day), None, None)
    play = Play(session, "k1", "1.2.3", offer.opens, contents, offer.bars, "synthetic")
    kinds = [FaultKind.DUPLICATE, FaultKind.REORDER, FaultKind.REORDER, FaultKind.DUPLICATE, FaultKind.DUPLICATE]
    socket = FaultySocket(faults(*(Fault(kind, count=3) for kind in kinds * 15)))
    faulty, counters = bars_through(socket, play)
    assert socket.faults.counts == {FaultKind.DUPLICATE: 135, FaultKind.REORDER: 90}
    assert counters["duplicates"] > 100
    assert counters["reordered"] > 0
    clean, _ = bars_through(FaultySocket(faults()), play)
    # no revision, no flag, nothing: but the record that closed a bar and the number of packets that made it
    for name in set(faulty.dtype.names or ()) - {"ticks", "record"}:
        assert faulty[name].tobytes() == clean[name].tobytes(), name
    minutes = faulty[faulty["interval"] == 1]
    order = np.lexsort((minutes["start"], minutes["token"]))
    for name in ("token", "start", "open", "high", "low", "close"):
        assert minutes[name][order].tolist() == getattr(offer.bars, name).tolist()
    volume = np.nan_to_num(minutes["volume"][order])  # an index has none
    assert volume.tolist() == offer.bars.volume.tolist()
