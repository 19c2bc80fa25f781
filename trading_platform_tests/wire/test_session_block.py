from datetime import date
from typing import Any

import orjson
import pytest

from trading_platform.errors import BlockFormatError, NoSessionError
from trading_platform.market.sessions import SessionClass, load_session_table
from trading_platform.wire.session_block import decode_hours, encode_hours

TABLE = load_session_table()
DAY = date(2026, 8, 5)
OPEN = 1785901500  # 09:15 of that day in India, as `date -d "2026-08-05 09:15 +0530" +%s` tells it


def test_hours_come_back_phase_by_phase() -> None:
    hours = decode_hours(encode_hours(TABLE, DAY))
    assert (hours.session, hours.table_version) == (DAY, TABLE.version)
    for name, phases in hours.phases.items():
        told = [(phase.kind, phase.start, phase.end) for phase in phases]
        table = TABLE.session(name, DAY).phases
        assert told == [(p.kind, int(p.start.timestamp()), int(p.end.timestamp())) for p in table]
    assert hours.phases[SessionClass.NSE_CASH_FNO][1].start == OPEN


def test_the_same_day_gives_the_same_bytes() -> None:
    assert encode_hours(TABLE, DAY) == encode_hours(load_session_table(), DAY)


def test_a_day_without_any_exchange_is_refused() -> None:
    with pytest.raises(NoSessionError):
        encode_hours(TABLE, date(2026, 8, 8))


def test_a_closed_class_is_absent() -> None:
    # Moharram: NSE is shut, MCX trades in the evening
    assert set(decode_hours(encode_hours(TABLE, date(2026, 6, 26))).phases) == {SessionClass.MCX}


def content(**changes: Any) -> bytes:
    good = orjson.loads(encode_hours(TABLE, DAY))
    return orjson.dumps({**good, **changes})


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"[]",
        b"{}",
        content(version=2),
        content(session="yesterday"),
        content(phases=[]),
        content(phases={"MOON": []}),
        content(phases={"MCX": [[0, 1]]}),
        content(phases={"MCX": [[9, OPEN, OPEN + 60]]}),
        content(phases={"MCX": []}),
        content(phases={"MCX": [[1, OPEN, OPEN + 60]]}),  # no continuous trading
        content(phases={"MCX": [[0, OPEN, OPEN + 90]]}),  # half a minute
        content(phases={"MCX": [[0, OPEN + 60, OPEN]]}),  # backwards
        content(phases={"MCX": [[0, OPEN, OPEN + 120], [3, OPEN + 60, OPEN + 180]]}),  # one over the other
        content(phases={"MCX": [[0, OPEN, OPEN + 86_400]]}),  # into the next day
        content(phases={"MCX": [[0, OPEN - 86_400, OPEN]]}),
    ],
)
def test_anything_else_is_refused_by_name(bad: bytes) -> None:
    with pytest.raises(BlockFormatError):
        decode_hours(bad)
