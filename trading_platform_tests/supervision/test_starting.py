"""A start that fails is named with the end of the log, and leaves nothing running."""

from pathlib import Path

import pytest

from trading_platform import __version__
from trading_platform.errors import CannotStart, ChildFailed, TookTooLong
from trading_platform.settings import Settings
from trading_platform.supervision.control import Control
from trading_platform.supervision.orphans import orphans
from trading_platform.supervision.places import Places
from trading_platform.supervision.starting import Start, wait_until_ready
from trading_platform_tests.supervision.rig import places_in, plan_of, small, supervised, wait_for
from trading_platform_tests.supervision.test_preflight import settings_in


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A data folder whose Dagster home was made before."""
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    made = settings_in(tmp_path)
    places = places_in(tmp_path)
    (places.folder / "prepared").write_text(f"{__version__} sqlite")
    (made.data_dir / "dagster").mkdir()
    (made.data_dir / "dagster" / "dagster.yaml").touch()
    made.lake_dir.mkdir()
    return made


def test_a_process_that_dies_is_named_with_the_end_of_its_log(settings: Settings) -> None:
    places = Places.of(settings.data_dir)
    dying = small(places, "engine", "print('first'); raise SystemExit('what is wrong')")
    plan = plan_of(places, profile="simulated", services=(dying, small(places, "feed")))
    with pytest.raises(ChildFailed, match=r"(?s)engine does not start.*what is wrong"):
        Start(settings, plan, lambda _: None).run()
    assert not Control(places.control).is_running()
    assert orphans(places) == {}


def test_a_process_that_never_gets_ready_is_named_with_what_is_missing(settings: Settings) -> None:
    places = Places.of(settings.data_dir)
    plan = plan_of(places, profile="simulated", services=(small(places, "engine"),))
    with pytest.raises(TookTooLong, match="engine is not ready after 1 s: no its first snapshot"):
        Start(settings, plan, lambda _: None, ready_seconds=0.6).run()
    assert orphans(places) == {}


def test_nothing_is_started_while_something_stands_in_the_way(settings: Settings) -> None:
    places = Places.of(settings.data_dir)
    plan = plan_of(places, services=(small(places, "engine"),))
    with pytest.raises(CannotStart, match=r"(?s)cannot start:.*token:.*kite_api_key"):
        Start(settings, plan, lambda _: None).run()
    assert not places.configuration.exists()


def test_ready_is_what_the_probe_says(tmp_path: Path) -> None:
    places = places_in(tmp_path)
    plan = plan_of(places, services=(small(places, "engine"),))
    answers = iter(["a", "b", None])
    asked: list[int] = []

    def probe(pid: int, _age: float) -> str | None:
        asked.append(pid)
        return next(answers)

    with supervised(places, *plan.services) as control:
        control.start("engine")
        wait_for(lambda: control.state("engine").is_at_work)
        wait_until_ready(control, plan, "engine", probe, seconds=30.0)
        assert asked == [control.state("engine").pid] * 3
