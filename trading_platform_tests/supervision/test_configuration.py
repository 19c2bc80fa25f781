"""The configuration as the supervisor's own parser reads it, with every sign a path can hold."""

import stat
import sys
from pathlib import Path

import pytest
from supervisor.options import ServerOptions

from trading_platform.errors import CannotStart
from trading_platform.supervision.configuration import configuration_text
from trading_platform.supervision.plan import RETRIES
from trading_platform_tests.supervision.rig import places_in, plan_of, small


@pytest.mark.parametrize("name", ["plain", "two words", "50%", "semi;colon", "quo'te\"s", "ünï", "a$b"])
def test_the_supervisor_reads_what_is_meant(tmp_path: Path, name: str) -> None:
    places = places_in(tmp_path / name)
    plan = plan_of(places, services=(small(places, "feed", stop_seconds=33), small(places, "valkey", restarts=False)))
    file = tmp_path / "supervisord.conf"
    file.write_text(configuration_text(places, plan))
    options = ServerOptions()
    options.realize(["-c", str(file)])
    assert options.configroot.supervisord.logfile == str(places.log("supervisord"))
    assert [one["family"].name for one in options.server_configs] == ["AF_UNIX"]
    assert options.server_configs[0]["file"] == str(places.control)
    assert stat.S_IMODE(options.server_configs[0]["chmod"]) == 0o600
    valkey, feed = (group.process_configs[0] for group in sorted(options.process_group_configs))
    assert (feed.name, feed.stopwaitsecs, feed.startretries, feed.autostart) == ("feed", 33, RETRIES, False)
    assert feed.stdout_logfile == str(places.log("feed"))
    assert feed.autorestart is not False
    assert (valkey.name, valkey.autorestart, valkey.startretries) == ("valkey", False, 0)
    assert sys.executable in feed.command


@pytest.mark.parametrize("name", ["a ;b", "a #b", "a\nb"])
def test_a_folder_that_it_cannot_hold_is_refused(tmp_path: Path, name: str) -> None:
    places = places_in(tmp_path)
    odd = type(places)(tmp_path / name)
    with pytest.raises(CannotStart, match="another data folder"):
        configuration_text(odd, plan_of(places, services=(small(places, "feed"),)))
