"""The streams stand in the graph with the keys under which they are found, and are told of as they grow."""

from datetime import date

from trading_platform.orchestration.asset_streams import STREAMS, observations
from trading_platform.wire.records import BAR
from trading_platform_tests.orchestration.fakes import position

SESSION = date(2026, 7, 30)


def test_each_family_of_the_engine_has_its_key_and_lifetime() -> None:
    told = {one.key.to_user_string(): one.metadata for one in STREAMS}
    assert told["live_bars"]["redis_key"] == "{tp:SHARD}:bars:20260731"
    assert told["live_bars"]["lifetime_days"] == 4
    assert set(told) == {"frames_journal", "live_latest", "live_bars", "live_features", "live_signals"}


def test_columns_are_those_of_the_packed_rows_with_the_meaning_that_the_lake_gives_them() -> None:
    (bars,) = [one for one in STREAMS if one.key.to_user_string() == "live_bars"]
    columns = {one.name: one for one in bars.metadata["dagster/column_schema"].columns}
    assert list(columns) == list(BAR.dtype.names or ())
    assert columns["volume"].description == "Traded quantity; null for an index."


def test_an_observation_says_how_far_a_stream_is() -> None:
    told = {one.asset_key.to_user_string(): one for one in observations(position(record=21), SESSION)}
    assert told["frames_journal"].metadata["records_read"].value == 21
    assert {one.partition for one in told.values()} == {"2026-07-30"}
