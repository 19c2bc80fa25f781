"""Print how long `volume_baselines` takes from the lake, how that grows, its memory, and how near its curves come.

`python -m trading_platform_tests.benchmarks.bench_baselines [FOLDER]`; limits: 20 s on one idle core for 166 symbols x
15 sessions x 375 minutes, all granularities; linear in symbols and in sessions; 2 GB for 2,000 symbols x 60 sessions.
FOLDER holds minutes of NSE as Parquet, a file a day (../shared/data/nse-minute-2016 unless named): they also tell how
near forecasts come on days behind the past. Without it, and for growth and memory, minutes are made.
"""

import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trading_platform.batch.bars import history_by_session
from trading_platform.batch.baselines import Baselines, comparable_sessions, sessions_wanted, volume_baselines
from trading_platform.market.clock import IST, NS_PER_SECOND, elapsed_ns
from trading_platform.market.sessions import SessionClass, load_session_table
from trading_platform.storage.lake import Lake
from trading_platform.wire.lake_tables import INSTRUMENTS, MINUTE_BARS
from trading_platform_tests.calc.volume.made import made_volumes

REAL = Path(__file__).parents[3] / "shared" / "data" / "nse-minute-2016"
SYMBOLS, SESSIONS, MINUTES = 166, 15, 6 * 60 + 15
GROWTH_SYMBOLS, GROWTH_SESSIONS = (40, 80, 166), (10, 15, 20)
MANY_SYMBOLS, MANY_SESSIONS = 2000, 60
LIMIT_SECONDS, LIMIT_MB, WANTED_RATIO, MOST_GROWTH = 20.0, 2048, 0.995, 1.35
MIN_SESSIONS = 10
TABLE = load_session_table()
MADE_DAY = date(2026, 7, 30)

Cube = NDArray[np.float64]


def seconds_since(begun: int) -> float:
    """Return the seconds since a reading of the monotonic clock."""
    return (elapsed_ns() - begun) / NS_PER_SECOND


def listed(symbols: list[str], session: date) -> pl.DataFrame:
    """Return rows of `instruments` that list these symbols as shares of NSE."""
    rows = pl.DataFrame(
        {"symbol": symbols, "name": symbols, "exchange_token": range(1, len(symbols) + 1)}, schema_overrides={}
    )
    return INSTRUMENTS.conform(
        rows.with_columns(
            session=pl.lit(session),
            token=pl.col("exchange_token") * 256 + 1,
            last_price=pl.lit(0.0),
            expiry=pl.lit(None, pl.Date),
            strike=pl.lit(0.0),
            tick_size=pl.lit(0.05),
            lot_size=pl.lit(1),
            instrument_type=pl.lit("EQ"),
            segment=pl.lit("NSE"),
            exchange=pl.lit("NSE"),
        )
    )


def put(lake: Lake, day: date, symbols: list[str], volume: Cube) -> None:
    """Write one session (symbols, minutes) into the lake; its prices are none of this business."""
    opens = datetime.combine(day, time(9, 15), IST)
    starts = pl.Series([opens + timedelta(minutes=at) for at in range(volume.shape[1])])
    rows = pl.DataFrame(
        {
            "symbol": pl.Series(symbols).gather(np.repeat(np.arange(len(symbols)), volume.shape[1])),
            "start": starts.gather(np.tile(np.arange(volume.shape[1]), len(symbols))),
            "volume": volume.ravel().astype(np.int64),
        }
    )
    blank = {name: pl.lit(None) for name in ("token", "segment", "ticks", "flags", "record")}
    prices = {name: pl.lit(100.0) for name in ("open", "high", "low", "close")}
    whole = rows.with_columns(**blank, **prices, session=pl.lit(day), kind=0, revision=0, source=pl.lit("file"))
    lake.write_session(MINUTE_BARS.name, day, MINUTE_BARS.conform(whole))


def real_minutes(real: Path) -> tuple[list[str], list[date], Cube]:
    """Return symbols that trade, sessions, and volumes (symbols, sessions, minutes) of NSE in 2016."""
    bars = pl.concat([pl.read_parquet(path) for path in sorted(real.glob("*.parquet"))])
    placed = bars.select(
        "symbol",
        pl.col("volume"),
        session=pl.col("ts").dt.date(),
        minute=pl.col("ts").dt.hour().cast(pl.Int64) * 60 + pl.col("ts").dt.minute() - 9 * 60 - 15,
    ).filter(pl.col("volume").sum().over("symbol") > 0)
    symbols, days = placed["symbol"].unique().sort().to_list(), placed["session"].unique().sort().to_list()
    volume = np.zeros((len(symbols), len(days), MINUTES))
    row, day = (
        placed[name].replace_strict(values, range(len(values)), return_dtype=pl.Int64).to_numpy()
        for name, values in (("symbol", symbols), ("session", days))
    )
    volume[row, day, placed["minute"].to_numpy()] = placed["volume"].to_numpy()
    return symbols, days, volume


def names(count: int) -> list[str]:
    """Return names of made symbols."""
    return [f"SYM{k:04}" for k in range(count)]


def made_days(count: int) -> list[date]:
    """Return the sessions before the made one."""
    return comparable_sessions(TABLE, SessionClass.NSE_CASH, MADE_DAY, count)


def made_lake(folder: Path, symbols: int, sessions: int) -> Lake:
    """Fill a lake with made minutes: a few symbols over and over, each time a little larger."""
    lake, kinds = Lake(folder), 20
    one = made_volumes(kinds, sessions, MINUTES)
    for place, day in enumerate(made_days(sessions)):
        parts = [one[:, place] * (1.0 + 0.001 * part) for part in range(-(-symbols // kinds))]
        put(lake, day, names(symbols), np.concatenate(parts)[:symbols])
    return lake


def compute(lake: Lake, symbols: list[str], session: date, sessions: int) -> Baselines:
    """Compute the baselines of a session from the lake, as the asset does."""
    wanted = sessions_wanted(TABLE, session, sessions)
    parts: Iterator[pl.DataFrame]
    parts, _, _ = history_by_session(lake, sorted({day for days in wanted.values() for day in days}))
    return volume_baselines(
        parts, listed(symbols, session), session=session, wanted=wanted, min_sessions=MIN_SESSIONS, table=TABLE
    )


def timed(lake: Lake, symbols: list[str], session: date, sessions: int) -> tuple[Baselines, float]:
    """Compute, and return also the seconds that it took."""
    begun = elapsed_ns()
    made = compute(lake, symbols, session, sessions)
    return made, seconds_since(begun)


def from_the_lake(folder: Path, real: Path) -> bool:
    """Print the time of the sizes that the limit is set for; tell whether it holds, and again gives the same bytes."""
    if real.is_dir():
        symbols, days, volume = real_minutes(real)
        lake, session = Lake(folder), TABLE.next_session(SessionClass.NSE_CASH, days[-1])
        for place, day in enumerate(days):
            put(lake, day, symbols, volume[:, place])
    else:
        symbols, session, lake = names(SYMBOLS), MADE_DAY, made_lake(folder, SYMBOLS, SESSIONS)
    made, took = timed(lake, symbols, session, SESSIONS)
    again, took_again = timed(lake, symbols, session, SESSIONS)
    equal = again.content == made.content
    sys.stdout.write(
        f"lake   {len(symbols)} x {SESSIONS} x {MINUTES}, {'NSE' if real.is_dir() else 'made'}: {took:.1f} s, again "
        f"{took_again:.1f} s of {LIMIT_SECONDS:g}, {made.rows.height} rows, {'equal' if equal else 'DIFFERENT'} again\n"
    )
    return equal and min(took, took_again) <= LIMIT_SECONDS


def accuracy(real: Path) -> bool:
    """Print how near the curves known before the open come on the last days of NSE; tell whether they are within."""
    if not real.is_dir():
        return True
    symbols, days, volume = real_minutes(real)
    held = []
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(folder)
        for place, day in enumerate(days):
            if place >= MIN_SESSIONS:
                block = compute(lake, symbols, day, place).block
                held.append(_near(day, block.expected[1], volume[:, :place], volume[:, place]))
            put(lake, day, symbols, volume[:, place])
    ratio = float(np.mean(held[-2:]))
    sys.stdout.write(f"near   the last two days, mean of ratios: {ratio:.3f}, {WANTED_RATIO} wanted\n")
    return ratio <= WANTED_RATIO


def _near(day: date, expected: Cube, past: Cube, came: Cube) -> float:
    usual = np.median(past, axis=1)
    ours, theirs = (float(np.abs(one - came).sum() / came.sum()) for one in (expected, usual))
    traded = came > 0
    bias, usual_bias = (
        float(np.log(one[told] / came[told]).mean()) for one in (expected, usual) for told in [traded & (one > 0)]
    )
    sys.stdout.write(
        f"near   {day} by {past.shape[1]}: wape {ours:.3f} ({theirs:.3f} of the median), ratio {ours / theirs:.3f}; "
        f"bias {bias:+.3f}, of the median {usual_bias:+.3f}\n"
    )
    return ours / theirs


def growth() -> bool:
    """Print how time grows with symbols and with sessions; tell whether in line, and symbols agree with themselves."""
    with tempfile.TemporaryDirectory() as folder:
        lake = made_lake(Path(folder), max(GROWTH_SYMBOLS), max(GROWTH_SESSIONS))
        compute(lake, names(20), MADE_DAY, MIN_SESSIONS)
        sized = [(count, SESSIONS) for count in GROWTH_SYMBOLS]
        by_symbols = [timed(lake, names(count), MADE_DAY, sessions) for count, sessions in sized]
        by_sessions = [timed(lake, names(80), MADE_DAY, sessions) for sessions in GROWTH_SESSIONS]
    first = by_symbols[0][0].block.expected[1]
    # they are the same few symbols over and over: what they tell of each other hardly changes, but one may have panel
    # or filter as others join
    apart = max(float(np.median(np.abs(np.log(made.block.expected[1][:40] / first)))) for made, _ in by_symbols)
    told = []
    for word, sizes, runs in (("symbols", GROWTH_SYMBOLS, by_symbols), ("sessions", GROWTH_SESSIONS, by_sessions)):
        seconds = [took for _, took in runs]
        excess = (seconds[-1] / seconds[0]) / (sizes[-1] / sizes[0])
        told.append(excess <= MOST_GROWTH)
        each = ", ".join(f"{size}: {took:.1f} s" for size, took in zip(sizes, seconds, strict=True))
        sys.stdout.write(f"growth {word} {each}: {excess:.2f} times what is linear\n")
    sys.stdout.write(f"growth the same symbols are {apart:.4f} apart (median of |ln|)\n")
    return all(told) and apart < 0.02


def memory(folder: Path, symbols: int, sessions: int) -> bool:
    """Print time and greatest memory of this process for a lake that is there; tell whether it is within the limit."""
    begun = elapsed_ns()
    made = compute(Lake(folder), names(symbols), MADE_DAY, sessions)
    took, size = seconds_since(begun), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    apart = float(np.abs(np.log(made.block.expected[1][20:40] / made.block.expected[1][:20]) - np.log(1.001)).max())
    sys.stdout.write(
        f"memory {symbols} x {sessions} x {MINUTES}: {took:.1f} s, {size} MB of {LIMIT_MB}, equal symbols {apart:.4f} "
        f"apart, block {made.sha256[:16]}\n"
    )
    return size <= LIMIT_MB and apart < 0.05


def apart_from_here(symbols: int, sessions: int, threads: tuple[int, ...]) -> bool:
    """Run `memory` in processes of its own, each with so many threads; tell whether all held, with equal blocks."""
    with tempfile.TemporaryDirectory() as folder:
        made_lake(Path(folder), symbols, sessions)
        module = "trading_platform_tests.benchmarks.bench_baselines"
        command = [sys.executable, "-m", module, "memory", folder, str(symbols), str(sessions)]
        told = [
            subprocess.run(
                command, check=False, text=True, stdout=subprocess.PIPE, env={**os.environ, **_threads(count)}
            )
            for count in threads
        ]
    for one in told:
        sys.stdout.write(one.stdout)
    blocks = {one.stdout.rpartition(" ")[2] for one in told}
    if len(threads) > 1:
        sys.stdout.write(f"threads {threads}: {'equal blocks' if len(blocks) == 1 else 'DIFFERENT blocks'}\n")
    return len(blocks) == 1 and not any(one.returncode for one in told)


def _threads(count: int) -> dict[str, str]:
    return dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "POLARS_MAX_THREADS"), str(count))


def main(real: Path = REAL) -> None:
    """Run all of it."""
    with tempfile.TemporaryDirectory() as folder:
        held = [from_the_lake(Path(folder), real)]
    held += [
        accuracy(real),
        growth(),
        apart_from_here(60, SESSIONS, (1, 4)),
        apart_from_here(MANY_SYMBOLS, MANY_SESSIONS, (2,)),
    ]
    sys.stdout.write(f"{'within' if all(held) else 'BEYOND'} the limits\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["memory"]:
        raise SystemExit(0 if memory(Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])) else 1)
    main(*map(Path, sys.argv[1:2]))
