"""The command against a day worked out by hand, and against what it must refuse."""

import json
from pathlib import Path

import polars as pl
import pytest
import typer
from typer.testing import CliRunner, Result

from trading_platform.cli.profile import register

HEADER = "symbol,ts,open,high,low,close,volume\n"


def run(*arguments: object) -> Result:
    app = typer.Typer()
    register(app)
    app.command("other")(lambda: None)
    return CliRunner().invoke(app, ["profile", *(str(one) for one in arguments)])


def lines(*rows: tuple[str, str, float, float, int | str]) -> str:
    """Write bars as (symbol, ts, low, high, volume); they open low and close high."""
    return HEADER + "".join(f"{name},{ts},{low},{high},{low},{high},{volume}\n" for name, ts, low, high, volume in rows)


TWO_DAYS = lines(
    ("ABC", "2026-07-29 09:15:00", 100.0, 100.2, 300),  # 100 each on 100.00, 100.10, 100.20 ...
    ("ABC", "2026-07-29 09:16:00", 100.1, 100.1, 50),
    ("ABC", "2026-07-29 10:15:00", 100.3, 100.3, 20),  # after the first hour
    ("ABC", "2026-07-30 09:15:00", 100.3, 100.5, 90),
    ("NIFTY 50", "2026-07-30 09:15:00", 24000.05, 24010.0, ""),
)


def test_two_days_by_hand(tmp_path: Path) -> None:
    (tmp_path / "bars.csv").write_text(TWO_DAYS, encoding="utf-8")
    result = run("--bars", tmp_path / "bars.csv", "--tick-size", 0.1, "--out", tmp_path / "out.parquet", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["profiles"] == 2
    rows = pl.read_parquet(tmp_path / "out.parquet")
    one, two, index = rows.iter_rows(named=True)
    assert (one["symbol"], str(one["session"]), one["method"], one["reason"]) == ("ABC", "2026-07-29", "bars", None)
    assert (one["row_ticks"], one["row_size"], one["entries"], one["volume"]) == (1, 0.1, 3, 370)
    assert (one["histogram_from"], one["histogram"]) == (100.0, [100.0, 150.0, 100.0, 20.0])
    assert (one["poc"], one["poc_low"], one["poc_high"], one["poc_volume"]) == (100.1, 100.1, 100.2, 150.0)
    # 259 are wanted: 100 and 20 above against 100 below, where only one row is left
    assert (one["val"], one["vah"], one["value_area_volume"]) == (100.1, 100.4, 270.0)
    assert (one["ib_low"], one["ib_high"], one["low"], one["high"]) == (100.0, 100.2, 100.0, 100.3)
    assert (one["developing_poc"], one["developing_vah"]) == ([100.1] * 3, [100.3, 100.3, 100.4])
    assert one["naked_pocs"] == []
    # the second day has 30 a row: the middle of three, and it never came down to 100.10
    assert (two["poc"], two["poc_tied"], two["naked_pocs"]) == (100.4, True, [100.1])
    assert (index["poc"], index["histogram"], index["reason"]) == (None, None, "an index has no volume")


def test_a_day_as_it_developed_by_hand(tmp_path: Path) -> None:
    (tmp_path / "bars.csv").write_text(TWO_DAYS, encoding="utf-8")
    given = ("--bars", tmp_path / "bars.csv", "--tick-size", 0.1, "--developing", "--json")
    result = run(*given, "--out", tmp_path / "out.parquet")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["profiles"] == 2
    rows = pl.read_parquet(tmp_path / "out.parquet")
    assert rows["symbol"].unique().to_list() == ["ABC"]
    first, second, third, other = rows.iter_rows(named=True)
    # three equal rows of 100: the middle one, then the pair of one row above it, and the one below
    assert (first["poc"], first["poc_tied"], first["volume"]) == (100.1, True, 300)
    assert (first["val"], first["vah"], first["value_area_volume"]) == (100.0, 100.3, 300.0)
    assert f"{first['end']:%Y-%m-%d %H:%M}" == "2026-07-29 09:16"
    # 150 of 350 in the middle: 245 are wanted, 100 above are enough
    assert (second["poc"], second["poc_tied"], second["val"], second["vah"]) == (100.1, False, 100.1, 100.3)
    assert (second["value_area_volume"], second["ib_low"], second["ib_high"]) == (250.0, 100.0, 100.2)
    assert (third["value_area_volume"], third["vah"], third["ib_high"]) == (270.0, 100.4, 100.2)
    assert (first["poc_moved"], third["poc_moved"], third["poc_shifts"]) == (None, 0.0, None)
    assert (str(other["session"]), other["poc"], other["volume"]) == ("2026-07-30", 100.4, 90)


def test_a_csv_holds_lists_as_text(tmp_path: Path) -> None:
    (tmp_path / "bars.csv").write_text(TWO_DAYS, encoding="utf-8")
    assert run("--bars", tmp_path / "bars.csv", "--tick-size", 0.1, "--out", tmp_path / "out.csv").exit_code == 0
    rows = pl.read_csv(tmp_path / "out.csv")
    assert rows["histogram"].to_list() == ["100.0;150.0;100.0;20.0", "30.0;30.0;30.0", None]
    assert rows["naked_poc_sessions"][1] == "2026-07-29"


def test_what_is_broken_or_outside_is_set_aside(tmp_path: Path) -> None:
    more = "ABC,2026-07-29 20:00:00,1,2,1,1,4\nABC,2026-07-29 09:20:00,1,2,3,1,4\n"
    (tmp_path / "bars.csv").write_text(TWO_DAYS + more, encoding="utf-8")
    result = run("--bars", tmp_path / "bars.csv", "--out", tmp_path / "out.parquet")
    assert result.exit_code == 3
    assert "2 rows set aside" in result.stderr
    assert pl.read_parquet(tmp_path / "out.parquet")["volume"].to_list() == [370, 90, None]


def test_a_day_without_a_trade_or_with_a_price_from_afar_has_a_reason(tmp_path: Path) -> None:
    text = lines(
        ("ABC", "2026-07-29 09:15:00", 100.0, 100.2, 5),
        ("ABC", "2026-07-30 09:15:00", 100.0, 900000.0, 5),
        ("XYZ", "2026-07-29 09:15:00", 100.0, 100.2, 0),
        ("XYZ", "2026-07-30 09:15:00", 100.0, 100.2, 1),
    )
    (tmp_path / "bars.csv").write_text(text, encoding="utf-8")
    assert run("--bars", tmp_path / "bars.csv", "--out", tmp_path / "out.parquet").exit_code == 0
    reasons = pl.read_parquet(tmp_path / "out.parquet")["reason"].to_list()
    assert reasons[0] is reasons[3] is None
    assert "more than 20000" in reasons[1]
    assert reasons[2] == "nothing was traded"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--bars", "none.parquet", "--out", "out.parquet"), "does not exist"),
        (("--bars", "text.parquet", "--out", "out.parquet"), "cannot be read"),
        (("--bars", "bars.csv", "--out", "bars.csv"), "another --out"),
        (("--bars", "bars.csv", "--out", "out.txt"), ".parquet or .csv"),
        (("--bars", "bars.csv", "--tick-size", "0", "--out", "out.parquet"), "no step of a price"),
        (("--bars", "header.csv", "--out", "out.parquet"), "holds no bar that can be used"),
    ],
)
def test_what_cannot_be_used_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bars.csv").write_text(TWO_DAYS, encoding="utf-8")
    Path("header.csv").write_text(HEADER, encoding="utf-8")
    Path("text.parquet").write_text("no bars", encoding="utf-8")
    result = run(*arguments)
    assert (result.exit_code, words in result.stderr) == (2, True), result.output
    assert not Path("out.parquet").exists()


def test_row_heights_come_from_the_month_before(tmp_path: Path) -> None:
    days = [("2026-06-29", 12), ("2026-06-30", 36), ("2026-07-01", 1), ("2026-07-02", 500)]
    rows = [("ABC", f"{day} 09:15:00", 100.0, 100.0 + spread, 5) for day, spread in days]
    (tmp_path / "bars.csv").write_text(lines(*rows), encoding="utf-8")
    assert run("--bars", tmp_path / "bars.csv", "--tick-size", 0.05, "--out", tmp_path / "o.parquet").exit_code == 0
    # June has only its first day to go by: 241 ticks; July the median of 12 and 36 rupees: 481 ticks
    assert pl.read_parquet(tmp_path / "o.parquet")["row_ticks"].to_list() == [3, 3, 5, 5]


def test_an_auction_is_in_no_row_and_no_range(tmp_path: Path) -> None:
    rows = [("ABC", "2026-07-29 09:07:00", 90.0, 90.0, 700), ("ABC", "2026-07-29 09:15:00", 100.0, 100.2, 30)]
    alone = ("XYZ", "2026-07-29 09:07:00", 90.0, 90.0, 700)
    (tmp_path / "bars.csv").write_text(lines(*rows, alone), encoding="utf-8")
    assert run("--bars", tmp_path / "bars.csv", "--tick-size", 0.1, "--out", tmp_path / "o.parquet").exit_code == 0
    one, two = pl.read_parquet(tmp_path / "o.parquet").iter_rows(named=True)
    assert (one["auction_volume"], one["volume"], one["row_ticks"]) == (700, 30, 1)
    assert one["histogram"] == [10.0, 10.0, 10.0]
    assert (two["auction_volume"], two["reason"]) == (700, "nothing was traded")


def test_a_split_divides_what_came_before_it(tmp_path: Path) -> None:
    rows = [
        ("ABC", "2026-06-30 09:15:00", 200.0, 248.0, 30),  # 48 rupees of before are 24 of now: 241 ticks
        ("ABC", "2026-06-30 09:16:00", 240.0, 240.1, 3000),
        ("ABC", "2026-07-01 09:15:00", 100.0, 101.0, 30),
        ("ABC", "2026-07-02 09:15:00", 119.9, 120.1, 30),
    ]
    (tmp_path / "bars.csv").write_text(lines(*rows), encoding="utf-8")
    header = "symbol,ex_date,kind,volume_factor,source\n"
    (tmp_path / "actions.csv").write_text(f"{header}ABC,2026-07-01,split,2,made\n", encoding="utf-8")
    told = ("--bars", tmp_path / "bars.csv", "--tick-size", 0.1, "--actions", tmp_path / "actions.csv")
    assert run(*told, "--out", tmp_path / "o.parquet").exit_code == 0
    june, first, second = pl.read_parquet(tmp_path / "o.parquet").iter_rows(named=True)
    assert (june["row_ticks"], june["poc"]) == (5, 240.2)
    assert (first["row_ticks"], second["row_ticks"]) == (3, 3)
    assert first["naked_pocs"] == [120.1]
    assert second["naked_pocs"] == [first["poc"]]


def test_the_step_of_a_session_does_not_look_ahead(tmp_path: Path) -> None:
    days = [("2026-07-29", 100.5), ("2026-07-30", 100.05), ("2026-07-31", 100.5)]
    rows = [("ABC", f"{day} 09:15:00", 100.0, high, 5) for day, high in days]
    (tmp_path / "bars.csv").write_text(lines(*rows), encoding="utf-8")
    assert run("--bars", tmp_path / "bars.csv", "--out", tmp_path / "o.parquet").exit_code == 0
    assert pl.read_parquet(tmp_path / "o.parquet")["tick_size"].to_list() == [0.5, 0.05, 0.05]
