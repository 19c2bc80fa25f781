"""Minute bars come from the journal where there is one, else from the import, else the session is named."""

from datetime import date

import dagster as dg
import polars as pl
import pytest

from trading_platform.definitions import ASSETS
from trading_platform.orchestration import asset_market_data
from trading_platform.orchestration.context import RANGE_END, RANGE_START
from trading_platform_tests.batch.lake_rows import INFY, minute_bars
from trading_platform_tests.orchestration.fakes import FakeJournals
from trading_platform_tests.orchestration.world import LAST, MINUTES, SESSIONS, World, reason


class Replayed:
    bars = minute_bars(LAST, INFY, "INFY", closes=[1.0, 2.0]).drop("segment", "source").with_columns(interval=pl.lit(1))


def test_an_import_becomes_bars_with_tokens(world: World) -> None:
    result = world.materialise("instruments", "minute_bars", session=LAST)
    assert result.success
    rows = world.lake.read_sessions("minute_bars", [LAST])
    assert rows.height == 2 * MINUTES
    assert rows["source"].unique().to_list() == ["synthetic"]
    assert rows["token"].null_count() == 0
    (event,) = result.asset_materializations_for_node("minute_bars")
    assert event.metadata["plot"].value.startswith("![plot](data:image/png;base64,")


def test_the_journal_comes_first(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asset_market_data, "replay_of_run", lambda *_: Replayed)
    journals = FakeJournals(root=str(LAST), shard="k1")
    assert world.materialise("minute_bars", session=LAST, journals=journals).success
    rows = world.lake.read_sessions("minute_bars", [LAST])
    assert rows.select("symbol", "source", "segment").unique().rows() == [("INFY", "ticks", "NSE")]


def test_a_session_without_input_is_named(world: World) -> None:
    lost = date(2026, 7, 17)
    assert f"no bars of {lost}" in reason(world.materialise("minute_bars", session=lost))


def test_a_range_is_one_run_and_its_good_sessions_survive_a_missing_one(world: World) -> None:
    tags = {RANGE_START: "2026-07-17", RANGE_END: str(LAST)}
    result = dg.materialize(
        ASSETS,
        selection=["minute_bars"],
        instance=world.instance,
        resources=world.resources,
        tags=tags,
        raise_on_error=False,
    )
    assert "sessions without bars: 2026-07-17" in reason(result)
    assert world.lake.sessions("minute_bars") == SESSIONS


def test_each_session_of_a_range_tells_its_own_rows(world: World) -> None:
    result = dg.materialize(
        ASSETS,
        selection=["minute_bars"],
        instance=world.instance,
        resources=world.resources,
        tags={RANGE_START: str(SESSIONS[0]), RANGE_END: str(LAST)},
    )
    told = {event.partition: event.metadata for event in result.asset_materializations_for_node("minute_bars")}
    assert {key: metadata["dagster/row_count"].value for key, metadata in told.items()} == {
        str(session): 2 * MINUTES for session in SESSIONS
    }
    assert {metadata["source"].value for metadata in told.values()} == {"synthetic"}
