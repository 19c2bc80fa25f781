"""Baselines reach the lake and the recorder with one version."""

from trading_platform.wire.blocks import content_hash
from trading_platform_tests.orchestration.world import LAST, SESSIONS, World, reason


def test_the_table_names_the_published_block(world: World) -> None:
    for session in SESSIONS[-4:-1]:
        world.materialise("instruments", "minute_bars", session=session)
    result = world.materialise("instruments", "volume_baselines", session=LAST)
    assert result.success
    rows = world.lake.read_sessions("volume_baselines", [LAST])
    sha256 = content_hash(world.store.blocks["baseline"])
    assert rows["baseline_version"].unique().to_list() == [sha256[:16]]
    (event,) = result.asset_materializations_for_node("volume_baselines")
    assert event.metadata["block"].value == sha256
    assert event.metadata["sessions_used"].value == ", ".join(map(str, SESSIONS[-4:-1]))
    assert event.metadata["sessions_missing"].value == ", ".join(map(str, SESSIONS[-6:-4]))


def test_no_history_is_named(world: World) -> None:
    world.materialise("instruments", session=LAST)
    result = world.materialise("volume_baselines", session=LAST)
    assert "minute_bars holds none of the 5 sessions before" in reason(result)
    assert world.store.blocks == {}
