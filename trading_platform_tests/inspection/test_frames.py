"""Packets are found by the bytes of their token, wherever those bytes stand, and decoded where they are packets."""

import struct

import numpy as np

from trading_platform.inspection.frames import last_packets
from trading_platform.wire.journal_records import RecordBatch
from trading_platform.wire.kite_layout import Mode
from trading_platform_tests.calc.feeding import CASH, INDEX, NS, OTHER, Feeding, at, tick

OPEN = at("09:15:00")


def batch(feeding: Feeding) -> RecordBatch:
    return feeding.batch()


def test_the_last_packets_come_in_order_with_bytes_and_fields() -> None:
    feeding = Feeding()
    for second in range(4):
        feeding.frame(OPEN + second + 0.5, tick(OTHER, 50.0, 1), tick(CASH, 100.0 + second, 10 * second, OPEN + second))
        feeding.frame(OPEN + second + 0.7, tick(OTHER, 51.0, 2))
        feeding.beat(OPEN + second + 0.9)
    found = last_packets(batch(feeding), CASH, 3)
    assert [(one.record, one.fields["last_price"]) for one in found] == [(4, 101.0), (7, 102.0), (10, 103.0)]
    last = found[-1]
    assert last.received_ns == (OPEN + 3) * NS + 500_000_000
    assert last.lag_seconds == 0.5
    # count word, one full packet of 184 bytes behind its length, the length of ours
    assert (last.offset, last.frame_bytes, len(last.body)) == (2 + 2 + 184 + 2, 2 + 2 * (2 + 184), 184)
    assert struct.unpack_from(">II", last.body) == (CASH, 10300)
    assert last.mode == "full"


def test_what_a_packet_does_not_carry_is_not_known() -> None:
    feeding = Feeding()
    feeding.frame(OPEN, tick(CASH, 100.0, 7, mode=Mode.LTP), tick(INDEX, 500.0, mode=Mode.FULL))
    (ltp,) = last_packets(batch(feeding), CASH, 5)
    assert (ltp.mode, ltp.fields["volume"], ltp.fields["open"], ltp.lag_seconds) == ("ltp", None, None, None)
    (index,) = last_packets(batch(feeding), INDEX, 5)
    assert (index.fields["is_index"], index.fields["volume"]) == (1, None)


def test_the_bytes_of_a_token_elsewhere_are_no_packet() -> None:
    feeding = Feeding()
    feeding.frame(OPEN, tick(CASH, 100.0, 7))
    # as a volume, as a control record's text, behind the frame's end, and half of a packet
    feeding.frame(OPEN + 1, tick(OTHER, 50.0, CASH))
    feeding.raw(3, b'{"type":"connected","x":"' + CASH.to_bytes(4, "big").decode("latin-1").encode() + b'"}', OPEN * NS)
    feeding.raw(1, b"\x00\x01\x00\xb8" + CASH.to_bytes(4, "big") + bytes(9), (OPEN + 2) * NS)
    feeding.raw(1, b"\x00\x01\x00\x05" + CASH.to_bytes(4, "big") + bytes(1), (OPEN + 3) * NS)
    feeding.frame(OPEN + 4, tick(OTHER, 51.0, 2), tail=CASH.to_bytes(4, "big"))
    assert [one.record for one in last_packets(batch(feeding), CASH, 5)] == [1]


def test_a_part_of_a_batch_gives_its_own_packets_only() -> None:
    feeding = Feeding()
    for second in range(6):
        feeding.frame(OPEN + second, tick(CASH, 100.0 + second, second))
    whole = batch(feeding)
    part = RecordBatch(whole.buffer, whole.table[1:3])
    assert [one.record for one in last_packets(part, CASH, 5)] == [2, 3]
    assert last_packets(RecordBatch(whole.buffer, whole.table[:0]), CASH, 5) == []
    assert np.array_equal(whole.table["number"], np.arange(1, 7))
