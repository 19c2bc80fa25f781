"""Tags of a run say which records it covers."""

from trading_platform.orchestration.context import FROM_RECORD, TO_RECORD, RecordSpan, record_span


def test_without_tags_all_records_are_covered() -> None:
    assert record_span({}) == RecordSpan(0, None)


def test_tags_bound_the_records() -> None:
    assert record_span({FROM_RECORD: "5", TO_RECORD: "9"}) == RecordSpan(5, 9)
