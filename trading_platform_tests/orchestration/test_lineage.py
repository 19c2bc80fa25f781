"""Column lineage names columns that there are, of assets that the graph says are upstream."""

from trading_platform.definitions import defs
from trading_platform.orchestration.lineage import COLUMN_SOURCES
from trading_platform.wire.lake_tables import TABLES


def test_both_ends_of_every_column_are_columns_of_tables() -> None:
    for table, columns in COLUMN_SOURCES.items():
        assert set(columns) <= set(TABLES[table].schema), table
        for column, sources in columns.items():
            assert sources, (table, column)
            assert [one for one in sources if one[1] not in TABLES[one[0]].schema] == [], (table, column)


def test_a_column_comes_from_what_the_asset_depends_on() -> None:
    graph = defs.get_repository_def().asset_graph
    for table, columns in COLUMN_SOURCES.items():
        (key,) = [one for one in graph.get_all_asset_keys() if one.to_user_string() == table]
        parents = {one.to_user_string() for one in graph.get(key).parent_keys}
        assert {asset for sources in columns.values() for asset, _ in sources} <= parents, table


def test_every_table_that_is_computed_from_another_says_from_which_columns() -> None:
    assert set(COLUMN_SOURCES) >= {
        "minute_bars",
        "volume_baselines",
        "volume_profiles",
        "indicator_seeds",
        "indicator_snapshots",
        "patterns",
    }
