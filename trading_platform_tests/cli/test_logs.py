"""Logs are printed, and followed over the moment at which one is put aside."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from trading_platform.cli.logs import FollowedLog
from trading_platform.cli.main import app
from trading_platform.errors import NotRunning, SupervisorFailed
from trading_platform.supervision.plan import write_plan
from trading_platform_tests.supervision.rig import places_in, plan_of, small


def test_a_log_is_followed_over_the_moment_at_which_it_is_put_aside(tmp_path: Path) -> None:
    log = tmp_path / "engine.log"
    followed = FollowedLog(log)
    assert followed.fresh() == []
    log.write_text("first\n")
    assert followed.fresh() == ["first"]
    with log.open("a") as file:
        file.write("second\nhal")
        file.flush()
        assert followed.fresh() == ["second"]
        file.write("f\n")
    log.rename(log.with_suffix(".1"))
    log.write_text("fresh\n")
    assert followed.fresh() + followed.fresh() + followed.fresh() == ["half", "fresh"]
    assert FollowedLog(log).fresh() == []  # only what comes


def test_the_ends_of_logs_are_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TP_DATA_DIR", str(tmp_path / "data"))
    places = places_in(tmp_path)
    assert isinstance(CliRunner().invoke(app, ["logs"]).exception, NotRunning)
    write_plan(places, plan_of(places, services=(small(places, "engine"), small(places, "feed"))))
    places.log("engine").write_text("".join(f"line {k}\n" for k in range(50)))
    one = CliRunner().invoke(app, ["logs", "engine", "--lines", "2"])
    assert (one.exit_code, one.stdout) == (0, "  line 48\n  line 49\n")
    every = CliRunner().invoke(app, ["logs"])
    assert every.exit_code == 0
    assert f"feed: {places.log('feed')}\n  (no log)\n" in every.stdout
    assert "supervisord: " in every.stdout
    assert isinstance(CliRunner().invoke(app, ["logs", "nobody"]).exception, SupervisorFailed)
