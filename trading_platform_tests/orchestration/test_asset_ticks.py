"""The ticks of a session are in the lake as the journal has them, and the check sees one that is missing."""

from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from trading_platform.batch.ticks import PacketCount
from trading_platform.orchestration.asset_ticks import verdict
from trading_platform.orchestration.resources import JournalsResource
from trading_platform.storage.journal_writer import JournalWriter
from trading_platform_tests.calc.feeding import CASH, DAY, INDEX, Feeding, at, tick
from trading_platform_tests.orchestration.world import World, reason

OPEN, SECONDS = at("09:15:00"), 50


@pytest.fixture
def journals(tmp_path: Path) -> JournalsResource:
    feeding = Feeding().opened()
    for second in range(SECONDS):
        feeding.frame(OPEN + second, tick(CASH, 100.0, second, OPEN + second), tick(INDEX, 50.0, 0, OPEN))
    with JournalWriter.open(tmp_path / "journal", "k1", DAY) as writer:
        writer.append_encoded(feeding.batch())
        writer.flush()
    return JournalsResource(root=str(tmp_path / "journal"), shard="k1")


def test_ticks_come_from_the_journal_and_none_may_be_missing(world: World, journals: JournalsResource) -> None:
    result = world.materialise("ticks", session=DAY, journals=journals)
    assert result.success
    (told,) = result.asset_materializations_for_node("ticks")
    assert told.metadata["dagster/row_count"].value == told.metadata["packets_announced"].value == 2 * SECONDS
    assert told.metadata["bytes_a_million_ticks"].value > 0
    assert [one.passed for one in result.get_asset_check_evaluations()] == [True]
    rows = world.lake.read_sessions("ticks", [DAY])
    assert rows.filter(pl.col("token") == CASH).height == SECONDS


@pytest.mark.parametrize(
    ("rows", "lost", "passed", "severity"),
    [
        (10, 0, True, dg.AssetCheckSeverity.WARN),
        (9, 0, False, dg.AssetCheckSeverity.ERROR),
        (11, 0, False, dg.AssetCheckSeverity.ERROR),
        (8, 2, False, dg.AssetCheckSeverity.WARN),
        (10, 2, False, dg.AssetCheckSeverity.ERROR),
    ],
)
def test_a_tick_that_is_missing_is_an_error_and_one_that_damage_cost_a_warning(
    rows: int, lost: int, passed: bool, severity: dg.AssetCheckSeverity
) -> None:
    found = verdict(rows, PacketCount(announced=10, lost=lost))
    assert (found.passed, found.severity) == (passed, severity)


def test_a_session_without_a_journal_is_named(world: World, journals: JournalsResource) -> None:
    missing = world.materialise("ticks", session=DAY.replace(day=30), journals=journals)
    assert "has no journal of 2026-07-30" in reason(missing)
