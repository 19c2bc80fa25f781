"""A check fails on the session that breaks its rule, names it, and warns only where little is known."""

import dagster as dg
import polars as pl

from trading_platform.definitions import CHECKS
from trading_platform.orchestration.asset_market_data import minute_bars
from trading_platform.orchestration.context import RANGE_END, RANGE_START
from trading_platform_tests.orchestration.world import LAST, SESSIONS, World


@dg.asset(key=minute_bars.key, partitions_def=minute_bars.partitions_def, backfill_policy=minute_bars.backfill_policy)
def as_they_are() -> None:
    """Leave the bars in the lake as they are."""


def judge(world: World) -> dg.AssetCheckEvaluation:
    result = dg.materialize(
        [as_they_are, *(one for one in CHECKS if one.check_key.asset_key == minute_bars.key)],
        instance=world.instance,
        resources=world.resources,
        tags={RANGE_START: str(SESSIONS[-3]), RANGE_END: str(LAST)},
    )
    (evaluation,) = result.get_asset_check_evaluations()
    return evaluation


def test_sound_sessions_pass_and_a_broken_one_is_named(world: World) -> None:
    for session in SESSIONS[-3:]:
        world.materialise("instruments", "minute_bars", session=session)
    assert judge(world).passed
    rows = world.lake.read_sessions("minute_bars", [SESSIONS[-2]])
    world.lake.write_session("minute_bars", SESSIONS[-2], rows.with_columns(high=pl.col("low") - 1))
    evaluation = judge(world)
    assert not evaluation.passed
    assert evaluation.severity is dg.AssetCheckSeverity.ERROR
    assert evaluation.metadata["broken_sessions"].value == str(SESSIONS[-2])
    assert evaluation.metadata["prices_out_of_order_or_unknown"].value == rows.height


def test_too_little_history_warns(world: World) -> None:
    world.materialise("instruments", "minute_bars", session=SESSIONS[-2])
    result = world.materialise("instruments", "volume_baselines", session=LAST)
    found = {one.check_name: one for one in result.get_asset_check_evaluations()}
    assert not found["baselines_are_known"].passed
    assert found["baselines_are_known"].severity is dg.AssetCheckSeverity.WARN
