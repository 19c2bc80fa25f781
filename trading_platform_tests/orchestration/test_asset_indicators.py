"""Seeds are published; snapshots come from the journal's replay, else from bars."""

import pytest

from trading_platform.calc.indicator_seeds import SeedBlock
from trading_platform.calc.patterns.catalogue import PATTERNS
from trading_platform.orchestration import asset_indicators
from trading_platform_tests.batch.live_rows import replayed
from trading_platform_tests.orchestration.fakes import FakeJournals
from trading_platform_tests.orchestration.world import LAST, SESSIONS, World, reason


class Replayed:
    indicators = replayed(PATTERNS[1].name)[1]


def test_seeds_are_kept_and_published(world: World) -> None:
    world.materialise("instruments", "minute_bars", session=SESSIONS[-2])
    assert world.materialise("instruments", "indicator_seeds", session=LAST).success
    block = SeedBlock.decode(world.store.blocks["seeds"])
    assert block.session == LAST
    rows = world.lake.read_sessions("indicator_seeds", [LAST])
    assert set(rows["token"]) == set(block.tokens.tolist())


def test_snapshots_need_seeds_and_baselines_when_there_is_no_journal(world: World) -> None:
    world.materialise("instruments", "minute_bars", session=LAST)
    assert "table indicator_seeds holds nothing" in reason(world.materialise("indicator_snapshots", session=LAST))


def test_snapshots_of_a_journal_are_its_replay(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asset_indicators, "replay_of_run", lambda *_: Replayed)
    journals = FakeJournals(root=str(LAST), shard="k1")
    result = world.materialise("indicator_snapshots", session=LAST, journals=journals)
    (event,) = result.asset_materializations_for_node("indicator_snapshots")
    assert event.metadata["computed_from"].value == "journal"
    assert world.lake.read_sessions("indicator_snapshots", [LAST]).height == 2
