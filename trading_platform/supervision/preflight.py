"""What must be right before anything is started; each finding says what to do, and all are told at once."""

import os
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

from trading_platform.errors import LoginDamaged, StoreUnavailable
from trading_platform.health.checks_host import LEAST_FREE_BYTES
from trading_platform.health.snapshots import EngineSnapshot, FeedSnapshot, observe
from trading_platform.kite.stored_login import LoginFile, StoredLogin
from trading_platform.market.clock import Clock, from_ns
from trading_platform.settings import Settings, dagster_home
from trading_platform.storage.embedded_valkey import server_binary
from trading_platform.storage.redis_manager import RedisManager
from trading_platform.supervision.control import Control
from trading_platform.supervision.orphans import orphans
from trading_platform.supervision.places import Places
from trading_platform.supervision.plan import LIVE, SIMULATED, Profile

PACKAGES = ("dagster", "dagster_webserver", "dagster_graphql", "supervisor", "grpc_health", "kiteconnect", "redis")
MARK = "profile"
_FRESH_SECONDS = 60.0
_ENDED = ("stopped", "closed")


def faults(settings: Settings, places: Places, profile: Profile) -> list[str]:
    """Return everything that stands in the way, by name and with what to do; empty when the platform can start."""
    found = [*_data_folder(settings)]
    if found:  # nothing else can be looked at
        return found
    for check in (_others, _profile, _packages, _disk, _ports, _redis, _dagster, _token):
        found += check(settings, places, profile)
    return found


def _data_folder(settings: Settings) -> Iterator[str]:
    probe = settings.data_dir / ".writable"
    try:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe.touch(mode=0o600)
        probe.unlink()
    except OSError as error:
        yield (
            f"data folder: {settings.data_dir.absolute()} cannot be written ({error.strerror}): mend its rights, or "
            "set TP_DATA_DIR"
        )


def _others(settings: Settings, places: Places, _profile: Profile) -> Iterator[str]:
    control = Control(places.control)
    if control.is_running():
        yield (
            f"running: a platform runs on this data folder already (supervisor {control.pid()}): trading-platform "
            "status, restart or stop"
        )
        return
    left = orphans(places)
    if left:
        named = ", ".join(f"{name} {pid}" for pid, name in sorted(left.items()))
        yield f"running: processes of a supervisor that was killed are still there ({named}): trading-platform stop"
        return
    shard = settings.shard
    for name, found in (
        ("feed", observe(settings.feed_dir / f"{shard}.json", FeedSnapshot)),
        ("engine", observe(settings.engine_dir / f"{shard}.json", EngineSnapshot)),
    ):
        snapshot = found.snapshot
        if snapshot and found.alive and snapshot.state not in _ENDED and found.age_seconds < _FRESH_SECONDS:
            yield f"running: process {snapshot.pid} is the {name} of this data folder already: stop it first"


def _profile(settings: Settings, _places: Places, profile: Profile) -> Iterator[str]:
    """Real and simulated sessions never share a folder: nobody could tell them apart afterwards."""
    held = held_profile(settings)
    if held is not None and held != profile:
        yield (
            f"profile: {settings.data_dir.absolute()} holds a {held} platform: set TP_DATA_DIR to another folder for "
            f"a {profile} one"
        )


def held_profile(settings: Settings) -> str | None:
    """Return of which profile the data folder is; one with journals and no mark is live."""
    try:
        return (settings.data_dir / MARK).read_text().strip()
    except FileNotFoundError:
        return LIVE if settings.journal_dir.exists() and any(settings.journal_dir.iterdir()) else None


def _packages(settings: Settings, _places: Places, _profile: Profile) -> Iterator[str]:
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        named = ", ".join(missing)
        yield f"packages: {sys.executable} does not have {named}: make setup, or pip install trading-platform"
    if settings.redis_url is None:
        try:
            server_binary()
        except StoreUnavailable as error:
            yield f"packages: {error}"


def _disk(settings: Settings, _places: Places, _profile: Profile) -> Iterator[str]:
    free = shutil.disk_usage(settings.data_dir).free
    if free < LEAST_FREE_BYTES:
        yield (
            f"disk: {free >> 20} MiB are free at {settings.data_dir.absolute()}, and {LEAST_FREE_BYTES >> 20} are the "
            "least: make room, or set TP_DATA_DIR to another disk"
        )


def _ports(settings: Settings, _places: Places, _profile: Profile) -> Iterator[str]:
    if not is_free(settings.webserver_port):
        yield f"port: {settings.webserver_port} is taken: stop what listens there, or set TP_WEBSERVER_PORT"


def is_free(port: int) -> bool:
    """Tell whether a port of loopback can be listened on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _redis(settings: Settings, _places: Places, _profile: Profile) -> Iterator[str]:
    if settings.redis_url is None:
        return
    manager = RedisManager(settings.redis_url.get_secret_value(), settings.valkey_dir)
    try:
        manager.connect()
    except StoreUnavailable as error:
        yield f"redis: {error}"
    finally:
        manager.close()


def _dagster(settings: Settings, _places: Places, _profile: Profile) -> Iterator[str]:
    named = dagster_home()
    if named is not None and not is_ours(settings, named) and not (named / "dagster.yaml").is_file():
        yield (
            f"dagster: DAGSTER_HOME names {named}, which has no dagster.yaml: unset it, and the home is made in the "
            "data folder"
        )


def is_ours(settings: Settings, home: Path) -> bool:
    """Tell whether a Dagster home is the one that we make in the data folder."""
    return os.path.realpath(home) == os.path.realpath(settings.data_dir / "dagster")


def _token(settings: Settings, _places: Places, profile: Profile) -> Iterator[str]:
    check: Callable[[Settings], Iterator[str]] = _simulated_token if profile == SIMULATED else _live_token
    yield from check(settings)


def _simulated_token(settings: Settings) -> Iterator[str]:
    login = _login(settings)
    if settings.kite_access_token is not None and (login is None or login.access_token != settings.kite_access_token):
        yield "token: kite_access_token is set, and a simulated exchange must not see it: take it out of the settings"


def _live_token(settings: Settings) -> Iterator[str]:
    if settings.kite_api_key is None:
        yield "token: kite_api_key is missing: write it into the settings file, or start --profile simulated"
    elif settings.kite_access_token is None:
        login = _login(settings)
        why = "there is no access token"
        if login is not None:
            why = f"the access token of {login.user_id} died {from_ns(login.dies_ns):%a %d %b %H:%M} IST"
            if login.lives(Clock.wall().now_ns()):
                why = "the kept access token is of another kite_api_key"
        yield f"token: {why}: trading-platform login"


def _login(settings: Settings) -> StoredLogin | None:
    try:
        return LoginFile.of(settings.data_dir, settings.shard).read()
    except LoginDamaged:  # the settings have said so already
        return None
