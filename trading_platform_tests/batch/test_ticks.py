"""Each packet of a journal becomes one row with what it told; what damaged frames cost is counted."""

import numpy as np
import polars as pl
import pytest

from trading_platform.batch import ticks as module
from trading_platform.batch.ticks import PacketCount, count_packets, tick_pieces
from trading_platform.wire.journal_records import RecordKind
from trading_platform.wire.kite_encoder import encode_frame
from trading_platform.wire.kite_layout import Mode
from trading_platform.wire.kite_packets import decode
from trading_platform.wire.lake_tables import TICKS
from trading_platform_tests.batch.test_replay import OPEN, Records
from trading_platform_tests.calc.feeding import CASH, DAY, INDEX, NS, Feeding, tick


def packet(length: int) -> bytes:
    """A payload with one packet of this length, all words 7 but the token."""
    words = [CASH if length in {8, 44, 184} else INDEX, *[7] * (length // 4 - 1)]
    body = b"".join(word.to_bytes(4, "big") for word in words)
    return (1).to_bytes(2, "big") + length.to_bytes(2, "big") + body


def send(feeding: Feeding, received: float, payload: bytes) -> None:
    feeding.raw(int(RecordKind.FRAME), payload, int(received * NS))


def rows(feeding: Feeding, counted: PacketCount | None = None) -> pl.DataFrame:
    return TICKS.conform(pl.concat(tick_pieces(Records(feeding), DAY, counted or PacketCount())))


def test_a_full_packet_gives_all_its_columns() -> None:
    feeding = Feeding().opened()
    feeding.frame(OPEN + 0.25, tick(CASH, 100.5, 40, OPEN))
    (row,) = rows(feeding).to_dicts()
    assert (row["token"], row["last_price"], row["day_volume"], row["place"]) == (CASH, 100.5, 40, 0)
    assert row["received_ns"] == int((OPEN + 0.25) * NS)
    assert row["exchange_ns"] == int(OPEN) * NS
    assert row["record"] == len(feeding.records)
    assert [len(row[name]) for name in ("depth_price", "depth_quantity", "depth_orders")] == [10, 10, 10]
    assert (row["mode"], row["is_index"], row["session"]) == (int(Mode.FULL), False, DAY)


@pytest.mark.parametrize(
    ("length", "mode", "known", "unknown"),
    [
        (8, Mode.LTP, (), ("open", "day_volume", "exchange_ns", "depth_price")),
        (28, Mode.QUOTE, ("open",), ("day_volume", "exchange_ns", "depth_price")),
        (32, Mode.FULL, ("open", "exchange_ns"), ("day_volume", "last_trade_ns", "depth_price")),
        (44, Mode.QUOTE, ("open", "day_volume"), ("exchange_ns", "open_interest", "depth_price")),
        (184, Mode.FULL, ("open", "day_volume", "exchange_ns", "open_interest", "depth_price"), ()),
    ],
)
def test_what_a_packet_does_not_tell_is_null(
    length: int, mode: Mode, known: tuple[str, ...], unknown: tuple[str, ...]
) -> None:
    feeding = Feeding().opened()
    send(feeding, OPEN + 1, packet(length))
    (row,) = rows(feeding).to_dicts()
    assert (row["mode"], row["last_price"], row["is_index"]) == (int(mode), 0.07, length in {28, 32})
    assert [row[name] is None for name in (*known, *unknown)] == [False] * len(known) + [True] * len(unknown)


def test_every_packet_is_a_row_in_the_order_of_the_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PIECE_ROWS", 7)
    feeding = Feeding().opened()
    for second in range(20):
        feeding.frame(OPEN + second, tick(CASH, 100.0 + second, second, OPEN + second), tick(INDEX, 50.0, 0, OPEN))
        send(feeding, OPEN + second + 0.5, b"\x00")
    pieces = list(tick_pieces(Records(feeding), DAY, counted := PacketCount()))
    assert len(pieces) > 3
    found = pl.concat(pieces)
    assert found.filter(pl.col("token") == CASH)["last_price"].to_list() == [100.0 + s for s in range(20)]
    assert found["place"].to_list() == [0, 1] * 20
    assert (counted.announced, counted.decoded, counted.lost) == (40, 40, 0)
    assert count_packets(Records(feeding)) == counted


def test_packets_that_damage_cost_are_counted() -> None:
    feeding = Feeding().opened()
    whole = encode_frame(np.concatenate([decode(packet(184))[0]] * 3))
    send(feeding, OPEN, whole[:-10])
    send(feeding, OPEN + 1, (3).to_bytes(2, "big") + whole[2:])
    send(feeding, OPEN + 2, (2).to_bytes(2, "big") + (9).to_bytes(2, "big") + bytes(9) + packet(8)[2:])
    found = rows(feeding, counted := PacketCount())
    assert found.height == counted.decoded == 2 + 3 + 1
    assert (counted.announced, counted.lost) == (8, 2)


def test_a_journal_without_frames_has_no_ticks() -> None:
    assert sum(piece.height for piece in tick_pieces(Records(Feeding().opened()), DAY, PacketCount())) == 0
