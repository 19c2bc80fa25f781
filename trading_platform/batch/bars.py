"""Minute bars of the lake: from a journal's replay or from an import, and the longer bars that minutes make."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import polars as pl

from trading_platform.batch.reference import segment_of, tokens_of_session
from trading_platform.errors import BadFileError, MissingInput
from trading_platform.market.session_kinds import PhaseKind
from trading_platform.ports import TableStore
from trading_platform.wire.lake_tables import IMPORTED_BARS, MINUTE_BARS

TICKS, FILE, SYNTHETIC = "ticks", "file", "synthetic"
IMPORT_SOURCES = (FILE, SYNTHETIC)

BAR_KEY = ("token", "interval", "start", "kind")


def import_bars(bars: pl.DataFrame, source: str, lake: TableStore) -> dict[date, int]:
    """Put minute bars (symbol, ts in IST, prices, volume) into the lake, whole sessions; return the rows of each.

    A session that was imported before is replaced. `source` is file or synthetic.
    """
    if source not in IMPORT_SOURCES:
        raise BadFileError(f"bars are imported as {' or '.join(IMPORT_SOURCES)}, not as {source!r}")
    rows = bars.select(
        pl.col("ts").dt.date().alias("session"),
        "symbol",
        pl.col("ts").alias("start"),
        "open",
        "high",
        "low",
        "close",
        "volume",
        pl.lit(source).alias("source"),
    )
    parts = rows.partition_by("session", as_dict=True)
    written = {}
    for key, part in sorted(parts.items()):
        session: date = key[0]
        written[session] = lake.write_session(IMPORTED_BARS.name, session, part)
    return written


def bars_of_replay(bars: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of table `minute_bars` from the bars of a replay: the highest revision of each minute."""
    minutes = latest_revisions(bars.filter(pl.col("interval") == 1))
    return minutes.drop("interval").with_columns(
        segment=segment_of(pl.col("token").cast(pl.Int64)), source=pl.lit(TICKS)
    )


def bars_of_import(imported: pl.DataFrame, instruments: pl.DataFrame | None) -> pl.DataFrame:
    """Return the rows of table `minute_bars` from imported bars; without instruments their tokens stay null.

    A symbol that the session's dump has in several segments also keeps a null token: the file does not say which.
    """
    rows = imported.with_columns(
        kind=pl.lit(int(PhaseKind.CONTINUOUS)),
        revision=pl.lit(0),
        ticks=pl.lit(None, pl.Int64),
        flags=pl.lit(None, pl.Int64),
        record=pl.lit(None, pl.Int64),
    )
    if instruments is None:
        return rows.with_columns(token=pl.lit(None, pl.Int64), segment=pl.lit(None, pl.String))
    tokens = tokens_of_session(instruments).unique("symbol", keep="none")
    return rows.join(tokens, on="symbol", how="left")


def bars_of_history(candles: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of table `minute_bars` from candles that a backfill brought, one for each."""
    return candles.drop("adjusted_asof").with_columns(
        revision=pl.lit(0),
        ticks=pl.lit(None, pl.Int64),
        flags=pl.lit(None, pl.Int64),
        record=pl.lit(None, pl.Int64),
    )


def latest_revisions(bars: pl.DataFrame) -> pl.DataFrame:
    """Keep of each bar its highest revision."""
    return bars.sort("revision").unique(list(BAR_KEY), keep="last", maintain_order=True).sort("token", "start", "kind")


def longer_bars(minutes: pl.DataFrame, interval: int) -> pl.DataFrame:
    """Make bars of `interval` minutes (aligned to the epoch) from whichever continuous minutes there are.

    Sorted by token and start; `token` must be known. The volume of minutes without one counts as unknown, not as 0.
    """
    continuous = minutes.filter(pl.col("kind") == int(PhaseKind.CONTINUOUS)).sort("token", "start")
    if interval == 1:
        return continuous
    first: dict[str, Any] = {name: pl.col(name).first() for name in ("session", "symbol") if name in minutes.columns}
    epoch = pl.col("start").dt.epoch("s")
    return (
        continuous.with_columns(slot=epoch // (interval * 60))
        .group_by("token", "slot", maintain_order=True)
        .agg(
            pl.col("open").first(),
            pl.col("high").max(),
            pl.col("low").min(),
            pl.col("close").last(),
            pl.when(pl.col("volume").count() > 0).then(pl.col("volume").sum()).alias("volume"),
            start=(pl.col("slot").first() * interval * 60),
            **first,
        )
        .with_columns(start=pl.from_epoch("start", "s").cast(pl.Datetime("us")).dt.replace_time_zone("UTC"))
        .with_columns(start=pl.col("start").dt.convert_time_zone("Asia/Kolkata"))
        .drop("slot")
        .sort("token", "start")
    )


def history(lake: TableStore, wanted: list[date]) -> tuple[pl.DataFrame, list[date], list[date]]:
    """Return the minute bars of those wanted sessions that the lake holds, these sessions, and the missing ones."""
    found, missing = _held(lake, wanted)
    return lake.read_sessions(MINUTE_BARS.name, found), found, missing


def history_by_session(lake: TableStore, wanted: list[date]) -> tuple[Iterator[pl.DataFrame], list[date], list[date]]:
    """Return the same one session at a time, each read when it is asked for."""
    found, missing = _held(lake, wanted)
    return (lake.read_sessions(MINUTE_BARS.name, [session]) for session in found), found, missing


def _held(lake: TableStore, wanted: list[date]) -> tuple[list[date], list[date]]:
    held = set(lake.sessions(MINUTE_BARS.name))
    found = [session for session in wanted if session in held]
    if not found:
        span = f"{wanted[0]} to {wanted[-1]}" if wanted else "earlier sessions"
        raise MissingInput(
            f"minute_bars holds none of the {len(wanted)} sessions before ({span}); backfill, import or record them, "
            "then materialise minute_bars for them"
        )
    return found, [session for session in wanted if session not in held]


def missing_bars(session: date, shard: str) -> MissingInput:
    """Return the error for a session that has neither a journal nor imported bars nor candles."""
    return MissingInput(
        f"no bars of {session}: shard {shard} has no journal of it and the lake no import; record or play the session, "
        "run `trading-platform import-bars FILE`, or fetch its candles with `trading-platform backfill`"
    )
