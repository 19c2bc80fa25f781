"""Compile every kernel once, so that no session has to wait for it."""

from datetime import date, datetime, timedelta

import numpy as np
import orjson
from numpy.typing import NDArray

from trading_platform.calc.bar_indicators import INDICATOR_FIELDS, indicators_scan
from trading_platform.calc.session_pass import SessionPass
from trading_platform.calc.volume.walk_forward import walk_forward
from trading_platform.calc.volume_profile import point_of_control, profile_scan, value_area
from trading_platform.market.clock import to_ns
from trading_platform.market.instruments import InstrumentDay
from trading_platform.market.sessions import SessionClass, load_session_table
from trading_platform.market.synthetic_tokens import assign_tokens
from trading_platform.wire.blocks import content_hash
from trading_platform.wire.instrument_block import to_block
from trading_platform.wire.journal_records import ControlType, RecordKind, encode_control, encode_record, scan_records
from trading_platform.wire.kite_encoder import encode_frame
from trading_platform.wire.kite_layout import TICK, Mode
from trading_platform.wire.session_block import encode_hours

_SESSION = date(2026, 8, 20)


def warm_up(settings: bytes) -> int:
    """Fold a session of one instrument and two minutes; return how many bars it gave. `settings` as in a journal."""
    contents: dict[str, bytes] = {}

    def put(content: bytes) -> str:
        name = content_hash(content)
        contents[name] = content
        return name

    opens = load_session_table().session(SessionClass.NSE_CASH, _SESSION).opens
    day = InstrumentDay(_SESSION, tuple(assign_tokens([("WARM", False)])))
    token = day.instruments[0].token
    before = to_ns(opens - timedelta(minutes=1))
    bodies = [
        (RecordKind.CONTROL, encode_control(ControlType.SESSION_OPENED, session=_SESSION.isoformat()), before),
        (RecordKind.CONTROL, encode_control(ControlType.SETTINGS, sha256=put(settings)), before),
        (
            RecordKind.CONTROL,
            encode_control(ControlType.SESSION_TABLE, sha256=put(encode_hours(load_session_table(), _SESSION))),
            before,
        ),
        (RecordKind.CONTROL, encode_control(ControlType.INSTRUMENTS, sha256=put(to_block(day))), before),
        (
            RecordKind.CONTROL,
            encode_control(ControlType.SUBSCRIBED, socket=0, mode="full", sha256=put(orjson.dumps([token]))),
            before,
        ),
        *((RecordKind.FRAME, _frame(token, opens, k), to_ns(opens + timedelta(seconds=40 * k))) for k in range(4)),
        (RecordKind.CONTROL, encode_control(ControlType.SESSION_CLOSED), to_ns(opens + timedelta(minutes=5))),
    ]
    raw = b"".join(encode_record(k + 1, at, kind, body) for k, (kind, body, at) in enumerate(bodies))
    produced = SessionPass(_SESSION, contents.__getitem__).feed(scan_records(raw).records)
    volume: NDArray[np.float64] = np.fmod(np.arange(96.0), 7.0).reshape(2, 12, 4) + 1.0
    walk_forward(volume, 10, 2)
    line = np.ones(4)
    indicators_scan(np.zeros(INDICATOR_FIELDS), line, line, line)
    whole = np.zeros(1, np.int64)
    volumes, _ = profile_scan(whole, whole, whole + 1, whole, 1)
    value_area(volumes, point_of_control(volumes)[0])
    return len(produced.bars)


def _frame(token: int, opens: datetime, k: int) -> bytes:
    ticks = np.zeros(1, TICK)
    ticks["token"], ticks["segment"], ticks["mode"] = token, token & 0xFF, int(Mode.FULL)
    ticks["last_price"], ticks["volume"] = 100.0 + k, 10 * k
    ticks["exchange_time"] = int((opens + timedelta(seconds=40 * k)).timestamp())
    return encode_frame(ticks)
