"""What a session has to leave in Redis and in its last state file, and where what is there differs from that."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trading_platform._jit_cache import code_fingerprint
from trading_platform.calc.session_pass import STATE_KIND, STATE_VERSION, SessionPass
from trading_platform.ports import RecordSource
from trading_platform.streaming.checkpoint import StateFiles
from trading_platform.wire import redis_keys
from trading_platform.wire.blocks import decode_block
from trading_platform.wire.records import BAR, INDICATOR, LATEST, SIGNAL, Rows, Schema, unpack_rows

REPLAY_BYTES = 100_000_000


@dataclass(frozen=True)
class Outcome:
    """Everything that one undisturbed pass over the records gives."""

    rows: dict[str, Rows]
    features: list[bytes]
    latest: dict[int, bytes]
    digests: dict[str, str]
    position: int
    state: dict[str, Any]


def replayed(source: RecordSource, session: Any) -> Outcome:
    """Fold all records of a journal in one go."""
    state = SessionPass(session, source.blob)
    produced = state.feed(source.read(0, REPLAY_BYTES, 0.0))
    while len(more := source.read(state.position, REPLAY_BYTES, 0.0)):
        produced = _joined(produced, state.feed(more))
    latest = {int(row["token"]): row.tobytes() for row in state.drain_latest()}
    return Outcome(
        rows={"bars": produced.bars, "indicators": produced.indicators, "signals": produced.signals},
        features=[entry.block for entry in produced.entries["features"]],
        latest=latest,
        digests={family: digest.hex() for family, digest in state.digests.items()},
        position=state.position,
        state=comparable(state),
    )


def differences(client: Any, shard: str, session: Any, *, expected: Outcome) -> list[str]:
    """Name everything in Redis that is not what an undisturbed pass gives."""
    faults: list[str] = []
    bars = client.xrange(redis_keys.bars(shard, session))
    signals = client.xrange(redis_keys.signals(shard, session))
    faults += _compare("bars", BAR, [fields[b"bars"] for _, fields in bars], expected)
    faults += _compare("indicators", INDICATOR, [f[b"indicators"] for _, f in bars if b"indicators" in f], expected)
    faults += _compare("signals", SIGNAL, [fields[b"signal"] for _, fields in signals], expected)
    faults += _misnumbered(BAR, b"bars", bars) + _misnumbered(SIGNAL, b"signal", signals)
    window = [fields[b"features"] for _, fields in client.xrange(redis_keys.features(shard, session))]
    if window != expected.features[-redis_keys.FEATURES_WINDOW_BLOCKS :]:
        faults.append(f"the window of features differs ({len(window)} blocks)")
    latest = client.hgetall(redis_keys.latest(shard, session))
    if {int(token): unpack_rows(LATEST, block).tobytes() for token, block in latest.items()} != expected.latest:
        faults.append("latest differs")
    position = client.hgetall(redis_keys.position(shard, session))
    if int(position.get(b"record", b"0")) != expected.position:
        faults.append(f"the position is {position.get(b'record')!r}, not {expected.position}")
    for family, digest in expected.digests.items():
        if position.get(f"{family}_digest".encode()) != digest.encode():
            faults.append(f"the digest of {family} differs")
    return faults


def comparable(state: SessionPass) -> dict[str, Any]:
    """Return what a state remembers; which `latest` rows were drained last depends on batches and is left out."""
    block = decode_block(state.save(), STATE_KIND, STATE_VERSION)
    arrays = {name: array.tobytes() for name, array in block.arrays.items() if name != "latest_dirty"}
    return {"meta": block.meta, **arrays}


def state_differences(folder: Path, blob: Callable[[str], bytes], *, expected: Outcome) -> list[str]:
    """Name what in the newest state file is not what an undisturbed pass remembers."""
    complaints: list[str] = []
    last = StateFiles(folder, code=code_fingerprint(), report=complaints.append).load(blob, 2**62)
    if last is None:
        return [f"{folder} holds no usable state", *complaints]
    found = comparable(last)
    return complaints + [f"state: {name} differs" for name, value in expected.state.items() if found[name] != value]


def _compare(family: str, schema: Schema, blocks: list[bytes], expected: Outcome) -> list[str]:
    found = [unpack_rows(schema, block) for block in blocks]
    rows = np.concatenate(found) if found else np.zeros(0, schema.dtype)
    wanted = expected.rows[family]
    if rows.tobytes() == wanted.tobytes():
        return []
    return [f"{family}: {len(rows)} rows, {len(wanted)} expected"]


def _misnumbered(schema: Schema, field: bytes, entries: list[Any]) -> list[str]:
    wrong = [
        entry_id
        for entry_id, fields in entries
        if set(unpack_rows(schema, fields[field])["record"].tolist()) != {int(entry_id.split(b"-")[0])}
    ]
    return [f"{schema.name} entries with another ID than their record: {wrong[:3]}"] if wrong else []


def _joined(first: Any, second: Any) -> Any:
    return type(first)(
        *(np.concatenate([getattr(first, n), getattr(second, n)]) for n in ("bars", "indicators", "signals")),
        {family: first.entries[family] + second.entries[family] for family in first.entries},
    )
