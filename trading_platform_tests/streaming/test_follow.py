from datetime import date

from trading_platform.ports import HeldOutputs
from trading_platform.streaming.follow import next_session

FIRST, SECOND, THIRD = date(2016, 8, 17), date(2016, 8, 18), date(2016, 8, 19)


def outputs(*, closed: bool, whole: bool = True) -> HeldOutputs:
    return HeldOutputs(5, {}, closed=closed, whole=whole)


def wanted(
    held: dict[date, HeldOutputs], expired: tuple[date, ...] = (), *, stateless: tuple[date, ...] = ()
) -> date | None:
    return next_session(
        [THIRD, FIRST, SECOND],
        held=held.get,
        has_state=lambda session, record: session not in stateless and record == 5,
        expired=expired.__contains__,
    )


def test_the_oldest_unfinished_session_is_next() -> None:
    assert wanted({}) == FIRST
    assert wanted({FIRST: outputs(closed=True)}) == SECOND
    assert wanted({FIRST: outputs(closed=True), SECOND: outputs(closed=False)}) == SECOND


def test_nothing_is_next_when_all_are_closed() -> None:
    assert wanted(dict.fromkeys((FIRST, SECOND, THIRD), outputs(closed=True))) is None
    assert next_session([], held={}.get, has_state=lambda *_: False, expired=lambda _: False) is None


def test_a_closed_session_whose_outputs_lack_entries_is_taken_up_again() -> None:
    assert wanted({FIRST: outputs(closed=True, whole=False)}) == FIRST


def test_a_closed_session_whose_last_state_was_not_written_is_taken_up_again() -> None:
    assert wanted({FIRST: outputs(closed=True)}, stateless=(FIRST,)) == FIRST


def test_outputs_that_expired_are_not_written_again_but_lost_ones_are() -> None:
    assert wanted({}, expired=(FIRST,)) == SECOND
    assert wanted({FIRST: outputs(closed=False)}, expired=(FIRST,)) == FIRST
