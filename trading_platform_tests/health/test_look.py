"""All checks at once, on a folder with the files that feed and engine leave, and on one with nothing."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from pydantic import SecretStr

from trading_platform.health.checks_host import DaemonFacts
from trading_platform.health.findings import Level
from trading_platform.health.look import Health, look
from trading_platform.market.clock import Clock, elapsed_ns
from trading_platform.settings import Settings
from trading_platform_tests.health.made import TABLE, at, engine_values, feed_values

CHECKS = [
    "market",
    "clock",
    "feed",
    "sockets",
    "reconnects",
    "token",
    "losses",
    "gaps",
    "queue",
    "stream",
    "engine",
    "lag",
    "latency",
    "freshness",
    "stale",
    "packets",
    "redis",
    "baseline",
    "disk",
    "dagster",
    "processes",
    "backup",
]
MINUTE_AGO = {"monotonic_ns": elapsed_ns() - 60 * 10**9, "wall_ns": Clock.wall().now_ns() - 60 * 10**9}
ENVIRONMENT_ALONE = {"redis", "baseline", "disk"}
"""Without a server and a recorded session these are not green in market hours."""


def settings(folder: Path, **changed: Any) -> Settings:
    values: dict[str, Any] = {"data_dir": folder, "shard": "k1", "redis_url": None, **changed}
    return Settings(**values)


def write(folder: Path, room: str, values: dict[str, Any]) -> None:
    (folder / room).mkdir(exist_ok=True)
    (folder / room / "k1.json").write_bytes(orjson.dumps(values, option=orjson.OPT_NON_STR_KEYS))


def looked(folder: Path, clock: Clock | None = None, **changed: Any) -> Health:
    token = SecretStr("secret-token")
    given = settings(folder, kite_access_token=token, **changed)
    return look(given, TABLE, daemons=lambda: DaemonFacts(asked=False), clock=clock)


def levels(health: Health) -> dict[str, Level]:
    return {one.name: one.level for one in health.findings}


def clock(hour: int) -> dict[str, Any]:
    return {"epoch_ns": at(hour), "rate": 1.0, "anchor_ns": elapsed_ns(), "steady": True}


def test_every_check_is_there_once_and_in_order(tmp_path: Path) -> None:
    assert [one.name for one in looked(tmp_path).findings] == CHECKS


def test_what_runs_well_in_market_hours_is_green(tmp_path: Path) -> None:
    write(tmp_path, "feed", feed_values(clock=clock(10), pid=1))
    write(tmp_path, "engine", engine_values(pid=1))
    health = looked(tmp_path)
    assert abs(health.at_ns - at(10)) < 30 * 10**9
    assert {name for name, level in levels(health).items() if level is not Level.GREEN} == ENVIRONMENT_ALONE
    assert list(health.latency) == ["journal", "stream", "decoded", "written"]


@pytest.mark.parametrize(
    ("room", "changed", "check"),
    [
        ("feed", {"so_far": {"lost_payloads": 1}}, "losses"),
        ("feed", {"state": "idle", "waiting": "no dump"}, "feed"),
        ("feed", {"written": MINUTE_AGO}, "feed"),
        ("feed", {"pid": 2**31 - 1}, "feed"),
        ("feed", {"sockets": []}, "sockets"),
        ("engine", {"written": MINUTE_AGO}, "engine"),
        ("engine", {"lag_ms": 60_000.0}, "lag"),
        ("engine", {"counters": {"missing_records": 1}}, "packets"),
    ],
)
def test_one_fault_turns_the_whole_red(tmp_path: Path, room: str, changed: dict[str, Any], check: str) -> None:
    of_feed, of_engine = (changed if room == name else {} for name in ("feed", "engine"))
    write(tmp_path, "feed", feed_values(clock=clock(10), **{"pid": 1, **of_feed}))
    write(tmp_path, "engine", engine_values(**{"pid": 1, **of_engine}))
    health = looked(tmp_path)
    assert levels(health)[check] is Level.RED
    assert health.level is Level.RED


def test_no_data_in_market_hours_is_never_green(tmp_path: Path) -> None:
    nothing = levels(looked(tmp_path, Clock.starting_at(at(10))))
    assert (nothing["feed"], nothing["engine"], nothing["redis"]) == (Level.RED,) * 3
    unknown = set(CHECKS) - {"market", "clock", "dagster", "processes", "backup"}
    assert all(nothing[name] is not Level.GREEN for name in unknown)


def test_a_closed_market_is_green_and_says_so(tmp_path: Path) -> None:
    health = looked(tmp_path, Clock.starting_at(at(2)))
    assert health.level is Level.GREEN
    assert health.findings[0].says == "closed, next opens 09:00"


def test_before_the_feed_ever_planned_any_open_exchange_counts(tmp_path: Path) -> None:
    assert looked(tmp_path, Clock.starting_at(at(20))).level is Level.RED  # commodities trade in the evening
    write(tmp_path, "feed", feed_values(clock=clock(20), state="closed"))
    write(tmp_path, "engine", engine_values(state="stopped"))
    assert looked(tmp_path).level is Level.GREEN  # of which this shard subscribes none


def test_a_file_that_lies_is_degraded_at_any_hour(tmp_path: Path) -> None:
    write(tmp_path, "feed", {"version": 2})
    health = looked(tmp_path, Clock.starting_at(at(2)))
    assert levels(health)["feed"] is Level.DEGRADED


def test_no_secret_is_told(tmp_path: Path) -> None:
    health = looked(tmp_path, redis_url="redis://user:secret-password@127.0.0.1:1/0")
    assert "secret-" not in repr(health)


def test_the_docs_name_every_check() -> None:
    told = (Path(__file__).parents[2] / "docs" / "health.md").read_text()
    rows = {
        name.strip() for line in told.splitlines() if line.startswith("| ") for name in line.split("|")[1].split(",")
    }
    assert set(CHECKS) <= rows
