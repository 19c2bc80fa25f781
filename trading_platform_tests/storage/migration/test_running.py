"""What is planned is written, each value and lifetime as it was; killed anywhere, the next run ends the same."""

import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from trading_platform.errors import MigrationRefused, StoreRefused
from trading_platform.market.clock import Clock
from trading_platform.migration.comparison import Equal
from trading_platform.migration.decisions import Reason
from trading_platform.migration.target_keys import staging_key
from trading_platform.storage.migration import copies, reading, running
from trading_platform.storage.migration.copies import CHANGED, EXPIRED, GONE, TOO_OLD
from trading_platform.storage.migration.ledger import Ledger
from trading_platform.storage.migration.plan_file import PLAN, Plan
from trading_platform.storage.migration.planning import make_plan
from trading_platform.storage.migration.running import BEFORE, WRITTEN, CopyBy, has_plan, run_plan
from trading_platform.storage.migration.verifying import verify_migration
from trading_platform.wire.redis_keys import SESSION_SECONDS
from trading_platform_tests.migration.legacy_databases import Made, legacy_keys, write_keys
from trading_platform_tests.migration.two_servers import TARGET, TwoServers, snapshot

DECODED = ("baseline", "volume_averages", "ohlc_stats", "_state:", "india_vix")
KILLED_RUN = "trading_platform_tests.storage.migration.killed_run"


def is_decoded(made: Made) -> bool:
    return any(word in str(made.target) for word in DECODED)


@pytest.mark.parametrize("by", CopyBy)
@pytest.mark.parametrize("layout", ["l3", "l4"])
def test_every_value_arrives_as_it_was(servers: TwoServers, tmp_path: Path, layout: str, by: CopyBy) -> None:
    made = list(legacy_keys(layout, 5, large=2000 if layout == "l4" else 0))
    write_keys(servers.source, made)
    migration = servers.migration(tmp_path, layout)
    make_plan(migration)
    report = run_plan(migration, by=by)
    taken = [one for one in made if one.target]
    found = snapshot(servers.target)
    assert set(found) == {str(one.target).encode() for one in taken}
    source = {number: snapshot(servers.database(number)) for number in (0, 1, 2)}
    for one in taken:
        if not is_decoded(one):
            assert found[str(one.target).encode()] == source[one.database][str(one.key).encode()], one.key
    assert report.done.counts[WRITTEN].keys == len(taken)
    assert report.aside.keys == len(made) - len(taken)


def test_what_is_decoded_is_written_anew_with_our_lifetimes(servers: TwoServers, tmp_path: Path) -> None:
    write_keys(servers.source, legacy_keys("l4", 5))
    migration = servers.migration(tmp_path)
    make_plan(migration)
    run_plan(migration)
    ends = Plan(tmp_path).header.created_ms + SESSION_SECONDS * 1000
    target = servers.target
    assert target.hgetall("legacy:l4:india_vix") == {
        b"value": b"13.25",
        b"taken_from": b"index:INDIA_VIX",
        b"as_of_ns": b"1764570100000000000",
    }
    assert target.pexpiretime("legacy:l4:india_vix") == ends
    assert target.hgetall("legacy:l4:vol_state:NSE:INFY:2025-12-01") == {
        b"instrument_token": b"408065",
        b"last_cumulative": b"77",
        b"last_update_timestamp": b"1764560000.5",
        b"session_date": b"2025-12-01",
    }
    assert target.pexpiretime("legacy:l4:vol_state:NSE:INFY:2025-12-01") == ends
    assert target.hgetall("legacy:l4:ohlc_stats:NSE:M&M") == {
        b"avg_volume_55d": b"1000000.0",
        b"symbol": b"NSE:M&M",
        b"turtle_ready": b"0",
    }
    assert target.hgetall("legacy:l4:volume_baseline_1min:INFY") == {b"value": b"15000.0"}
    assert target.pexpiretime("legacy:l4:ohlc_stats:NSE:M&M") == -1
    assert {target.pexpiretime(key) for key in target.scan_iter("legacy:l4:vol_baseline:*")} == {-1}


def test_nothing_of_the_platform_is_touched(servers: TwoServers, tmp_path: Path) -> None:
    write_keys(servers.source, legacy_keys("l4", 5))
    servers.target.set("{tp:k1}:baseline", "ours")
    migration = servers.migration(tmp_path)
    make_plan(migration)
    run_plan(migration)
    assert servers.target.get("{tp:k1}:baseline") == b"ours"
    names = {key for key in servers.target.scan_iter() if not key.startswith(b"legacy:l4:")}
    assert names == {b"{tp:k1}:baseline"}


def test_the_source_is_only_read(servers: TwoServers, tmp_path: Path) -> None:
    write_keys(servers.source, legacy_keys("l4", 5))
    before = {number: snapshot(servers.database(number)) for number in (0, 1, 2, 5)}
    migration = servers.migration(tmp_path)
    with pytest.raises(StoreRefused):  # the user that reads could not write if it wanted
        copies.answered(copies.ask(migration.source.client(1), [("SET", "a", "b")]))
    make_plan(migration)
    run_plan(migration)
    assert verify_migration(migration).is_whole
    assert {number: snapshot(servers.database(number)) for number in (0, 1, 2, 5)} == before


def test_twice_is_once(servers: TwoServers, tmp_path: Path) -> None:
    write_keys(servers.source, legacy_keys("l4", 5))
    migration = servers.migration(tmp_path)
    make_plan(migration)
    first = run_plan(migration)
    after = snapshot(servers.target)
    second = run_plan(migration)
    assert second.done.counts.keys() == {BEFORE}
    assert second.done.keys == first.done.keys
    assert make_plan(migration).collisions.counts.keys() == {str(Reason.SAME_TARGET)}
    assert run_plan(migration).done.counts.keys() == {BEFORE}
    assert snapshot(servers.target) == after


def test_what_the_target_lost_is_written_again(servers: TwoServers, tmp_path: Path) -> None:
    write_keys(servers.source, legacy_keys("l4", 5))
    migration = servers.migration(tmp_path)
    make_plan(migration)
    run_plan(migration)
    after = snapshot(servers.target)
    servers.target.delete(*list(after)[:40])
    report = run_plan(migration)
    assert report.done.counts[WRITTEN].keys >= 40
    assert snapshot(servers.target) == after


def test_a_place_that_was_taken_after_the_plan_is_left_and_named(servers: TwoServers, tmp_path: Path) -> None:
    for number in range(3):
        servers.database(1).hset(f"ticks:latest:A{number}", "a", 1)
    migration = servers.migration(tmp_path)
    make_plan(migration)
    servers.target.set("legacy:l4:ticks_latest:A1", "mine")
    report = run_plan(migration)
    assert report.aside.counts[str(Reason.TARGET_EXISTS)].keys == 1
    assert servers.target.get("legacy:l4:ticks_latest:A1") == b"mine"
    assert report.done.counts[WRITTEN].keys == 2


@pytest.mark.parametrize("by", CopyBy)
def test_a_place_that_is_taken_in_the_last_moment_is_left_too(
    servers: TwoServers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: CopyBy
) -> None:
    servers.database(1).hset("ticks:latest:INFY", "a", 1)
    migration = servers.migration(tmp_path)
    make_plan(migration)
    real = running.transact

    def late(client: Any, writes: Any) -> Any:
        servers.target.set("legacy:l4:ticks_latest:INFY", "mine")
        return real(client, writes)

    monkeypatch.setattr(running, "transact", late)
    report = run_plan(migration, by=by)
    assert report.aside.counts.keys() == {str(Reason.TARGET_EXISTS)}
    monkeypatch.undo()
    assert run_plan(migration, by=by).aside.counts.keys() == {str(Reason.TARGET_EXISTS)}
    assert servers.target.get("legacy:l4:ticks_latest:INFY") == b"mine"


def test_what_changed_since_the_plan_is_named(servers: TwoServers, tmp_path: Path) -> None:
    client = servers.database(1)
    for name in ("GONE", "TYPE", "SAME"):
        client.hset(f"realtime:{name}:1", "a", 1)
    client.hset("realtime:OVER:1", "a", 1)
    client.pexpire("realtime:OVER:1", 60_000)
    client.set("vol:baseline:BAD", 1)
    client.hset("vol:state:408065", mapping={"last_cumulative": 1, "session_date": "2025-12-01"})
    moment = Clock.wall().now_ns()
    make_plan(servers.migration(tmp_path))
    client.delete("realtime:GONE:1", "realtime:TYPE:1", "realtime:OVER:1")
    client.set("realtime:TYPE:1", "x")
    client.set("vol:baseline:BAD", "x")
    client.hset("vol:state:408065", "session_date", "2025-11-28")
    late = Clock.starting_at(moment + 61_000_000_000)
    report = run_plan(servers.migration(tmp_path, clock=late))
    assert {name: count.keys for name, count in report.aside.counts.items()} == {GONE: 1, CHANGED: 3}
    assert {name: count.keys for name, count in report.done.counts.items()} == {WRITTEN: 1, EXPIRED: 1}


def test_a_plan_that_is_older_than_its_lifetimes_is_named(servers: TwoServers, tmp_path: Path) -> None:
    servers.database(1).set("index:VIX", 12)
    make_plan(servers.migration(tmp_path))
    late = Clock.starting_at(Clock.wall().now_ns() + (SESSION_SECONDS + 1) * 1_000_000_000)
    assert run_plan(servers.migration(tmp_path, clock=late)).aside.counts.keys() == {TOO_OLD}


def test_plans_of_something_else_are_refused(servers: TwoServers, tmp_path: Path) -> None:
    with pytest.raises(MigrationRefused, match="no plan"):
        run_plan(servers.migration(tmp_path))
    assert not has_plan(servers.migration(tmp_path))
    make_plan(servers.migration(tmp_path))
    assert has_plan(servers.migration(tmp_path))
    with pytest.raises(MigrationRefused, match="plan again"):
        run_plan(servers.migration(tmp_path, "L3"))
    with pytest.raises(MigrationRefused, match="plan again"):
        run_plan(servers.migration(tmp_path, target_address="another"))
    text = (tmp_path / PLAN).read_text()
    assert TARGET in text


def test_a_plan_by_other_rules_is_refused(servers: TwoServers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    migration = servers.migration(tmp_path)
    make_plan(migration)
    monkeypatch.setitem(migration.layout.__dict__, "fingerprint", "of other rules")
    with pytest.raises(MigrationRefused, match="other rules"):
        run_plan(migration)


def test_source_and_target_are_compared_before_a_run_too(servers: TwoServers, tmp_path: Path) -> None:
    make_plan(servers.migration(tmp_path))
    with pytest.raises(MigrationRefused, match="the same"):
        run_plan(servers.migration(tmp_path, target=servers.source))


def test_what_readers_had_not_acknowledged_is_noted_when_it_is_not_kept(servers: TwoServers, tmp_path: Path) -> None:
    write_keys(servers.source, [one for one in legacy_keys("l4", 5) if one.key == "ticks:intraday:processed"])
    migration = servers.migration(tmp_path)
    make_plan(migration)
    (note,) = run_plan(migration, by=CopyBy.TYPE).notes
    assert "ticks:intraday:processed: 3 entries" in note


def test_servers_without_a_common_format_copy_by_type(
    servers: TwoServers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [one for one in legacy_keys("l4", 5) if one.target and not is_decoded(one)]
    write_keys(servers.source, made)
    migration = servers.migration(tmp_path)
    make_plan(migration)
    real = running.restore

    def foreign(target: str, payload: bytes, expires_ms: int | None) -> Any:
        # the version stands in two bytes before the checksum of eight
        return real(target, payload[:-10] + b"\xff\x7f" + payload[-8:], expires_ms)

    monkeypatch.setattr(running, "restore", foreign)
    assert run_plan(migration).done.counts[WRITTEN].keys == len(made)
    assert verify_migration(migration).is_whole


def test_progress_is_told(servers: TwoServers, tmp_path: Path) -> None:
    write_keys(servers.source, legacy_keys("l4", 5))
    migration = servers.migration(tmp_path)
    make_plan(migration)
    told: list[tuple[int, int]] = []
    run_plan(migration, at_a_time=100, progress=lambda done, total: told.append((done, total)))
    count = Plan(tmp_path).count
    assert told == [(min(done, count), count) for done in range(100, count + 100, 100)]


def killed(servers: TwoServers, folder: Path, after: int) -> int:
    """Run in a process of its own that dies at its `after`-th step; return how it ended."""
    command = [sys.executable, "-m", KILLED_RUN, servers.url, str(servers.password_file)]
    command += [str(servers.target_socket), str(folder), TARGET, str(after)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in {0, -signal.SIGKILL}, done.stderr
    return int(done.stdout) if done.returncode == 0 else done.returncode


def test_a_run_that_is_killed_anywhere_ends_as_if_it_was_not(servers: TwoServers, tmp_path: Path) -> None:
    write_keys(servers.source, legacy_keys("l4", 9, buckets=10, large=40))
    whole = tmp_path / "whole"
    migration = servers.migration(whole)
    make_plan(migration)
    steps = killed(servers, whole, 0)
    expected = snapshot(servers.target)
    taken = sum(len(line.keys) for line in Plan(whole).entries() if line.target and line.reason is None)
    rng = random.Random(9)
    for seed in range(3):
        servers.target.flushall()
        folder = tmp_path / str(seed)
        folder.mkdir()
        shutil.copy(whole / PLAN, folder / PLAN)
        assert killed(servers, folder, rng.randrange(1, steps)) == -signal.SIGKILL
        killed(servers, folder, rng.randrange(1, steps))  # it may have less to do than that by now
        report = run_plan(servers.migration(folder))
        assert snapshot(servers.target) == expected, seed
        assert report.done.keys == taken, report.aside.facts()
        verified = verify_migration(servers.migration(folder))
        assert (verified.is_whole, verified.done.counts.keys()) == (True, {str(Equal.SAME)}), seed
        assert verified.done.keys == taken


def test_a_large_value_that_was_cut_off_leaves_nothing_behind(
    servers: TwoServers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_keys(servers.source, [one for one in legacy_keys("l4", 9, large=2000) if "large" in str(one.key)])
    migration = servers.migration(tmp_path)
    make_plan(migration)
    real = running.fill
    calls: list[str] = []

    def dying(stage: str, kind: str, items: Any) -> Any:
        calls.append(stage)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(stage, kind, items)

    monkeypatch.setattr(running, "fill", dying)
    with pytest.raises(KeyboardInterrupt):
        run_plan(migration)
    monkeypatch.undo()
    assert calls[-1].encode() in servers.target.scan_iter()
    target = next(line.target for line in Plan(tmp_path).entries() if staging_key(line.target) == calls[-1])
    servers.database(1).delete("sys:" + target.rpartition("sys:")[2])  # so that no further attempt cleans up
    run_plan(migration)
    assert [key for key in servers.target.scan_iter() if b"staging" in key] == []


def test_what_stands_under_a_name_of_ours_is_not_mixed_in(
    servers: TwoServers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("small", "large"):
        servers.database(1).rpush(f"sys:{name}", *(["a"] if name == "small" else ["a" * 900] * 9))
        servers.target.rpush(staging_key(f"legacy:l4:sys:{name}"), "of a run whose ledger is gone")
    migration = servers.migration(tmp_path)
    make_plan(migration)
    for module in (reading, copies, running):
        monkeypatch.setattr(module, "LARGE_BYTES", 2000)
    run_plan(migration, by=CopyBy.TYPE)
    assert servers.target.lrange("legacy:l4:sys:small", 0, -1) == [b"a"]
    assert servers.target.lrange("legacy:l4:sys:large", 0, -1) == [b"a" * 900] * 9


def test_a_plan_after_a_kill_knows_what_may_be_ours(
    servers: TwoServers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers.database(1).set("price:realtime:INFY", 1)
    migration = servers.migration(tmp_path)
    make_plan(migration)

    def cut(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Ledger, "settled", cut)
    with pytest.raises(KeyboardInterrupt):
        run_plan(migration)
    monkeypatch.undo()
    assert make_plan(migration).collisions.keys == 0
    assert run_plan(migration).done.counts.keys() == {BEFORE}


def test_what_another_wrote_during_a_kill_is_not_taken_for_ours(
    servers: TwoServers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers.database(1).set("price:realtime:INFY", 1)
    migration = servers.migration(tmp_path)
    make_plan(migration)

    def cut(*_: object) -> None:
        servers.target.set("legacy:l4:price_realtime:INFY", "another's")
        raise KeyboardInterrupt

    monkeypatch.setattr(running, "transact", cut)
    with pytest.raises(KeyboardInterrupt):
        run_plan(migration)
    monkeypatch.undo()
    assert run_plan(migration).aside.counts.keys() == {str(Reason.TARGET_EXISTS)}
