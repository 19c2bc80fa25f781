"""Dumps reach the lake; a broken line is counted, a missing dump named."""

from pathlib import Path

from trading_platform_tests.orchestration.world import LAST, World, reason


def test_instruments_and_universe_of_a_session(world: World) -> None:
    result = world.materialise("instruments", "subscription_universe", session=LAST)
    assert result.success
    listed = world.lake.read_sessions("instruments", [LAST])
    assert set(listed["symbol"]) == {"SYNONE", "SYNDEX"}
    chosen = world.lake.read_sessions("subscription_universe", [LAST])
    assert set(chosen["token"]) == set(listed["token"])
    (metadata,) = result.asset_materializations_for_node("instruments")
    assert metadata.metadata["dagster/row_count"].value == 2
    assert all(one.passed for one in result.get_asset_check_evaluations())


def test_a_broken_line_is_counted_and_its_neighbours_kept(world: World, tmp_path: Path) -> None:
    dump = tmp_path / "dumps" / f"instruments_{LAST:%Y%m%d}.csv"
    dump.write_bytes(dump.read_bytes() + b"not,a,row\n")
    result = world.materialise("instruments", session=LAST)
    (event,) = result.asset_materializations_for_node("instruments")
    assert event.metadata["lines_set_aside"].value == 1
    assert event.metadata["reasons"].value == {"wrong_field_count": 1}
    assert event.metadata["dagster/row_count"].value == 2


def test_a_missing_dump_is_named(world: World, tmp_path: Path) -> None:
    (tmp_path / "dumps" / f"instruments_{LAST:%Y%m%d}.csv").unlink()
    assert f"no instrument dump of {LAST}" in reason(world.materialise("instruments", session=LAST))
