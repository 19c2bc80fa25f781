"""Makes legacy databases from a seed: all families of L3 and L4 as their writers left them, defects included.

What is expected of each key is said here by hand, not by the code that migrates.
"""

import json
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import redis

from trading_platform.errors import MissingInput
from trading_platform.market.instruments import Instrument, InstrumentDay

DAY = date(2025, 12, 1)
OTHER_DAY = date(2025, 11, 28)
IN_TEN_DAYS_MS = 10 * 24 * 3600 * 1000

SYMBOLS = (
    "INFY",
    "NSE:INFY",
    "NSE:M&M",
    "BAJAJ-AUTO",
    "NFO:NIFTY25DECFUT",
    "NFO:NIFTY25NOV26400CE",
    "NFONIFTY25NOV26400CE",
    "NSE:NIFTY 50",
    "NSE_NIFTY_50",
    "BSE:SENSEX",
    "MCX:CRUDEOIL25DECFUT",
    "UNKNOWN_4711",
)

VIX_SPELLINGS = (
    "index:NSE:INDIA VIX",
    "index:NSEINDIAVIX",
    "index:NSEINDIA_VIX",
    "index:NSINDIAVIX",
    "index:INDIA_VIX",
    "index_hash:NSEINDIAVIX",
    "index_hash:NSE:INDIA VIX",
    "market_data:indices:nse_india_vix",
)
PICKLE = b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00}\x94\x8c\x01a\x94K\x01s."
INFY, TCS, TWIN, STRANGER = 408065, 2953217, 2953473, 999_999_745

Command = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Made:
    """A key, how it is written, and what has to become of it: its target, or the reason why it has none."""

    database: int
    key: str | bytes
    commands: tuple[Command, ...]
    target: str | None = None
    reason: str | None = None


def dump_of(session: date) -> InstrumentDay:
    """Return the instruments of the one day whose dump is there; TCS stands twice."""
    if session != DAY:
        raise MissingInput(f"no instrument dump of {session}")
    names = ((INFY, "INFY"), (TCS, "TCS"), (TWIN, "TCS"))
    return InstrumentDay(
        DAY,
        tuple(
            Instrument(token, token // 256, name, name, None, 0, 0.05, 1, "EQ", "NSE", "NSE") for token, name in names
        ),
    )


def legacy_keys(layout: str, seed: int, *, buckets: int = 50, large: int = 0, more: int = 0) -> Iterator[Made]:
    """Yield all keys of a database of that layout, among them volume buckets and large values.

    `large` is the size of each of their 2,500 items: 2,000 makes values of 5 MB, 0 none. `more` symbols stand beside
    the usual ones.
    """
    rng = random.Random(f"{layout} {seed}")
    symbols = (*SYMBOLS, *(f"NFO:BANKNIFTY25DEC{50_000 + number * 100}PE" for number in range(more)))
    yield from _market(layout, rng, symbols)
    yield from _volume(layout, rng, symbols)
    yield from _buckets(layout, rng, buckets)
    yield from _baselines(layout, rng, symbols)
    yield from _states(layout)
    yield from _vix(layout, rng)
    yield from _analytics(layout, rng)
    yield from _users(layout) if layout == "l4" else _second_database(rng)
    yield from _defects(layout)
    yield from _large(layout, rng, large) if large else ()


def write_keys(server: "redis.Redis", made: Iterable[Made]) -> int:
    """Write keys into the databases of a server; return how many."""
    clients: dict[int, redis.Redis] = {}
    keys = 0
    for one in made:
        if one.database not in clients:
            clients[one.database] = _client(server, one.database)
        pipeline = clients[one.database]
        for command in one.commands:
            pipeline.execute_command(*command)
        keys += 1
        if keys % 1000 == 0:
            _execute(clients)
    _execute(clients)
    return keys


def _client(server: "redis.Redis", database: int) -> Any:
    options = {**server.connection_pool.connection_kwargs, "db": database}
    pool = redis.ConnectionPool(server.connection_pool.connection_class, **options)
    return redis.Redis(connection_pool=pool).pipeline(transaction=False)


def _execute(clients: dict[int, Any]) -> None:
    for pipeline in clients.values():
        pipeline.execute()


def _string(key: str, value: str | bytes) -> tuple[Command, ...]:
    return (("SET", key, value),)


def _hash(key: str, fields: dict[str, Any]) -> tuple[Command, ...]:
    return (("HSET", key, *(str(part) for item in fields.items() for part in item)),)


def _list(key: str, values: Iterable[Any]) -> tuple[Command, ...]:
    return (("RPUSH", key, *values),)


def _zset(key: str, values: dict[str, float]) -> tuple[Command, ...]:
    return (("ZADD", key, *(part for member, score in values.items() for part in (repr(score), member))),)


def _stream(key: str, rng: random.Random, entries: int) -> tuple[Command, ...]:
    moment = 1_764_560_000_000
    found = []
    for number in range(entries):
        moment += rng.randrange(0, 900)
        found.append(("XADD", key, f"{moment}-{number}", "data", json.dumps({"ltp": rng.uniform(90, 110)})))
    return tuple(found)


def _expiring(key: str, commands: tuple[Command, ...], rng: random.Random) -> tuple[Command, ...]:
    """Let a key expire in 10 to 20 days, in odd milliseconds."""
    return (*commands, ("PEXPIRE", key, IN_TEN_DAYS_MS + rng.randrange(IN_TEN_DAYS_MS)))


def _market(layout: str, rng: random.Random, symbols: Iterable[str]) -> Iterator[Made]:
    def made(key: str, commands: tuple[Command, ...], target: str) -> Made:
        kept = _expiring(key, commands, rng) if rng.random() < 0.5 else commands
        return Made(1, key, kept, f"legacy:{layout}:{target}")

    for name in symbols:
        tick = {"last_price": rng.uniform(1, 5000), "volume": rng.randrange(10**6), "mode": "full"}
        yield made(f"ticks:raw:{name}", _stream(f"ticks:raw:{name}", rng, 5), f"ticks_raw:{name}")
        yield made(f"ticks:latest:{name}", _hash(f"ticks:latest:{name}", tick), f"ticks_latest:{name}")
        yield made(f"ticks:{name}", _hash(f"ticks:{name}", tick), f"ticks_hash:{name}")
        yield made(f"tick:latest:{name}", _hash(f"tick:latest:{name}", tick), f"tick_latest:{name}")
        yield made(f"ticks:realtime:{name}", _stream(f"ticks:realtime:{name}", rng, 3), f"ticks_realtime:{name}")
        stamp = 1_764_560_000 + rng.randrange(10_000)
        yield made(f"realtime:{name}:{stamp}", _hash(f"realtime:{name}:{stamp}", tick), f"realtime:{name}:{stamp}")
        yield made(f"price:realtime:{name}", _string(f"price:realtime:{name}", "101.5"), f"price_realtime:{name}")
        value = json.dumps({"value": rng.uniform(0, 100), "symbol": name, "indicator_type": "rsi"})
        yield made(
            f"indicators:{name}:rsi_14", _string(f"indicators:{name}:rsi_14", value), f"indicators_cache:{name}:rsi_14"
        )
        yield made(f"ind:ta:{name}:ema_20", _string(f"ind:ta:{name}:ema_20", value), f"ind_ta:{name}:ema_20")
        yield made(f"ind:greeks:{name}", _hash(f"ind:greeks:{name}", {"delta": 0.5, "iv": 0.2}), f"ind_greeks:{name}")
        yield made(f"ind:greeks:{name}:delta", _string(f"ind:greeks:{name}:delta", "0.5"), f"ind_greek:{name}:delta")
        days = {f'{{"d":{n}}}': float(1_764_000_000 + n * 86_400) for n in range(4)}
        yield made(f"ohlc_daily:{name}", _zset(f"ohlc_daily:{name}", days), f"ohlc_daily:{name}")
        yield made(f"patterns:{name}", _stream(f"patterns:{name}", rng, 2), f"patterns:{name}")
        yield made(f"edge_state:{name}:x", _string(f"edge_state:{name}:x", PICKLE), f"edge_state:{name}:x")
        yield made(
            f"news:symbol:{name}", _zset(f"news:symbol:{name}", {"a": 1.5, "b": float("inf")}), f"news_symbol:{name}"
        )
    yield made("index:NSE:NIFTY 50", _string("index:NSE:NIFTY 50", '{"last_price": 26000}'), "index:NSE:NIFTY 50")
    yield made("index_hash:NSENIFTY50", _hash("index_hash:NSENIFTY50", {"ltp": 26000}), "index_hash:NSENIFTY50")
    yield made(
        "options:NIFTY:26400CE:delta",
        _string("options:NIFTY:26400CE:delta", "0.4"),
        "options_field:NIFTY:26400CE:delta",
    )
    yield made("alerts:stream", _stream("alerts:stream", rng, 20), "alerts_stream")
    yield made(
        "unknown_tokens:2025-12-01", (("SADD", "unknown_tokens:2025-12-01", "1", "2"),), "unknown_tokens:2025-12-01"
    )
    yield made(
        "hot_token:token_to_symbol",
        _hash("hot_token:token_to_symbol", {str(INFY): "NSE:INFY"}),
        "hot_token:token_to_symbol",
    )
    yield made("ticks:intraday:processed", _read_stream("ticks:intraday:processed", rng), "ticks_processed")
    yield made("session:a:b", _hash("session:a:b", {"x": 1}), "session:a:b")
    yield made("user:admin", _hash("user:admin", {"name": "admin"}), "live_user:admin")


def _read_stream(key: str, rng: random.Random) -> tuple[Command, ...]:
    """Return a stream that was trimmed and has readers, one of them with what it never acknowledged."""
    return (
        *_stream(key, rng, 30),
        ("XADD", key, "1764570000000-0", "f", "1", "f", "again", "g", b"\xff\x00"),
        ("XTRIM", key, "MAXLEN", 20),
        ("XGROUP", "CREATE", key, "data_pipeline_group", "0"),
        ("XREADGROUP", "GROUP", "data_pipeline_group", "scanner_1", "COUNT", 3, "STREAMS", key, ">"),
    )


def _volume(layout: str, rng: random.Random, symbols: Iterable[str]) -> Iterator[Made]:
    for name in symbols:
        poc = {"poc_price": rng.uniform(1, 100), "poc_volume": rng.randrange(10**6)}
        yield Made(
            1,
            f"volume_profile:poc:{name}",
            _hash(f"volume_profile:poc:{name}", poc),
            f"legacy:{layout}:profile_poc:{name}",
        )
        key = f"volume_profile:session:{name}:{DAY}"
        yield Made(1, key, _expiring(key, _hash(key, poc), rng), f"legacy:{layout}:profile_session:{name}:{DAY}")
        key = f"volume_profile:patterns:{name}:daily"
        yield Made(1, key, _zset(key, {"p": 0.25}), f"legacy:{layout}:profile_patterns:{name}:daily")
        key = f"bucket_incremental_volume:history:5:5:{name}"
        yield Made(1, key, _list(key, range(20)), f"legacy:{layout}:volume_history_doubled:5:5:{name}")
        key = f"bucket_incremental_volume:history:5min:{name}"
        yield Made(1, key, _list(key, range(20)), f"legacy:{layout}:volume_history:5min:{name}")
        if layout == "l4":
            key = f"vol:session:{name}:{DAY}"
            yield Made(1, key, _hash(key, {"cumulative_volume": 5}), f"legacy:l4:vol_session:{name}:{DAY}")
    key = f"straddle_volume:NIFTY:{DAY}"
    yield Made(1, key, _hash(key, {"ce": 1, "pe": 2}), f"legacy:{layout}:straddle_volume:NIFTY:{DAY}")


def _buckets(layout: str, rng: random.Random, count: int) -> Iterator[Made]:
    prefix = "bucket_incremental_volume:bucket_incremental_volume:bucket"
    for number in range(count):
        name = f"NFO:NIFTY25DEC{20_000 + number // 60 * 50}CE"
        hour, index = 9 + number % 60 // 10, number % 10
        resolution = ("", "1", "15")[number % 3]
        key = f"{prefix}{resolution}:{name}:buckets:{hour}:{index}"
        fields = {"volume": rng.randrange(10**6), "count": rng.randrange(100), "last_ts": 1_764_560_000 + number}
        target = f"legacy:{layout}:volume_bucket:{resolution}:{name}:{hour}:{index}"
        yield Made(1, key, _expiring(key, _hash(key, fields), rng), target)


def _baselines(layout: str, rng: random.Random, symbols: Iterable[str]) -> Iterator[Made]:
    for name in symbols:
        numbers = {"baseline_1min": rng.uniform(1, 10**5), "avg_volume_20d": rng.randrange(10**6), "is_fno": "True"}
        key = f"vol:baseline:{name}"
        yield Made(1, key, _expiring(key, _hash(key, numbers), rng), f"legacy:{layout}:vol_baseline:{name}")
        key = f"ohlc_stats:{name}"
        averages = {"avg_volume_55d": 1e6, "avg_price_20d": "nan", "turtle_ready": "false", "symbol": name}
        yield Made(1, key, _hash(key, averages), f"legacy:{layout}:ohlc_stats:{name}")
        key = f"volume:baseline:{name}:1min"
        yield Made(1, key, _string(key, "15000"), f"legacy:{layout}:volume_baseline_1min:{name}")
        key = f"volume:baseline:{name}"
        yield Made(1, key, _string(key, '{"baseline_1min": 12.5}'), f"legacy:{layout}:volume_baseline:{name}")


def _states(layout: str) -> Iterator[Made]:
    def state(prefix: str, token: int, session: str | None, volume: object = 1234) -> tuple[str, tuple[Command, ...]]:
        fields = {"last_cumulative": volume, "last_update_timestamp": 1_764_560_000.5}
        key = f"{prefix}:{token}"
        return key, _hash(key, fields | ({"session_date": session} if session else {}))

    key, commands = state("volume_state", INFY, "2025-12-01")
    yield Made(1, key, commands, f"legacy:{layout}:volume_state:NSE:INFY:2025-12-01")
    key, commands = state("vol:state", INFY, "2025-12-01", "77.0")
    yield Made(1, key, commands, f"legacy:{layout}:vol_state:NSE:INFY:2025-12-01")
    for token in (TCS, TWIN):
        key, commands = state("vol:state", token, "2025-12-01")
        yield Made(1, key, commands, reason="SAME_TARGET")
    for token, session in ((STRANGER, "2025-12-01"), (256265, "2025-11-28"), (12345, None), (12346, "yesterday")):
        key, commands = state("vol:state", token, session)
        yield Made(1, key, commands, reason="NO_INSTRUMENT")
    key, commands = state("volume_state", TCS, "2025-12-01", "many")
    yield Made(1, key, commands, reason="UNDECODABLE")


def _vix(layout: str, rng: random.Random) -> Iterator[Made]:
    """Yield eight spellings; the fifth is the newest."""
    for place, key in enumerate(VIX_SPELLINGS):
        stamp = 1_764_570_000 + (100 if place == 4 else -place)
        value = 13.25 if place == 4 else round(rng.uniform(11, 12), 2)
        fields = {"last_price": value, "timestamp": stamp}
        commands = _hash(key, fields) if "hash" in key else _string(key, json.dumps(fields))
        yield Made(1, key, commands, f"legacy:{layout}:india_vix")
    yield Made(1, "index:VIX", _string("index:VIX", "0"), reason="UNDECODABLE")


def _analytics(layout: str, rng: random.Random) -> Iterator[Made]:
    for name in ("pattern_history", "signal_quality", "pattern_metrics", "sharpe_inputs", "alert_timeline"):
        key = f"{name}:NFO:NIFTY25DECFUT:volume_spike"
        commands = _zset(key, {"x": rng.random()}) if rng.random() < 0.5 else _list(key, [1, 2, 2])
        yield Made(2, key, _expiring(key, commands, rng), f"legacy:{layout}:{name}:NFO:NIFTY25DECFUT:volume_spike")
    yield Made(
        2,
        "forward_validation:alert:17",
        _hash("forward_validation:alert:17", {"ok": 1}),
        f"legacy:{layout}:forward_validation_alert:17",
    )
    yield Made(
        2,
        "forward_validation:schedule",
        _zset("forward_validation:schedule", {"17": -1.0}),
        f"legacy:{layout}:forward_validation_schedule",
    )
    yield Made(
        2,
        "validation_results:recent",
        _list("validation_results:recent", ["{}", ""]),
        f"legacy:{layout}:validation_results",
    )
    yield Made(2, "scanner", _string("scanner", ""), f"legacy:{layout}:scanner_all")


def _second_database(rng: random.Random) -> Iterator[Made]:
    """Yield what L3 still has in its second database, under names that the first one has too."""
    for name in SYMBOLS:
        key = f"volume_averages:{name}"
        yield Made(2, key, _hash(key, {"avg_volume_20d": 10}), f"legacy:l3:volume_averages_db2:{name}")
        yield Made(1, key, _hash(key, {"avg_volume_20d": 20}), f"legacy:l3:volume_averages:{name}")
        key = f"volume_profile:historical:{name}"
        yield Made(2, key, _expiring(key, _list(key, [1.5] * 24), rng), f"legacy:l3:profile_historical_db2:{name}")


def _users(layout: str) -> Iterator[Made]:
    yield Made(0, "user:admin", _hash("user:admin", {"password_hash": "x"}), f"legacy:{layout}:user:admin")
    yield Made(0, "session:a:b", _hash("session:a:b", {"x": 2}), f"legacy:{layout}:user_session:a:b")
    yield Made(0, "positions:admin", _string("positions:admin", "[]"), f"legacy:{layout}:positions:admin")
    yield Made(0, "broker_token:admin", _string("broker_token:admin", "hidden"), reason="LEFT")


def _defects(layout: str) -> Iterator[Made]:
    yield Made(1, "ticks:latest:NSE", _hash("ticks:latest:NSE", {"a": 1}), reason="NO_RULE")
    yield Made(1, "nobody:knows:this", _string("nobody:knows:this", "x"), reason="NO_RULE")
    yield Made(1, "ticks:latest:TCS", _string("ticks:latest:TCS", "a string"), reason="WRONG_TYPE")
    yield Made(1, "ohlc_daily:TCS", _list("ohlc_daily:TCS", [1]), reason="WRONG_TYPE")
    yield Made(1, b"ticks:latest:\xff\xfe", (("HSET", b"ticks:latest:\xff\xfe", "a", "1"),), reason="NOT_UTF8")
    yield Made(1, "vol:baseline:BADJSON", _string("vol:baseline:BADJSON", '{"baseline_1min": '), reason="UNDECODABLE")
    yield Made(1, "vol:baseline:PICKLED", _string("vol:baseline:PICKLED", PICKLE), reason="UNDECODABLE")
    yield Made(1, "vol:baseline:WORDS", _hash("vol:baseline:WORDS", {"baseline_1min": "12,000"}), reason="UNDECODABLE")
    yield Made(1, "vol:baseline:HUGE", _string("vol:baseline:HUGE", "9" * 2_000_000), reason="TOO_LARGE")
    yield Made(5, "indicators:INFY:rsi", _string("indicators:INFY:rsi", "1"), reason="DATABASE")
    key = "sys:line\nbreak\x1b[31m"
    yield Made(1, key, _string(key, ""), f"legacy:{layout}:sys:line\nbreak\x1b[31m")
    key = "ticks:stream"
    empty = (("XADD", key, "5-1", "a", "b"), ("XDEL", key, "5-1"))
    yield Made(1, key, empty, f"legacy:{layout}:ticks_import")


def _large(layout: str, rng: random.Random, size: int) -> Iterator[Made]:
    """Yield one value of each type that is larger than what is held in memory at once."""
    block = rng.randbytes(size)
    yield Made(
        1,
        "sys:large:string",
        tuple(("APPEND", "sys:large:string", block * 100) for _ in range(30)),
        f"legacy:{layout}:sys:large:string",
    )
    for kind, name in (("hash", "HSET"), ("list", "RPUSH"), ("set", "SADD"), ("zset", "ZADD")):
        key = f"sys:large:{kind}"
        commands = tuple(
            (name, key, *(part for item in range(start, start + 50) for part in _large_item(kind, item, block)))
            for start in range(0, 2_500, 50)
        )
        yield Made(1, key, _expiring(key, commands, rng), f"legacy:{layout}:sys:large:{kind}")
    entries = tuple(("XADD", "ticks:unified:raw", f"{n + 1}-0", "data", block) for n in range(2_500))
    yield Made(1, "ticks:unified:raw", entries, f"legacy:{layout}:ticks_unified")


def _large_item(kind: str, number: int, block: bytes) -> tuple[Any, ...]:
    value = str(number).encode() + block
    return {"hash": (f"f{number}", value), "list": (value,), "set": (value,), "zset": (number / 7, value)}[kind]
