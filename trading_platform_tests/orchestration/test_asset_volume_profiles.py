"""Profiles reach the lake with their check, and carry on from the session before."""

import polars as pl

from trading_platform_tests.orchestration.world import SESSIONS, World, reason


def test_sessions_of_bars_follow_each_other(world: World) -> None:
    for session in SESSIONS[:2]:
        result = world.materialise("instruments", "minute_bars", "volume_profiles", session=session)
        assert result.success
        assert {one.check_name: one.passed for one in result.get_asset_check_evaluations()}["profiles_are_sound"]
    rows = world.lake.read_sessions("volume_profiles", SESSIONS[:2])
    known = rows.filter(pl.col("symbol") == "SYNONE").sort("session")
    assert known["method"].to_list() == ["bars", "bars"]
    assert known["volume"].to_list() == [120_000, 120_000]
    # prices from 100 to 110 are 201 ticks of 0.05: two to a row, as the first session has it
    assert known["row_ticks"].to_list() == [2, 2]
    # the second session trades at all prices again
    assert known["naked_pocs"].to_list() == [[], []]
    assert rows.filter(pl.col("symbol") == "SYNDEX")["reason"].unique().to_list() == ["an index has no volume"]
    (event,) = result.asset_materializations_for_node("volume_profiles")
    assert (event.metadata["profiles"].value, event.metadata["from_ticks"].value) == (1, 0)
    assert event.metadata["plot"].value.startswith("![plot](data:image/png;base64,")


def test_a_session_without_bars_is_named(world: World) -> None:
    told = reason(world.materialise("volume_profiles", session=SESSIONS[0]))
    assert f"table minute_bars holds nothing of {SESSIONS[0]}" in told
