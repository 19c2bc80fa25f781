"""Each check of the baselines runs with them, says what it saw, and is red where there is nothing to see."""

from datetime import date

import dagster as dg
import polars as pl

from trading_platform.orchestration.checks_baselines import BASELINE_CHECKS
from trading_platform_tests.batch.baseline_frames import curve, stored
from trading_platform_tests.batch.lake_rows import INFY, instruments, minute_bars
from trading_platform_tests.orchestration.world import LAST, SESSIONS, World

NAMES = {one.check_key.name for one in BASELINE_CHECKS}


def judged(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    return {one.check_name: one for one in result.get_asset_check_evaluations() if one.check_name in NAMES}


def past(world: World, *sessions: date) -> None:
    """Write dumps and bars as their assets would, without their runs."""
    world.lake.write_session("instruments", LAST, instruments(LAST, SYNONE=INFY))
    for session in sessions:
        bars = minute_bars(session, INFY, "SYNONE", closes=[100.0] * 120, volumes=[1000] * 120)
        world.lake.write_session("minute_bars", session, bars)


def made(world: World) -> dict[str, dg.AssetCheckEvaluation]:
    return judged(world.materialise("volume_baselines", session=LAST))


def test_a_platform_with_a_past_passes_and_each_fault_turns_its_check_red(world: World) -> None:
    past(world, *SESSIONS[-6:-1])
    universe = {"exchange": "NSE", "segment": "NSE", "reason": "cash", "priority": 1, "socket": 1, "mode": "full"}
    subscribed = pl.DataFrame([{"session": LAST, "token": INFY, "symbol": "SYNONE", **universe}])
    world.lake.write_session("subscription_universe", LAST, subscribed)
    before = [curve(SESSIONS[-2], INFY, "SYNONE", expected=[1000.0 * n] * (120 // n), interval=n) for n in (1, 5)]
    world.lake.write_session("volume_baselines", SESSIONS[-2], stored(pl.concat(before)))
    found = made(world)
    # bands of 24 bars tell nothing
    assert [name for name, one in found.items() if not one.passed] == ["baseline_calibration"]
    assert found["baseline_coverage"].metadata["with_a_baseline"].value == 1
    assert found["baseline_bias_drift"].metadata["scored_session"].value == str(SESSIONS[-2])
    assert found["baseline_history"].metadata["last_session_used"].value == str(SESSIONS[-2])
    assert found["baseline_jump"].metadata["compared_with"].value == str(SESSIONS[-2])
    tenfold = pl.concat(before).with_columns(pl.col("^expected_.*$") * 10)
    world.lake.write_session("volume_baselines", SESSIONS[-2], stored(tenfold))
    found = made(world)
    assert "SYNONE" in str(found["baseline_jump"].metadata["says"].value)
    assert "900% above" in str(found["baseline_bias_drift"].metadata["says"].value)
    assert not found["baseline_jump"].passed
    assert not found["baseline_bias_drift"].passed
    assert {one.severity for one in found.values()} == {dg.AssetCheckSeverity.WARN}


def test_yesterday_without_bars_is_a_stale_history(world: World) -> None:
    past(world, *SESSIONS[-6:-2])
    found = made(world)
    history = found["baseline_history"]
    assert not history.passed
    assert f"the last comparable session, {SESSIONS[-2]}, is not in it" in str(history.metadata["says"].value)
    assert "subscription_universe holds nothing" in str(found["baseline_coverage"].metadata["says"].value)
    for name in ("baseline_bias_drift", "baseline_calibration", "baseline_jump", "baseline_coverage"):
        assert not found[name].passed, name
