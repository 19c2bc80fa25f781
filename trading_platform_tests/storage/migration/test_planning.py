"""A plan says of every key what becomes of it, before anything is written."""

from collections import Counter
from pathlib import Path

import pytest

from trading_platform.errors import MigrationRefused
from trading_platform.migration.decisions import PlannedKey, Reason, Status
from trading_platform.storage.migration import context, planning
from trading_platform.storage.migration.plan_file import Plan
from trading_platform.storage.migration.planning import make_plan
from trading_platform_tests.migration.legacy_databases import PICKLE, VIX_SPELLINGS, Made, legacy_keys, write_keys
from trading_platform_tests.migration.two_servers import PASSWORD, TwoServers, snapshot


def planned(folder: Path) -> list[PlannedKey]:
    return list(Plan(folder).entries())


def shown(made: Made) -> str:
    return made.key if isinstance(made.key, str) else made.key.decode("utf-8", "backslashreplace")


@pytest.mark.parametrize("layout", ["l3", "l4"])
def test_every_key_stands_in_the_plan_once_with_what_becomes_of_it(
    servers: TwoServers, tmp_path: Path, layout: str
) -> None:
    made = list(legacy_keys(layout, 3))
    write_keys(servers.source, made)
    before = {number: snapshot(servers.database(number)) for number in (0, 1, 2, 5)}
    report = make_plan(servers.migration(tmp_path, layout))
    lines = planned(tmp_path)
    stated = {(line.database, key): (line.target or None, line.reason) for line in lines for key in line.keys}
    assert len(stated) == sum(len(line.keys) for line in lines) == report.keys == len(made)
    for one in made:
        target, reason = stated[one.database, shown(one)]
        if one.reason:
            assert reason is Reason[one.reason], one.key
        else:
            assert (target, reason) == (one.target, None)
    reasons = Counter(one.reason for one in made)
    aside = report.unmatched.keys + report.collisions.keys + report.left.keys
    assert (report.families.keys, aside) == (reasons[None], len(made) - reasons[None])
    assert not report.is_whole
    assert {number: snapshot(servers.database(number)) for number in (0, 1, 2, 5)} == before
    assert snapshot(servers.target) == {}


def test_reasons_are_counted_with_samples(servers: TwoServers, tmp_path: Path) -> None:
    write_keys(servers.source, legacy_keys("l4", 3))
    report = make_plan(servers.migration(tmp_path))
    count = report.unmatched.counts[str(Reason.NO_INSTRUMENT)]
    assert count.keys == 4
    assert any("vol:state:256265" in sample and "2025-11-28" in sample for sample in count.samples)
    json_error = report.unmatched.counts[str(Reason.UNDECODABLE)].samples
    assert any("BADJSON" in sample and "no JSON" in sample for sample in json_error)
    assert report.pickles.counts["edge_state"].keys == 12
    shared = report.collisions.counts[str(Reason.SAME_TARGET)]
    assert shared.keys == 2
    assert all("-> legacy:l4:vol_state:NSE:TCS:2025-12-01" in sample for sample in shared.samples)


def test_a_place_that_is_taken_is_found_before_anything_is_written(servers: TwoServers, tmp_path: Path) -> None:
    servers.database(1).hset("ticks:latest:INFY", "a", 1)
    servers.target.set("legacy:l4:ticks_latest:INFY", "mine")
    report = make_plan(servers.migration(tmp_path))
    (line,) = planned(tmp_path)
    assert (line.status, line.reason) == (Status.COLLISION, Reason.TARGET_EXISTS)
    assert report.collisions.counts[str(Reason.TARGET_EXISTS)].keys == 1


def test_a_spelling_that_contradicts_the_others_is_a_conflict(servers: TwoServers, tmp_path: Path) -> None:
    for place, key in enumerate(VIX_SPELLINGS[:3]):
        servers.database(1).set(key, 12 + place % 2)
    make_plan(servers.migration(tmp_path))
    assert [(line.keys, line.reason) for line in sorted(planned(tmp_path), key=lambda line: line.keys)] == [
        ((key,), Reason.CONFLICT) for key in sorted(VIX_SPELLINGS[:3])
    ]


def test_hashes_with_lifetimes_of_fields_are_named(servers: TwoServers, tmp_path: Path) -> None:
    client = servers.database(1)
    client.hset("ticks:latest:INFY", mapping={"a": 1, "b": 2})
    client.hset("ticks:latest:TCS", "a", 1)
    client.execute_command("HEXPIRE", "ticks:latest:INFY", 1000, "FIELDS", 1, "b")
    make_plan(servers.migration(tmp_path))
    assert {line.keys[0]: line.reason for line in planned(tmp_path)} == {
        "ticks:latest:INFY": Reason.FIELD_LIFETIMES,
        "ticks:latest:TCS": None,
    }


def test_keys_that_expire_while_they_are_looked_at_are_counted(
    servers: TwoServers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers.database(1).set("price:realtime:TCS", 1)
    monkeypatch.setattr(planning, "scan_keys", lambda _: iter([[b"price:realtime:INFY", b"price:realtime:TCS"]]))
    report = make_plan(servers.migration(tmp_path, "L3"))
    assert (report.keys, report.expired_meanwhile) == (1, 3)  # two databases are said to hold both
    assert [line.keys for line in planned(tmp_path)] == [("price:realtime:TCS",)]


def test_pickles_are_noted_wherever_a_string_keeps_its_value(servers: TwoServers, tmp_path: Path) -> None:
    servers.database(1).set("indicators:INFY:rsi", PICKLE)
    report = make_plan(servers.migration(tmp_path))
    assert {family: count.keys for family, count in report.pickles.counts.items()} == {"indicators_cache": 1}
    assert report.is_whole


def test_one_server_as_source_and_target_is_refused(servers: TwoServers, tmp_path: Path) -> None:
    with pytest.raises(MigrationRefused, match="source and target are the same: database 1"):
        make_plan(servers.migration(tmp_path, target=servers.database(1)))
    with pytest.raises(MigrationRefused, match="database 0"):
        make_plan(servers.migration(tmp_path, "L4", target=servers.source))
    assert list(tmp_path.glob("*.jsonl")) == []


def test_another_database_of_the_same_server_may_be_the_target(servers: TwoServers, tmp_path: Path) -> None:
    servers.database(1).hset("ticks:latest:INFY", "a", 1)
    servers.source.set("{tp:k1}:baseline", "of the platform")
    report = make_plan(servers.migration(tmp_path, "L3", target=servers.source))
    assert (report.keys, report.families.keys) == (1, 1)
    assert any("database 0 of the source is the target" in warning for warning in report.warnings)


def test_clocks_that_are_apart_are_named(servers: TwoServers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([[[b"1764570000", b"0"]], [[b"1764570003", b"500000"]]])
    monkeypatch.setattr(context, "ask", lambda *_: next(answers))
    found = context.reach(servers.migration(tmp_path))
    assert any("3.5 s apart" in warning for warning in found.warnings)


def test_no_file_holds_the_password(servers: TwoServers, tmp_path: Path) -> None:
    write_keys(servers.source, legacy_keys("l4", 3))
    make_plan(servers.migration(tmp_path))
    assert all(PASSWORD.encode() not in path.read_bytes() for path in tmp_path.iterdir())
    assert all(path.stat().st_mode & 0o077 == 0 for path in tmp_path.iterdir())


def test_an_empty_source_gives_an_empty_plan(servers: TwoServers, tmp_path: Path) -> None:
    report = make_plan(servers.migration(tmp_path))
    assert (report.keys, report.is_whole, planned(tmp_path)) == (0, True, [])
