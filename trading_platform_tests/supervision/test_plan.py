"""The plan beside the supervisor: kept, read again, refused when it is of another make."""

import stat
from pathlib import Path

import pytest

from trading_platform.errors import SupervisorFailed
from trading_platform.supervision.plan import read_plan, write_plan
from trading_platform_tests.supervision.rig import places_in, plan_of, small


def test_a_plan_is_kept_and_read(tmp_path: Path) -> None:
    places = places_in(tmp_path)
    assert read_plan(places) is None
    plan = plan_of(places, services=(small(places, "valkey"), small(places, "engine"), small(places, "feed")))
    write_plan(places, plan)
    assert read_plan(places) == plan
    assert stat.S_IMODE(places.plan.stat().st_mode) == 0o600
    assert plan.names == ("feed", "engine", "valkey")
    assert plan.service("engine").name == "engine"
    with pytest.raises(SupervisorFailed, match="there are valkey, engine, feed"):
        plan.service("nobody")


@pytest.mark.parametrize("content", ["", "{", "[]", '{"profile": "live"}'])
def test_a_plan_of_another_make_is_refused(tmp_path: Path, content: str) -> None:
    places = places_in(tmp_path)
    places.plan.write_text(content)
    with pytest.raises(SupervisorFailed, match="remove it"):
        read_plan(places)
