"""The plan of each profile: which processes there are, and that no secret is in it."""

import sys
from datetime import date
from pathlib import Path

import yaml

from trading_platform.settings import IsolatedSettings
from trading_platform.supervision.arrange import arrange, workspace_text
from trading_platform.supervision.plan import STOP_ORDER
from trading_platform_tests.supervision.rig import places_in

SECRETS = {
    "kite_api_key": "hidden-key-1",
    "kite_api_secret": "hidden-secret-2",
    "kite_access_token": "hidden-token-3",
}


def test_a_live_platform_has_no_exchange_and_no_secret(tmp_path: Path) -> None:
    settings = IsolatedSettings.model_validate({"data_dir": tmp_path / "data", **SECRETS})
    plan = arrange(settings, places_in(tmp_path), "live")
    assert plan.names == tuple(name for name in STOP_ORDER if name != "exchange")
    assert plan.environment == {}
    assert not [secret for secret in SECRETS.values() if secret in plan.model_dump_json()]
    assert all(Path(one.command[0]).parent == Path(sys.executable).parent for one in plan.services)


def test_a_redis_that_is_named_is_used_and_none_started(tmp_path: Path) -> None:
    settings = IsolatedSettings.model_validate(
        {"data_dir": tmp_path / "data", "redis_url": "redis://:hidden-password@127.0.0.1:6379/0"}
    )
    plan = arrange(settings, places_in(tmp_path), "live")
    assert "valkey" not in plan.names
    assert "hidden-password" not in plan.model_dump_json()


def test_a_simulated_platform_asks_its_own_exchange(tmp_path: Path) -> None:
    settings = IsolatedSettings.model_validate({"data_dir": tmp_path / "data", **SECRETS})
    plan = arrange(settings, places_in(tmp_path), "simulated", session=date(2026, 7, 31), names=7, speed=2.5)
    assert plan.names == STOP_ORDER
    command = plan.service("exchange").command
    assert [command[command.index(one) + 1] for one in ("--session", "--names", "--speed")] == [
        "2026-07-31",
        "7",
        "2.5",
    ]
    assert command[command.index("--past") + 1] == "20"  # as many as a baseline looks at
    assert command[command.index("--packets-per-second") + 1] == "1"
    fast = arrange(settings, places_in(tmp_path), "simulated", session=date(2026, 7, 31), speed=60.0)
    assert "--packets-per-second" not in fast.service("exchange").command
    assert plan.environment["TP_KITE_API_ROOT"] == plan.exchange_root
    assert plan.environment["TP_KITE_WS_ROOT"].startswith("ws://127.0.0.1:")
    assert plan.service("feed").command[-1] == f"{plan.exchange_root}/simulator/clock"
    assert not plan.service("exchange").restarts
    assert not [secret for secret in SECRETS.values() if secret in plan.model_dump_json()]


def test_the_workspace_is_yaml_whatever_the_folder_is_called(tmp_path: Path) -> None:
    places = places_in(tmp_path / "it's: a #folder")
    server = yaml.safe_load(workspace_text(places))["load_from"][0]["grpc_server"]
    assert server == {"host": "localhost", "socket": str(places.code), "location_name": "trading_platform"}
