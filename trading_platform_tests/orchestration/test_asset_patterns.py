"""Signals come from the journal alone, up to the record that the run covers."""

import dagster as dg
import pytest

from trading_platform.calc.patterns.catalogue import PATTERNS
from trading_platform.definitions import ASSETS
from trading_platform.orchestration import asset_patterns
from trading_platform.orchestration.context import TO_RECORD
from trading_platform_tests.batch.live_rows import replayed
from trading_platform_tests.orchestration.fakes import FakeJournals
from trading_platform_tests.orchestration.world import LAST, World, reason

NAME = PATTERNS[1].name


class Replayed:
    signals = replayed(NAME)[2]


@pytest.mark.parametrize(("until", "rows"), [("19", 0), ("20", 1), (None, 1)])
def test_signals_up_to_the_record_of_the_run(
    world: World, monkeypatch: pytest.MonkeyPatch, until: str | None, rows: int
) -> None:
    monkeypatch.setattr(asset_patterns, "replay_of_run", lambda *_: Replayed)
    result = dg.materialize(
        ASSETS,
        selection=["patterns"],
        instance=world.instance,
        resources={**world.resources, "journals": FakeJournals(root=str(LAST), shard="k1")},
        partition_key=str(LAST),
        tags={} if until is None else {TO_RECORD: until},
    )
    (event,) = result.asset_materializations_for_node("patterns")
    assert event.metadata["dagster/row_count"].value == rows
    assert event.metadata["by_pattern"].value == ({NAME: 1} if rows else {})


def test_without_a_journal_the_session_is_named(world: World) -> None:
    assert f"has no journal of {LAST}" in reason(world.materialise("patterns", session=LAST))
