"""From a wish to the lake, through the REST service of the simulated exchange."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from trading_platform.batch.backfill import Backfill
from trading_platform.batch.backfill_pieces import Pieces
from trading_platform.errors import AccessRefused, MissingInput, NoSessionError
from trading_platform.intake.backfilling import BackfillRoom, BackfillWish, backfill, wished_sessions
from trading_platform.intake.kite_access import KiteAccess, backfill_dir, pace_file
from trading_platform.market.sessions import load_session_table
from trading_platform.settings import IsolatedSettings
from trading_platform.storage.lake import Lake
from trading_platform_tests.simulator.exchange.offered import BEFORE, MINUTES, SESSION, TOKENS, Running, running

TABLE = load_session_table()
SATURDAY = date(2026, 8, 22)


@pytest.fixture(scope="module")
def exchange() -> Iterator[Running]:
    with running() as found:
        yield found


def room(
    folder: Path, exchange: Running, *, login: str = "simulator-access", recorded: tuple[date, ...] = ()
) -> BackfillRoom:
    settings = IsolatedSettings(
        data_dir=folder,
        kite_api_key="simulator",
        kite_access_token=login,
        kite_api_root=exchange.addresses.rest,
    )
    access = KiteAccess(settings.dumps_dir, pace_file(settings), lambda: settings)
    return BackfillRoom(Lake(settings.lake_dir), access, Pieces(backfill_dir(settings)), TABLE, recorded)


def nothing(_: str) -> None:
    """Hear nothing."""


def test_the_universe_of_the_day_is_fetched_for_a_session_that_is_missing(tmp_path: Path, exchange: Running) -> None:
    here = room(tmp_path, exchange)
    told = backfill(here, BackfillWish((BEFORE,)), nothing)
    assert (told.instruments, told.requests, told.changed) == (len(TOKENS), len(TOKENS), [BEFORE])
    # one minute of the stock has no bar
    assert here.lake.counts("historical_bars") == {BEFORE: len(TOKENS) * MINUTES - 1}
    rows = here.lake.read_sessions("historical_bars", [BEFORE])
    assert rows.filter(pl.col("segment") == "INDICES")["volume"].to_list() == [None] * MINUTES
    assert (tmp_path / "dumps" / f"instruments_{SESSION:%Y%m%d}.csv").is_file()
    assert backfill(here, BackfillWish((BEFORE,)), nothing).requests == 0


def test_names_choose_from_the_dump_of_the_day(tmp_path: Path, exchange: Running) -> None:
    here = room(tmp_path, exchange)
    told = backfill(here, BackfillWish((BEFORE,), names=("ALPHA", "NSE:INDEX 1")), nothing)
    assert told.requests == 2
    assert set(here.lake.read_sessions("historical_bars", [BEFORE])["symbol"]) == {"ALPHA", "INDEX 1"}
    with pytest.raises(MissingInput, match="lists no GAMMA"):
        backfill(here, BackfillWish((BEFORE,), names=("ALPHA", "GAMMA")), nothing)


def test_what_was_recorded_is_left_out(tmp_path: Path, exchange: Running) -> None:
    here = room(tmp_path, exchange, recorded=(BEFORE,))
    assert backfill(here, BackfillWish((BEFORE,)), nothing).requests == 0


def test_a_token_that_is_refused_is_named(tmp_path: Path, exchange: Running) -> None:
    with pytest.raises(AccessRefused, match="log in again"):
        backfill(room(tmp_path, exchange, login="other"), BackfillWish((BEFORE,)), nothing)


def test_a_session_that_is_not_over_is_not_asked_for() -> None:
    with pytest.raises(NoSessionError, match="not over yet"):
        wished_sessions(TABLE, 5, SATURDAY, SATURDAY)
    assert wished_sessions(TABLE, 2, None, SATURDAY) == (date(2026, 8, 20), date(2026, 8, 21))
    assert wished_sessions(TABLE, 1, date(2026, 8, 20), SATURDAY) == (date(2026, 8, 20),)


def test_asking_again_goes_on_where_it_was_killed(tmp_path: Path, exchange: Running) -> None:
    class Killed(BaseException):
        """Not one of ours."""

    here, wish = room(tmp_path, exchange), BackfillWish((BEFORE,), again=True)
    assert backfill(here, BackfillWish((BEFORE,)), nothing).requests == len(TOKENS)
    asked = Backfill._ask
    with pytest.raises(Killed), pytest.MonkeyPatch.context() as patch:
        left = iter([True, True])

        def ask(*given: Any) -> None:
            if not next(left, False):
                raise Killed
            asked(*given)

        patch.setattr(Backfill, "_ask", ask)
        backfill(here, wish, nothing)
    told: list[str] = []
    assert backfill(here, wish, told.append).requests == len(TOKENS) - 2
    assert any("goes on with what was begun" in line for line in told)
    # that one came to its end
    assert backfill(here, wish, nothing).requests == len(TOKENS)
    assert here.lake.counts("historical_bars") == {BEFORE: len(TOKENS) * MINUTES - 1}
