"""A step that fails lets the others go on, and fails the run at its end."""

import dagster as dg
import pytest

from trading_platform.errors import MissingInput
from trading_platform.orchestration.day_steps import Steps


def test_what_went_wrong_is_named_at_the_end() -> None:
    done: list[str] = []

    def refuse() -> None:
        raise MissingInput("no dump")

    def fail() -> None:
        raise dg.Failure("a check failed")

    steps = Steps(dg.build_op_context())
    assert [steps.do(what, step) for what, step in (("first", refuse), ("second", fail))] == [False, False]
    assert steps.do("third", lambda: done.append("third"))
    assert done == ["third"]
    with pytest.raises(dg.Failure, match="first: no dump; second: a check failed"):
        steps.end()


def test_a_day_without_trouble_ends_well_and_a_defect_stops_it() -> None:
    steps = Steps(dg.build_op_context())
    steps.end()
    with pytest.raises(LookupError):
        steps.do("defect", [].pop)
