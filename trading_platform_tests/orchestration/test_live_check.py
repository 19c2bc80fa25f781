"""live == replay: green only when every row and the digest agree, red with a reason otherwise, never silent."""

import dagster as dg
import pytest

from trading_platform.errors import JournalDamaged
from trading_platform.orchestration.asset_patterns import patterns
from trading_platform.orchestration.context import RecordSpan
from trading_platform.orchestration.live_check import NO_LIVE_RECORD, judge, live_equals_replay
from trading_platform_tests.batch.lake_rows import SESSION
from trading_platform_tests.orchestration.fakes import FakeJournals, FakeStore, fake_redis, position

WHOLE = RecordSpan(0, None)


def journals(**changes: object) -> FakeJournals:
    return FakeJournals(root=str(SESSION), shard="k1", **changes)


def test_equal_sides_pass() -> None:
    result = judge(FakeStore(position()), journals(), SESSION, WHOLE)
    assert result.passed
    assert result.metadata["compared"].value == "rows and features digest"
    assert result.metadata["revised_bars"].value == 1


def test_a_missing_row_fails_and_is_shown() -> None:
    result = judge(FakeStore(position()), journals(lost_bars=1), SESSION, WHOLE)
    assert not result.passed
    assert result.severity is dg.AssetCheckSeverity.ERROR
    assert result.metadata["bars_difference"].value["only_live"] == 1


def test_another_features_digest_fails() -> None:
    assert not judge(FakeStore(position(digest="cd" * 32)), journals(), SESSION, WHOLE).passed


def test_a_running_session_is_compared_up_to_the_live_position() -> None:
    live = FakeStore(position(record=20, closed=False, digest="cd" * 32))
    result = judge(live, journals(last_record=30, lost_bars=1), SESSION, WHOLE)
    # the lost bar belongs to record 21, the digest to another record
    assert result.passed
    assert result.metadata["to_record"].value == 20
    assert "goes on" in result.metadata["compared"].value


def test_a_green_end_of_the_session_does_not_hide_a_red_beginning() -> None:
    # the lost bar belongs to record 21, before the span of the last run
    assert judge(FakeStore(position()), journals(lost_bars=1), SESSION, RecordSpan(0, 20)).passed
    assert not judge(FakeStore(position()), journals(lost_bars=1), SESSION, RecordSpan(20, None)).passed
    assert not judge(FakeStore(position()), journals(lost_bars=1), SESSION, RecordSpan(25, None)).passed


def test_no_live_record_is_a_warning_not_a_proof() -> None:
    result = judge(FakeStore(None), journals(), SESSION, WHOLE)
    assert not result.passed
    assert result.severity is dg.AssetCheckSeverity.WARN
    assert result.metadata["reason"].value == NO_LIVE_RECORD


def test_damage_reaches_the_check() -> None:
    with pytest.raises(JournalDamaged):
        judge(FakeStore(position()), journals(damaged=True), SESSION, WHOLE)


def test_a_damaged_journal_turns_the_check_red_without_ending_the_run() -> None:
    @dg.asset(key=patterns.key, partitions_def=patterns.partitions_def)
    def no_patterns() -> None:
        """Stand for the asset that the check belongs to."""

    result = dg.materialize(
        [no_patterns, live_equals_replay],
        partition_key=str(SESSION),
        resources={"redis_manager": fake_redis(FakeStore(position())), "journals": journals(damaged=True)},
    )
    assert result.success
    (evaluation,) = result.get_asset_check_evaluations()
    assert not evaluation.passed
    assert "record 7" in evaluation.metadata["reason"].value
