"""An asset is late when a session passed without it, and never because of a holiday."""

from datetime import timedelta

from trading_platform.definitions import defs
from trading_platform.market.sessions import load_session_table
from trading_platform.orchestration.freshness import longest_pause


def test_the_longest_pause_of_a_year_is_that_over_a_long_weekend() -> None:
    # 2026: Thursday 2 April to Monday 6 April is one of those over Good Friday
    assert longest_pause(load_session_table()) == timedelta(days=4)


def test_every_asset_of_a_session_has_a_policy_and_no_other() -> None:
    graph = defs.get_repository_def().asset_graph
    for key in graph.materializable_asset_keys:
        node = graph.get(key)
        assert (node.freshness_policy is not None) == (node.partitions_def is not None), key
