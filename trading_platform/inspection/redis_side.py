"""What Redis holds of one instrument, read before the journal is, and how it compares with the journal's pass."""

from dataclasses import dataclass, field, replace
from datetime import date

import numpy as np

from trading_platform.errors import BlockFormatError, StoreUnavailable
from trading_platform.inspection.differences import Compared, Difference, Values, compare_rows
from trading_platform.inspection.names import bar_name, latest_name, pulse_name, signal_name
from trading_platform.inspection.trace import Trace
from trading_platform.ports import LivePosition
from trading_platform.storage.redis_manager import RedisManager
from trading_platform.storage.redis_store import RedisStore
from trading_platform.wire.records import BAR, FEATURE, INDICATOR, LATEST, SIGNAL, Rows, Schema, row_as_dict

REDIS = "Redis"
_BAR_KEY = ("record", "interval", "start", "revision")
_SIGNAL_KEY = ("record", "interval", "pattern", "direction")
_COMPARED = ((BAR, _BAR_KEY, bar_name), (INDICATOR, _BAR_KEY, bar_name), (SIGNAL, _SIGNAL_KEY, signal_name))


@dataclass(frozen=True, slots=True)
class RedisSide:
    """What was found; `away` says why nothing could be read, `unreadable` what stands there that is not ours."""

    position: LivePosition | None = None
    latest: Rows = field(default_factory=lambda: np.zeros(0, LATEST.dtype))
    rows: dict[Schema, Rows] = field(default_factory=dict)
    features: dict[tuple[int, int], Rows] = field(default_factory=dict)
    away: str | None = None
    unreadable: str | None = None

    @property
    def record(self) -> int | None:
        """Return the record that the outputs reach, None when nothing is known."""
        return None if self.position is None else self.position.record


def read_redis(manager: RedisManager, shard: str, session: date, token: int) -> RedisSide:
    """Read what Redis holds of an instrument; nothing is started, and what cannot be read is said."""
    try:
        client = manager.attach()
    except StoreUnavailable as error:
        return RedisSide(away=str(error))
    if client is None:
        return RedisSide(away=f"{manager.address} does not run")
    try:
        return _read(RedisStore(client, shard), session, token)
    except StoreUnavailable as error:
        return RedisSide(away=str(error))
    finally:
        client.close()


def compare_with_redis(side: RedisSide, found: Trace) -> Compared:
    """Compare every row up to the record that both reach, and the last packet where both stand at the same record."""
    if side.away is not None:
        return Compared(REDIS, f"away, not compared: {side.away}")
    if side.unreadable is not None:
        return Compared(REDIS, "not readable", None, (Difference(REDIS, "what it holds", "rows", side.unreadable),))
    if side.position is None:
        return Compared(REDIS, "holds nothing of this session (no engine ran, or its lifetime is over): not compared")
    until = min(side.position.record, found.state.position)
    differences = _compare_families(side, found, until) + _compare_features(side, found, until)
    rows = sum(len(_upto(found.of(schema), until)) for schema in side.rows)
    told = f"rows up to record {until:,}"
    if found.latest_at is None:
        told += f"; not latest, which stands at record {side.position.record:,}"
    else:
        differences += _compare_latest(side, found.latest_at[1])
        told += ", latest and features"
    if side.position.record > found.state.position and found.reached_end:
        differences.append(Difference(REDIS, "last record", found.state.position, side.position.record))
    return Compared(REDIS, told, rows, tuple(differences))


def _read(store: RedisStore, session: date, token: int) -> RedisSide:
    side = RedisSide()
    try:
        position, latest = store.position_and_latest(session, token)
        side = replace(side, position=position, latest=latest)
        bars, indicators = store.read_bars(session)
        rows = {BAR: bars, INDICATOR: indicators, SIGNAL: store.read_signals(session)}
        features = {entry: _of(token, found) for entry, found in store.read_features(session).items()}
    except BlockFormatError as error:
        return replace(side, unreadable=str(error))
    return replace(side, rows={schema: _of(token, found) for schema, found in rows.items()}, features=features)


def _compare_families(side: RedisSide, found: Trace, until: int) -> list[Difference]:
    differences = []
    for schema, key, name in _COMPARED:
        ours, theirs = (_values(schema, _upto(rows, until)) for rows in (found.of(schema), side.rows[schema]))
        differences += compare_rows(REDIS, name, key=key, journal=ours, stored=theirs)
    return differences


def _compare_features(side: RedisSide, found: Trace, until: int) -> list[Difference]:
    """Compare the pulses that both sides still keep."""
    if not found.features:
        return []
    first = min(found.features)
    held = {entry: rows for entry, rows in side.features.items() if first <= entry and entry[0] <= until}
    ours = {entry: rows for entry, rows in found.features.items() if held and min(held) <= entry and entry[0] <= until}
    return compare_rows(REDIS, pulse_name, key=("record", "part"), journal=_pulses(ours), stored=_pulses(held))


def _compare_latest(side: RedisSide, latest: Rows) -> list[Difference]:
    ours, theirs = (_values(LATEST, rows) for rows in (latest, side.latest))
    return compare_rows(REDIS, latest_name, key=("token",), journal=ours, stored=theirs)


def _pulses(features: dict[tuple[int, int], Rows]) -> list[Values]:
    return [
        {"record": record, "part": part, **values}
        for (record, part), rows in features.items()
        for values in _values(FEATURE, rows)
    ]


def _values(schema: Schema, rows: Rows) -> list[Values]:
    return [{"family": schema.name, **row_as_dict(row)} for row in rows]


def _upto(rows: Rows, until: int) -> Rows:
    return rows[rows["record"] <= until]


def _of(token: int, rows: Rows) -> Rows:
    mine: Rows = rows[rows["token"] == token].copy()
    return mine
