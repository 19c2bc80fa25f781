"""The thread that fetches candles: in which order, how it waits, what it hands on, what is left when it ends."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from trading_platform.errors import AccessRefused, BrokerError, JournalDamaged, RequestRefused
from trading_platform.market.clock import NS_PER_SECOND, elapsed_ns
from trading_platform.ports import FetchedCandles
from trading_platform.storage.journal import JournalReader
from trading_platform.streaming.outstanding import Outstanding
from trading_platform.streaming.reconciler import Reconciler, ReconcilerLimits
from trading_platform.wire.candle_block import Candle, CandleBlock, Window
from trading_platform.wire.journal_records import ControlType, RecordKind, encode_control
from trading_platform_tests.streaming.recordings import SESSION as RECORDED
from trading_platform_tests.streaming.recordings import SHARD, open_journal, wait_until

SESSION = date(2026, 7, 31)
TEN = 36_000
"""Ten o'clock on the first day of the epoch, whose midnight is that of UTC."""

QUICK = ReconcilerLimits(
    request_seconds=0.0,
    poll_seconds=0.005,
    first_pause_seconds=0.001,
    longest_pause_seconds=0.01,
    access_seconds=0.01,
    empty_seconds=0.01,
    batch_seconds=60.0,
)


def candle(token: int, start: int) -> Candle:
    return Candle(token, start, 1.0, 2.0, 1.0, 2.0, 5.0)


@dataclass
class Source:
    """Gives a candle of each minute; what `answer` returns or raises comes first."""

    asked: list[Window] = field(default_factory=list)
    answer: Callable[[int], FetchedCandles | None] = lambda _: None

    def minute_candles(self, token: int, begin: int, end: int) -> FetchedCandles:
        self.asked.append(Window(token, begin, end))
        given = self.answer(token)
        minutes = tuple(candle(token, start) for start in range(begin, end, 60))
        return FetchedCandles(minutes) if given is None else given

    @property
    def tokens(self) -> list[int]:
        return [window.token for window in self.asked]


@dataclass
class SetClock:
    """Shows what it is set to."""

    at_ns: int
    rate: float = 1.0

    def now_ns(self) -> int:
        return self.at_ns

    def today(self) -> date:
        return SESSION

    def real_seconds_until(self, target_ns: int) -> float:
        return max(0.0, (target_ns - self.at_ns) / NS_PER_SECOND)

    def hear(self, told: bytes) -> None:
        """It is told nothing."""


@dataclass
class Rig:
    work: Reconciler
    source: Source
    clock: SetClock
    said: list[str]
    blocks: list[CandleBlock] = field(default_factory=list)

    def gap(self, *tokens: int, begin: int = TEN + 60, end: int = TEN + 120) -> None:
        self.work.gap(tokens, begin * NS_PER_SECOND, end * NS_PER_SECOND)

    def wait(self, count: int) -> None:
        """Wait until so many instruments are recorded."""
        wait_until(lambda: sum(len({w.token for w in b.asked()}) for b in self.blocks) >= count)

    @property
    def brought(self) -> list[tuple[int, int]]:
        return [(one.token, one.start) for block in self.blocks for one in block.given()]


@contextmanager
def rig(
    source: Source | None = None, limits: ReconcilerLimits = QUICK, now: int = TEN + 1000, **start: Any
) -> Iterator[Rig]:
    source = source or Source()
    made: Rig
    said: list[str] = []
    moment = SetClock(now * NS_PER_SECOND)
    work = Reconciler(
        SESSION,
        Outstanding(lambda _: [(TEN - 3600, TEN + 3600)]),
        source,
        announce=lambda content: made.blocks.append(CandleBlock.decode(content)),
        clock=moment,
        report=said.append,
        limits=limits,
    )
    made = Rig(work, source, moment, said)
    work.start(**start)
    try:
        yield made
    finally:
        work.stop()


def test_a_gap_is_asked_for_and_handed_on() -> None:
    with rig() as made:
        made.gap(7, 3)
        made.wait(2)
    assert made.source.asked == [Window(7, TEN, TEN + 300), Window(3, TEN, TEN + 300)]
    assert sorted(set(made.brought)) == [(token, TEN + 60 * k) for token in (3, 7) for k in range(5)]
    assert {block.session for block in made.blocks} == {SESSION}
    values = made.work.as_values()
    assert (values["gaps"], values["requests"], values["answers"], values["candles"]) == (1, 2, 2, 10)
    assert (values["outstanding_instruments"], values["failures"], values["waiting"]) == (0, 0, None)


def test_instruments_are_handed_on_together() -> None:
    with rig(limits=replace(QUICK, batch_instruments=4)) as made:
        made.gap(*range(1, 11))
        made.wait(10)
    assert [len(block.windows) for block in made.blocks] == [4, 4, 2]
    assert made.work.counters.records == 3


def test_only_minutes_of_the_intervals_that_gaps_touched_are_handed_on() -> None:
    source = Source(answer=lambda token: FetchedCandles(tuple(candle(token, TEN + 60 * k) for k in range(-5, 20))))
    with rig(source, now=TEN + 310) as made:
        made.gap(9, begin=TEN + 5, end=TEN + 6)
        made.gap(9, begin=TEN + 605, end=TEN + 606)
        wait_until(lambda: made.work.counters.gaps == 2)
        made.clock.at_ns = (TEN + 1000) * NS_PER_SECOND
        made.wait(1)
    assert made.source.asked == [Window(9, TEN, TEN + 900)]
    assert [start - TEN for _, start in made.brought] == [0, 60, 120, 180, 240, 600, 660, 720, 780, 840]
    assert [window[1:] for block in made.blocks for window in block.asked()] == [
        (TEN, TEN + 300),
        (TEN + 600, TEN + 900),
    ]


def test_what_has_not_settled_is_waited_for() -> None:
    with rig(now=TEN + 319) as made:
        made.gap(7)
        wait_until(lambda: made.work.counters.gaps == 1 and not made.work.is_busy(elapsed_ns()))
        assert made.source.asked == []
        made.clock.at_ns += NS_PER_SECOND
        made.wait(1)


def test_requests_keep_their_distance() -> None:
    moments: list[int] = []

    def note(_: int) -> None:
        moments.append(elapsed_ns())

    limits = replace(QUICK, request_seconds=0.05)
    with rig(Source(answer=note), limits) as made:
        made.gap(1, 2, 3, 4)
        made.wait(4)
    assert moments[-1] - moments[0] >= 3 * 0.05 * NS_PER_SECOND


def test_failures_are_tried_again_and_named() -> None:
    failures = [BrokerError("Kite is away; wait"), BrokerError("Kite is away; wait"), BrokerError("too many")]

    def fail(_: int) -> None:
        if failures:
            raise failures.pop(0)

    with rig(Source(answer=fail)) as made:
        made.gap(7, 3)
        made.wait(2)
    assert made.source.tokens == [7, 7, 7, 7, 3]
    counters = made.work.counters
    assert (counters.failures, counters.last_failure, counters.answers) == (3, "too many", 2)
    assert [text.partition(";")[0] for text in made.said] == ["candles: Kite is away", "candles: too many"]


def test_pauses_grow_up_to_a_bound() -> None:
    moments: list[int] = []

    def fail(_: int) -> None:
        moments.append(elapsed_ns())
        if len(moments) < 6:
            raise BrokerError("away")

    limits = replace(QUICK, first_pause_seconds=0.01, longest_pause_seconds=0.03)
    with rig(Source(answer=fail), limits) as made:
        made.gap(7)
        made.wait(1)
    pauses = [after - before for before, after in pairwise(moments)]
    least = [int(seconds * NS_PER_SECOND) for seconds in (0.01, 0.02, 0.03, 0.03, 0.03)]
    assert all(pause >= bound for pause, bound in zip(pauses, least, strict=True))


def test_without_access_it_waits_and_goes_on_by_itself() -> None:
    shut = [True]

    def gate(_: int) -> None:
        if shut[0]:
            raise AccessRefused("no access token: log in")

    with rig(Source(answer=gate)) as made:
        made.gap(7)
        wait_until(lambda: made.work.waiting is not None)
        assert made.work.as_values()["waiting"] == "no access token: log in"
        assert not made.work.is_busy(elapsed_ns())
        wait_until(lambda: len(made.source.asked) >= 3)
        shut[0] = False
        made.wait(1)
        assert made.work.waiting is None
    assert made.said == ["candles: no access token: log in", "candles: Kite answers again"]


def test_an_instrument_that_kite_refuses_is_named_and_left() -> None:
    def refuse(token: int) -> None:
        if token == 7:
            raise RequestRefused("Kite refused candles of 7: invalid token")

    with rig(Source(answer=refuse)) as made:
        made.gap(7, 3)
        made.wait(1)
    assert made.source.tokens == [7, 3]
    values = made.work.as_values()
    assert (values["refused_instruments"], list(values["refused"])) == (1, ["7"])
    assert "its bars stay" in made.said[0]


def test_no_candle_at_all_is_asked_for_again_before_it_is_believed() -> None:
    with rig(Source(answer=lambda token: FetchedCandles((), 1) if token == 7 else None)) as made:
        made.gap(7, 3)
        made.wait(2)
    assert made.source.tokens == [7, 3, 7]
    assert made.work.counters.without_candle == 1
    assert made.work.counters.unreadable == 2
    assert {token for token, _ in made.brought} == {3}
    assert {window.token for block in made.blocks for window in block.asked()} == {3, 7}


def test_what_has_come_is_handed_on_at_the_end_and_nothing_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trading_platform.streaming.reconciler._JOIN_SECONDS", 0.05)
    going_on = threading.Event()

    def hold(token: int) -> None:
        if token == 3:
            going_on.wait(20)

    with rig(Source(answer=hold)) as made:
        made.gap(7, 3)
        wait_until(lambda: made.source.tokens == [7, 3])
        assert made.blocks == []
        made.work.stop()
        assert [token for token, _ in made.brought] == [7] * 5
        going_on.set()
        made.work._thread.join(20)
    assert {token for token, _ in made.brought} == {7}
    assert made.work.counters.records == 1


def journal(root: Path) -> JournalReader:
    fields = {"from_ns": (TEN + 60) * NS_PER_SECOND, "until_ns": (TEN + 70) * NS_PER_SECOND, "tokens": [7, 3]}
    with open_journal(root) as writer:
        writer.append(RecordKind.CONTROL, encode_control(ControlType.GAP, **fields), 1)
        brought = CandleBlock.of(SESSION, [Window(7, TEN, TEN + 300)], []).encode()
        writer.append(RecordKind.CONTROL, encode_control(ControlType.CANDLES, sha256=writer.put_blob(brought)), 1)
    return JournalReader(root, SHARD, RECORDED)


def test_a_journal_that_is_continued_says_what_is_open(tmp_path: Path) -> None:
    with rig(history=journal(tmp_path), until=2) as made:
        made.wait(1)
    assert made.source.tokens == [3]
    assert made.said == ["candles: 1 instruments of gaps before are outstanding"]


def test_a_journal_that_cannot_be_read_is_named_and_new_gaps_are_fetched() -> None:
    class Damaged:
        def read(self, *_: int) -> Any:
            raise JournalDamaged("record 5 is damaged")

    with rig(history=Damaged(), until=9) as made:
        made.gap(7)
        made.wait(1)
    assert made.said == ["candles: gaps of the journal are not all known: record 5 is damaged"]


def test_a_session_that_is_over_waits_while_candles_come() -> None:
    going_on = threading.Event()

    def hold(_: int) -> None:
        going_on.wait(20)

    with rig(Source(answer=hold)) as made:
        ended = elapsed_ns()
        wait_until(lambda: not made.work.is_busy(ended))
        made.gap(7, 3)
        assert made.work.is_busy(ended)
        wait_until(lambda: bool(made.source.asked))
        assert made.work.is_busy(ended)
        assert not made.work.is_busy(ended - 3601 * NS_PER_SECOND)
        going_on.set()
        wait_until(lambda: not made.work.is_busy(ended))
    assert made.source.tokens == [7, 3]


def test_a_session_that_is_over_does_not_wait_for_what_never_answers() -> None:
    def fail(_: int) -> None:
        raise BrokerError("away")

    limits = replace(QUICK, give_up_seconds=0.2)
    with rig(Source(answer=fail), limits) as made:
        ended = elapsed_ns()
        made.gap(7)
        assert made.work.is_busy(ended)
        wait_until(lambda: not made.work.is_busy(ended))
        assert made.work.as_values()["outstanding_instruments"] == 1


@pytest.mark.parametrize("name", ["requests", "answers", "failures", "unreadable", "without_candle", "records"])
def test_every_count_is_told(name: str) -> None:
    with rig() as made:
        assert made.work.as_values()[name] == 0
