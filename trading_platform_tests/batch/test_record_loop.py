import pytest

from trading_platform.batch.record_loop import Limit, feed_records
from trading_platform.calc.session_pass import SessionPass
from trading_platform.wire.journal_records import RecordBatch, empty_batch
from trading_platform_tests.calc.feeding import CASH, DAY, NS, Feeding, at, tick

OPEN = at("09:15:00")


class Records:
    """A journal in memory that gives five records at a time."""

    def __init__(self, feeding: Feeding) -> None:
        self._all = feeding.batch()
        self.blob = feeding.blob

    def read(self, after: int, *_: object) -> RecordBatch:
        rows = self._all.table[self._all.table["number"] > after][:5]
        return RecordBatch(self._all.buffer, rows) if len(rows) else empty_batch()


def journal() -> Feeding:
    """Five control records, then a packet every ten seconds from the open on: record 6 + n at 10 * n seconds."""
    feeding = Feeding().opened()
    assert len(feeding.records) == 5
    for second in range(0, 150, 10):
        feeding.frame(OPEN + second + 0.3, tick(CASH, 100.0 + second / 10, second, OPEN + second))
    return feeding


def ends(limit: Limit, stop_at: int | None = None) -> list[int]:
    source = Records(journal())
    state = SessionPass(DAY, source.blob)
    reached = []
    for batch, _ in feed_records(state, source, limit, stop_at=stop_at):
        assert batch.last_number == state.position
        reached.append(state.position)
    return reached


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        (Limit(), [5, 10, 15, 20]),
        (Limit(number=15), [5, 10, 15]),
        (Limit(number=12), [5, 10, 12]),
        (Limit(number=99), [5, 10, 15, 20]),
        (Limit(received_ns=(OPEN + 60) * NS), [5, 10, 11]),
        (Limit(received_ns=(OPEN + 60) * NS + 300_000_000), [5, 10, 12]),
        (Limit(received_ns=OPEN * NS), [5]),
        (Limit(number=8, received_ns=(OPEN + 60) * NS), [5, 8]),
        (Limit(received_ns=0), []),
    ],
)
def test_records_end_where_they_are_told_to(limit: Limit, expected: list[int]) -> None:
    assert ends(limit) == expected


@pytest.mark.parametrize(
    ("stop_at", "expected"), [(7, [5, 7, 10, 15, 20]), (10, [5, 10, 15, 20]), (20, [5, 10, 15, 20])]
)
def test_a_batch_ends_where_somebody_wants_to_look(stop_at: int, expected: list[int]) -> None:
    assert ends(Limit(), stop_at) == expected
