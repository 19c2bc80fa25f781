"""Who starts in market hours has the day's instruments at once, fetched from an exchange on loopback."""

from collections.abc import Iterator
from datetime import datetime, time
from pathlib import Path

import pytest

from trading_platform.market.clock import IST, Clock, to_ns
from trading_platform.market.sessions import load_session_table
from trading_platform.settings import Settings
from trading_platform.supervision.late_start import fetch_instruments
from trading_platform_tests.simulator.exchange.offered import BEFORE, SESSION, Running, running
from trading_platform_tests.supervision.test_preflight import settings_in

TABLE = load_session_table()
NOON, BEFORE_DAWN = time(12), time(5)


@pytest.fixture(scope="module")
def exchange() -> Iterator[Running]:
    with running() as found:
        yield found


def settings_of(folder: Path, root: str, login: str = "simulator-access") -> Settings:
    return settings_in(folder, kite_api_key="simulator", kite_access_token=login, kite_api_root=root)


def fetched(settings: Settings, on: datetime) -> tuple[list[str], list[str]]:
    """What was said, and which dumps are there."""
    said: list[str] = []
    fetch_instruments(settings, TABLE, Clock(to_ns(on), 0.0, 0), said.append)
    return said, sorted(path.name for path in settings.dumps_dir.glob("*"))


def test_in_market_hours_the_dump_is_fetched_once(tmp_path: Path, exchange: Running) -> None:
    settings, now = settings_of(tmp_path, exchange.addresses.rest), datetime.combine(SESSION, NOON, IST)
    name = f"instruments_{SESSION:%Y%m%d}.csv"
    assert fetched(settings, now) == ([f"fetched the instruments of {SESSION}"], [name])
    assert fetched(settings, now) == ([], [name])


def test_before_the_market_and_on_a_sunday_nothing_is_fetched(tmp_path: Path, exchange: Running) -> None:
    settings = settings_of(tmp_path, exchange.addresses.rest)
    assert fetched(settings, datetime.combine(SESSION, BEFORE_DAWN, IST)) == ([], [])
    sunday = datetime(2016, 8, 14, 12, tzinfo=IST)
    assert fetched(settings, sunday) == ([], [])


def test_what_cannot_be_fetched_is_said_and_the_start_goes_on(tmp_path: Path, exchange: Running) -> None:
    refused = settings_of(tmp_path, exchange.addresses.rest, login="of-yesterday")
    (said,), files = fetched(refused, datetime.combine(SESSION, NOON, IST))
    assert said.startswith(f"warning: the feed waits for the instruments of {SESSION}")
    assert "log in again" in said
    assert files == []
    other_day = settings_of(tmp_path, exchange.addresses.rest)
    (said,), files = fetched(other_day, datetime.combine(BEFORE, NOON, IST))
    assert f"no instrument dump of {BEFORE}" in said
    assert files == []
