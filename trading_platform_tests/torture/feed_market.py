"""What every seed of the feed's torture trades, and the folder that its feed finds: login, dump, two sockets."""

import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path

import polars as pl

from trading_platform.batch.reference import choose_universe, universe_rows
from trading_platform.cli.simulate_inputs import Trade, make_offer
from trading_platform.simulator.exchange.server import Offer
from trading_platform.storage.lake import Lake
from trading_platform_tests.torture.processes import KEYS

MINUTES, SOCKETS = 10, 2


@cache
def market() -> Offer:
    """Return what every seed trades."""
    return replace(make_offer(Trade(names=2, minutes=MINUTES)), load_past=None)


@cache
def tokens_by_socket() -> list[frozenset[int]]:
    tokens = sorted(one.token for one in market().day.instruments)
    return [frozenset(tokens[place::SOCKETS]) for place in range(SOCKETS)]


def fill_folder(root: Path) -> None:
    """Write the login, the day's dump, and a universe of two sockets."""
    day = market().day
    root.mkdir()
    (root / "settings.toml").write_text(f'kite_access_token = "{KEYS.access_token}"\n')
    (root / "dumps").mkdir()
    (root / "dumps" / f"instruments_{day.session:%Y%m%d}.csv").write_bytes(market().dumps[""])
    rows = universe_rows(choose_universe(day, {}), day)
    second = pl.col("token").is_in(sorted(tokens_by_socket()[1]))
    Lake(root / "lake").write_session(
        "subscription_universe", day.session, rows.with_columns(socket=1 + second.cast(pl.Int64))
    )


@cache
def filled_folder() -> "tempfile.TemporaryDirectory[str]":
    """Make the folder once; it is removed with the process."""
    folder = tempfile.TemporaryDirectory(prefix="feed-crash-")
    fill_folder(Path(folder.name) / "data")
    return folder
