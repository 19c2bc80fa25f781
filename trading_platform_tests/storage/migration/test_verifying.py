"""Any difference between the sides is found and named, whichever value it is in."""

from pathlib import Path

import pytest

from trading_platform.errors import MigrationRefused
from trading_platform.market.clock import Clock
from trading_platform.migration.comparison import Difference, Equal
from trading_platform.migration.reports import WorkReport
from trading_platform.storage.migration.copies import EXPIRED
from trading_platform.storage.migration.planning import make_plan
from trading_platform.storage.migration.running import run_plan
from trading_platform.storage.migration.verifying import verify_migration
from trading_platform_tests.migration.legacy_databases import VIX_SPELLINGS, legacy_keys, write_keys
from trading_platform_tests.migration.two_servers import TwoServers, snapshot

SECOND_NS = 1_000_000_000


def migrated(servers: TwoServers, folder: Path) -> None:
    make_plan(servers.migration(folder))
    run_plan(servers.migration(folder))


def verified(servers: TwoServers, folder: Path, **replaced: object) -> WorkReport:
    before = snapshot(servers.target)
    report = verify_migration(servers.migration(folder, **replaced))
    assert snapshot(servers.target) == before
    return report


def differences(report: WorkReport) -> dict[str, int]:
    return {name: count.keys for name, count in report.aside.counts.items()}


def test_all_that_was_planned_is_equal(servers: TwoServers, tmp_path: Path) -> None:
    made = list(legacy_keys("l4", 7))
    write_keys(servers.source, made)
    migrated(servers, tmp_path)
    report = verified(servers, tmp_path)
    taken = sum(one.target is not None for one in made)
    assert {name: count.keys for name, count in report.done.counts.items()} == {str(Equal.SAME): taken}
    assert report.is_whole
    assert report.notes == [f"{len(made) - taken} keys that the plan set aside are not compared"]


CHANGES = {
    "string": [("SETRANGE", "x", 0, b"?"), ("APPEND", "x", b"")],
    "hash": [("HSET", "x", "f1", "?"), ("HDEL", "x", "f1"), ("HSET", "x", "more", "")],
    "list": [("LSET", "x", 1, "?"), ("RPUSH", "x", ""), ("LMOVE", "x", "x", "LEFT", "RIGHT")],
    "set": [("SREM", "x", "b"), ("SADD", "x", "?")],
    "zset": [("ZINCRBY", "x", "1e-9", "b"), ("ZREM", "x", "b")],
    "stream": [("XDEL", "x", "2-0"), ("XADD", "x", "9-0", "a", "1"), ("XGROUP", "SETID", "x", "g", "1-0")],
}


@pytest.mark.parametrize(("kind", "change"), [(kind, one) for kind, several in CHANGES.items() for one in several])
@pytest.mark.parametrize("side", ["source", "target"])
def test_one_changed_element_is_found_on_either_side(
    servers: TwoServers, tmp_path: Path, kind: str, change: tuple[object, ...], side: str
) -> None:
    key = "sys:x"
    fill = {
        "string": [("SET", key, "abc")],
        "hash": [("HSET", key, "f1", "1", "f2", "2")],
        "list": [("RPUSH", key, "a", "b", "c")],
        "set": [("SADD", key, "a", "b")],
        "zset": [("ZADD", key, 1, "a", 2, "b")],
        "stream": [("XADD", key, "1-0", "a", "1"), ("XADD", key, "2-0", "a", "1"), ("XGROUP", "CREATE", key, "g", "0")],
    }
    for command in fill[kind]:
        servers.database(1).execute_command(*command)
    migrated(servers, tmp_path)
    client, name = (servers.database(1), key) if side == "source" else (servers.target, "legacy:l4:sys:x")
    client.execute_command(*[name if part == "x" else part for part in change])
    expected = Difference.SOURCE_CHANGED if side == "source" else Difference.TARGET_CHANGED
    changed_nothing = change == ("APPEND", "x", b"")
    assert differences(verified(servers, tmp_path)) == ({} if changed_nothing else {str(expected): 1})


def test_lifetimes_are_compared(servers: TwoServers, tmp_path: Path) -> None:
    for name in ("A", "B", "C", "D"):
        servers.database(1).set(f"price:realtime:{name}", 1, ex=10_000)
    migrated(servers, tmp_path)
    servers.target.persist("legacy:l4:price_realtime:A")
    servers.target.expire("legacy:l4:price_realtime:B", 9_000)
    servers.database(1).persist("price:realtime:C")
    assert differences(verified(servers, tmp_path)) == {str(Difference.EXPIRY): 3}


def test_what_is_missing_gone_new_or_not_written_is_named(servers: TwoServers, tmp_path: Path) -> None:
    for name in ("A", "B", "C"):
        servers.database(1).set(f"price:realtime:{name}", 1)
    migrated(servers, tmp_path)
    servers.target.delete("legacy:l4:price_realtime:A")
    servers.database(1).delete("price:realtime:B")
    servers.database(1).set("price:realtime:D", 1)
    servers.database(1).set("price:realtime:E", 1)
    report = verified(servers, tmp_path)
    assert differences(report) == {
        str(Difference.MISSING): 1,
        str(Difference.SOURCE_GONE): 1,
        str(Difference.NEW): 2,
    }
    assert "price:realtime:B" in report.aside.counts[str(Difference.SOURCE_GONE)].samples[0]


def test_a_plan_that_was_not_carried_out_is_no_success(servers: TwoServers, tmp_path: Path) -> None:
    servers.database(1).set("price:realtime:A", 1)
    servers.database(1).set("price:realtime:B", 1, px=60_000)
    make_plan(servers.migration(tmp_path))
    servers.database(1).delete("price:realtime:B")
    assert differences(verified(servers, tmp_path)) == {
        str(Difference.NOT_WRITTEN): 1,
        "gone from the source before its time": 1,
    }
    late = Clock.starting_at(Clock.wall().now_ns() + 61 * SECOND_NS)
    report = verified(servers, tmp_path, clock=late)
    assert differences(report) == {str(Difference.NOT_WRITTEN): 1}
    assert report.done.counts[EXPIRED].keys == 1


def test_what_expired_on_both_sides_as_due_is_no_difference(servers: TwoServers, tmp_path: Path) -> None:
    servers.database(1).set("price:realtime:A", 1, px=60_000)
    servers.database(1).set("index:VIX", 12, px=60_000)
    migrated(servers, tmp_path)
    servers.database(1).delete("price:realtime:A", "index:VIX")
    servers.target.delete("legacy:l4:price_realtime:A")
    late = Clock.starting_at(Clock.wall().now_ns() + 61 * SECOND_NS)
    report = verified(servers, tmp_path, clock=late)
    assert report.is_whole
    assert set(report.done.counts) == {str(Equal.BOTH_EXPIRED), str(Equal.SOURCE_EXPIRED)}


def test_decoded_values_are_compared_by_what_they_say(servers: TwoServers, tmp_path: Path) -> None:
    client = servers.database(1)
    client.hset("vol:baseline:INFY", mapping={"baseline_1min": "15000"})
    client.hset("vol:baseline:TCS", mapping={"baseline_1min": "15000"})
    client.hset("vol:baseline:WIPRO", mapping={"baseline_1min": "15000"})
    client.set(VIX_SPELLINGS[0], 12)
    client.set(VIX_SPELLINGS[1], 12)
    migrated(servers, tmp_path)
    client.hset("vol:baseline:INFY", "baseline_1min", "1.5e4")  # the same number
    client.hset("vol:baseline:TCS", "baseline_1min", "15000.5")
    client.hset("vol:baseline:WIPRO", "baseline_1min", "lots")
    client.set(VIX_SPELLINGS[1], 13)
    report = verified(servers, tmp_path)
    assert differences(report) == {str(Difference.SOURCE_CHANGED): 4}
    assert report.done.keys == 1


def test_a_spelling_that_is_gone_is_a_difference(servers: TwoServers, tmp_path: Path) -> None:
    servers.database(1).set(VIX_SPELLINGS[0], 12)
    servers.database(1).set(VIX_SPELLINGS[1], 12)
    migrated(servers, tmp_path)
    servers.database(1).delete(VIX_SPELLINGS[1])
    assert differences(verified(servers, tmp_path)) == {str(Difference.SOURCE_GONE): 2}


def test_large_values_are_compared_to_their_last_byte(servers: TwoServers, tmp_path: Path) -> None:
    write_keys(servers.source, [one for one in legacy_keys("l4", 7, large=2000) if one.key == "sys:large:list"])
    migrated(servers, tmp_path)
    assert verified(servers, tmp_path).is_whole
    servers.target.execute_command("LSET", "legacy:l4:sys:large:list", -1, "?")
    assert differences(verified(servers, tmp_path)) == {str(Difference.TARGET_CHANGED): 1}


def test_without_a_plan_nothing_is_compared(servers: TwoServers, tmp_path: Path) -> None:
    with pytest.raises(MigrationRefused, match="no plan"):
        verify_migration(servers.migration(tmp_path))
