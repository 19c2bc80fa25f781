import json
import math
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import talib
import typer
from typer.testing import CliRunner, Result

from trading_platform.cli.indicators import register
from trading_platform.market.clock import IST

REAL = Path(__file__).parents[2] / ".." / "shared" / "data" / "nse-minute-2016"
FILES = sorted(REAL.glob("*.parquet"))[:3]


def run(*arguments: object) -> Result:
    app = typer.Typer()
    register(app)
    app.command("other")(lambda: None)
    return CliRunner().invoke(app, ["indicators", *(str(one) for one in arguments)])


def made_bars(symbols: tuple[str, ...] = ("ABC", "XYZ"), days: int = 2, minutes: int = 40) -> pl.DataFrame:
    random = np.random.default_rng(4)
    rows = []
    for symbol in symbols:
        price = 500.0
        for day in range(days):
            for minute in range(minutes):
                price = round(price + random.normal(0, 0.4), 2)
                high, low = round(price + random.exponential(0.3), 2), round(price - random.exponential(0.3), 2)
                ts = datetime(2026, 7, 30 + day, 9, 15, tzinfo=IST) + timedelta(minutes=minute)
                rows.append((symbol, ts.replace(tzinfo=None), price, high, low, price, int(random.integers(0, 900))))
    return pl.DataFrame(rows, schema=["symbol", "ts", "open", "high", "low", "close", "volume"], orient="row")


def naive_vwap(bars: pl.DataFrame) -> Iterator[float | None]:
    day, value, volume = None, 0.0, 0
    for ts, high, low, close, traded in bars.select("ts", "high", "low", "close", "volume").iter_rows():
        if ts.date() != day:
            day, value, volume = ts.date(), 0.0, 0
        if traded is None:
            yield None
            continue
        value += (high + low + close) / 3 * traded
        volume += traded
        yield value / volume if volume else None


def check(out: pl.DataFrame, bars: pl.DataFrame) -> None:
    """Compare each symbol with TA-Lib over all its bars, and VWAP with plain Python."""
    for (symbol,), part in bars.sort("symbol", "ts").partition_by("symbol", as_dict=True).items():
        mine = out.filter(pl.col("symbol") == symbol)
        high, low, close = (part[name].to_numpy() for name in ("high", "low", "close"))
        oracles = {
            "ema_20": talib.EMA(close, 20),
            "rsi_14": talib.RSI(close, 14),
            "atr_14": talib.ATR(high, low, close, 14),
        }
        for name, oracle in oracles.items():
            known = mine[name].fill_null(math.nan).to_numpy()
            np.testing.assert_array_equal(np.isnan(known), np.isnan(oracle), err_msg=f"{symbol} {name}")
            np.testing.assert_allclose(known, oracle, rtol=1e-9, atol=1e-9, err_msg=f"{symbol} {name}")
        vwap = np.array([math.nan if value is None else value for value in naive_vwap(part)])
        np.testing.assert_allclose(mine["vwap_bars"].fill_null(math.nan).to_numpy(), vwap, rtol=1e-12)


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_one_minute_equals_ta_lib(tmp_path: Path, suffix: str) -> None:
    bars = made_bars()
    source, out = tmp_path / f"bars{suffix}", tmp_path / "new" / "out.parquet"
    bars.write_parquet(source) if suffix == ".parquet" else bars.write_csv(source)
    result = run("--bars", source, "--interval", "1m", "--out", out)
    assert result.exit_code == 0, result.output
    written = pl.read_parquet(out)
    assert written.columns == ["symbol", "ts", "ema_20", "rsi_14", "atr_14", "vwap_bars"]
    assert written.select("symbol", pl.col("ts").dt.replace_time_zone(None)).equals(bars.select("symbol", "ts"))
    check(written, bars)


def test_five_minutes_are_made_of_the_minutes(tmp_path: Path) -> None:
    bars = made_bars(days=1, minutes=250)
    bars.write_parquet(tmp_path / "bars.parquet")
    assert (
        run("--bars", tmp_path / "bars.parquet", "--interval", "5m", "--out", tmp_path / "out.parquet").exit_code == 0
    )
    fives = (
        bars.sort("symbol", "ts")
        .group_by_dynamic("ts", every="5m", group_by="symbol")
        .agg(pl.col("high").max(), pl.col("low").min(), pl.col("close").last(), pl.col("volume").sum())
    )
    written = pl.read_parquet(tmp_path / "out.parquet")
    assert written.height == fives.height == 100
    check(written, fives)


def test_an_index_has_no_vwap(tmp_path: Path) -> None:
    bars = made_bars(("FUND",)).with_columns(volume=pl.lit(0))
    bars.write_parquet(tmp_path / "bars.parquet")
    assert run("--bars", tmp_path / "bars.parquet", "--out", tmp_path / "out.parquet").exit_code == 0
    written = pl.read_parquet(tmp_path / "out.parquet")
    assert written["vwap_bars"].null_count() == written.height
    assert written["ema_20"].null_count() == 19


def test_broken_rows_are_set_aside_and_the_rest_is_written(tmp_path: Path) -> None:
    bars = made_bars()
    broken = bars.with_columns(high=pl.when(pl.int_range(pl.len()) == 7).then(1.0).otherwise("high"))
    broken.write_parquet(tmp_path / "bars.parquet")
    result = run("--bars", tmp_path / "bars.parquet", "--out", tmp_path / "out.csv")
    assert result.exit_code == 3
    assert "1 rows set aside" in result.stderr
    assert "row 8" in result.stderr
    written = pl.read_csv(tmp_path / "out.csv", try_parse_dates=True)
    assert written.height == bars.height - 1
    check(written, bars.filter(pl.int_range(pl.len()) != 7))


def test_a_machine_reads_one_line(tmp_path: Path) -> None:
    made_bars(("ABC",), days=1).write_parquet(tmp_path / "bars.parquet")
    result = run("--bars", tmp_path / "bars.parquet", "--out", tmp_path / "out.csv", "--json")
    told = json.loads(result.stdout)
    assert (told["rows"], told["symbols"], told["rejected_rows"]) == (40, 1, 0)


def test_rows_outside_the_session_are_set_aside(tmp_path: Path) -> None:
    bars = made_bars(("ABC",), days=1)
    late = bars.tail(1).with_columns(ts=pl.lit(datetime(2026, 7, 30, 20, 0)))
    pl.concat([bars, late]).write_parquet(tmp_path / "bars.parquet")
    result = run("--bars", tmp_path / "bars.parquet", "--out", tmp_path / "out.parquet")
    assert result.exit_code == 3
    assert "row 41: ABC 2026-07-30 20:00:00.000000: ts lies outside the phases of the session" in result.stderr
    assert pl.read_parquet(tmp_path / "out.parquet").height == bars.height


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--bars", "bars.parquet", "--interval", "3m", "--out", "out.parquet"), "1m or 5m"),
        (("--bars", "none.parquet", "--out", "out.parquet"), "does not exist"),
        (("--bars", "text.parquet", "--out", "out.parquet"), "cannot be read"),
        (("--bars", "bars.parquet", "--out", "bars.parquet"), "another --out"),
        (("--bars", ".", "--out", "out.parquet"), "another --out"),
        (("--bars", "bars.parquet", "--out", "out.txt"), ".parquet or .csv"),
        (("--bars", "bars.parquet", "--out", "text.parquet/out.csv"), "cannot be written"),
        (("--bars", "bars.parquet", "--out", "/dev/full/out.csv"), "cannot be written"),
        (("--bars", "bars.parquet", "--index", "NONE", "--out", "out.parquet"), "NONE"),
        (("--bars", "header.csv", "--out", "out.parquet"), "holds no bar that can be used (0 rows"),
        (("--bars", "sunday.csv", "--out", "out.parquet"), "2026-07-26"),
        (("--bars", "ancient.csv", "--out", "out.parquet"), "1999-07-30"),
    ],
)
def test_what_cannot_be_used_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    made_bars().write_parquet("bars.parquet")
    Path("text.parquet").write_text("no bars", encoding="utf-8")
    header = "symbol,ts,open,high,low,close,volume\n"
    for name, rows in (
        ("header", ""),
        ("sunday", "A,2026-07-26 10:00:00,1,2,1,1,4\n"),
        ("ancient", "A,1999-07-30 10:00:00,1,2,1,1,4\n"),
    ):
        Path(f"{name}.csv").write_text(header + rows, encoding="utf-8")
    result = run(*arguments)
    assert (result.exit_code, words in result.stderr) == (2, True), result.output
    assert not Path("out.parquet").exists()


if FILES:

    @pytest.mark.parametrize("interval", ["1m", "5m"])
    def test_real_minutes_equal_ta_lib(tmp_path: Path, interval: str) -> None:
        folder = tmp_path / "bars"
        folder.mkdir()
        for file in FILES:
            (folder / file.name).symlink_to(file.resolve())
        result = run("--bars", folder, "--interval", interval, "--out", tmp_path / "out.parquet")
        assert result.exit_code == 0, result.output
        bars = pl.concat([pl.read_parquet(file) for file in FILES]).sort("symbol", "ts")
        names = bars.group_by("symbol").agg(pl.col("volume").max()).filter(pl.col("volume") == 0)["symbol"].to_list()
        bars = bars.with_columns(volume=pl.when(pl.col("symbol").is_in(names)).then(None).otherwise("volume"))
        if interval == "5m":
            bars = bars.group_by_dynamic("ts", every="5m", group_by="symbol").agg(
                pl.col("high").max(),
                pl.col("low").min(),
                pl.col("close").last(),
                pl.when(pl.col("volume").count() > 0).then(pl.col("volume").sum()),
            )
        written = pl.read_parquet(tmp_path / "out.parquet")
        assert written.height == bars.height
        check(written, bars)
