from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from trading_platform.batch.bar_files import COLUMNS, read_bars
from trading_platform.batch.bar_indices import KNOWN, MOVING
from trading_platform.errors import BadFileError, NoSessionError, UnknownSessionDate
from trading_platform.market.bar_rules import REASONS, BarFault
from trading_platform.market.clock import IST
from trading_platform.market.sessions import load_session_table

HEADER = "symbol,ts,open,high,low,close,volume\n"
REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "nse-minute-2016"


def write(folder: Path, *lines: str, name: str = "bars.csv") -> Path:
    file = folder / name
    file.write_text(HEADER + "".join(line + "\n" for line in lines), encoding="utf-8")
    return file


def reasons(found: pl.DataFrame) -> list[tuple[int, str]]:
    return list(found.select("row", "reason").iter_rows())


def test_moments_with_and_without_a_zone_are_one_moment(tmp_path: Path) -> None:
    moments = ["2016-08-16 09:15:00", "2016-08-16T09:16:00+05:30", "2016-08-16T03:47:00Z", "2016-08-16 09:18"]
    found = read_bars(write(tmp_path, *(f"A,{moment},1,2,0.5,1.5,10" for moment in moments)))
    assert found.rejected.is_empty()
    expected = [datetime(2016, 8, 16, 9, minute, tzinfo=IST) for minute in (15, 16, 17, 18)]
    assert found.bars["ts"].to_list() == expected


def test_broken_rows_are_set_aside_by_name_and_the_good_ones_stay(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        "A,2016-08-16 09:15:00,1,2,0.5,1.5,10",
        "A,2016-08-16 09:15:00,1,2,0.5,1.5,11",
        "A,2016-08-16 09:16:01,1,2,0.5,1.5,10",
        "A,2016-08-16 09:17:00,1,0.2,0.5,1.5,10",
        "A,2016-08-16 09:18:00,1,2,0.5,,10",
        "A,2016-08-16 09:18:00,1,2,0.5,x,10",
        "A,2016-08-16 09:18:00,3,2,0.5,1,10",
        "A,2016-08-16 09:18:00,1,2,0.5,1,-10",
        "A,never,1,2,0.5,1,10",
        ",2016-08-16 09:19:00,1,2,0.5,1,10",
        "A,2016-08-16 09:20:00,1,2,0.5,1,10,more",
        "A,2016-08-16 09:21:00,1,2",
        "A,2016-08-16 09:22:00,1,2,0.5,1.501,10",
        "A,2016-08-16 09:23:00,1,2,0.5,1.5,4294967290",
        "A,2016-08-16 09:24:00,1,2,0.5,1.5,5",
    )
    found = read_bars(file, for_wire=True)
    expected = [
        (2, BarFault.DUPLICATE),
        (3, BarFault.OFF_MINUTE),
        (4, BarFault.HIGH_BELOW_LOW),
        (5, BarFault.UNREADABLE),
        (6, BarFault.UNREADABLE),
        (7, BarFault.OUTSIDE_RANGE),
        (8, BarFault.BAD_VOLUME),
        (9, BarFault.UNREADABLE),
        (10, BarFault.UNREADABLE),
        (11, BarFault.UNREADABLE),
        (12, BarFault.UNREADABLE),
        (13, BarFault.OFF_PRICE_GRID),
        (14, BarFault.DAY_VOLUME_TOO_LARGE),
    ]
    assert reasons(found.rejected) == [(row, REASONS[fault]) for row, fault in expected]
    assert found.bars["volume"].to_list() == [10, 5]
    assert set(found.rejected["file"]) == {str(file)}


def test_an_off_grid_price_is_good_where_nothing_goes_over_the_wire(tmp_path: Path) -> None:
    assert len(read_bars(write(tmp_path, "A,2016-08-16 09:15:00,1,2,0.5,1.501,1")).bars) == 1


def test_an_index_is_named_or_known_by_its_volume_of_zero(tmp_path: Path) -> None:
    lines = [
        "I,2016-08-16 09:15:00,1,2,0.5,1,0",
        "I,2016-08-16 09:16:00,1,2,0.5,1,0",
        "A,2016-08-16 09:15:00,1,2,1,1,0",
    ]
    file = write(tmp_path, *lines, "A,2016-08-16 09:16:00,1,2,1,1,4")
    by_volume = read_bars(file)
    assert by_volume.indices == {"I": MOVING}
    assert by_volume.bars["volume"].to_list() == [0, 4, None, None]
    by_name = read_bars(file, indices=["A"])
    assert by_name.bars["volume"].to_list() == [None, 0, 0]
    assert reasons(by_name.rejected) == [(4, REASONS[BarFault.VOLUME_ON_INDEX])]
    with pytest.raises(BadFileError, match="NONE"):
        read_bars(file, indices=["NONE"])


def test_rows_outside_the_session_are_set_aside_and_a_closed_date_refuses(tmp_path: Path) -> None:
    table = load_session_table()
    inside = "A,2016-08-16 15:29:00,1,2,1,1,4"
    found = read_bars(write(tmp_path, inside, "A,2016-08-16 15:30:00,1,2,1,1,4"), table=table)
    assert len(found.bars) == 1
    assert reasons(found.rejected) == [(2, REASONS[BarFault.OUTSIDE_SESSION])]
    closed = write(tmp_path, inside, "A,2016-08-15 10:00:00,1,2,1,1,4", "A,2016-08-13 10:00:00,1,2,1,1,4")
    with pytest.raises(NoSessionError, match=r"2016-08-13.*2016-08-15"):
        read_bars(closed, table=table)
    with pytest.raises(UnknownSessionDate, match="1999-08-16"):
        read_bars(write(tmp_path, "A,1999-08-16 10:00:00,1,2,1,1,4"), table=table)


def test_a_folder_is_read_as_one_and_duplicates_across_files_count(tmp_path: Path) -> None:
    write(tmp_path, "A,2016-08-17 09:15:00,1,2,1,1,4", name="b.csv")
    moments = [datetime(2016, 8, 16, 3, 45, tzinfo=UTC), datetime(2016, 8, 17, 3, 45, tzinfo=UTC)]
    rows = {"symbol": ["A", "A"], "ts": moments, **{name: [2.0, 2.0] for name in COLUMNS[2:]}}
    pl.DataFrame(rows).write_parquet(tmp_path / "a.parquet")
    (tmp_path / "note.txt").write_text("not bars")
    found = read_bars(tmp_path)
    assert found.sessions == [date(2016, 8, 16), date(2016, 8, 17)]
    assert found.rejected.select("row", "reason").rows() == [(1, REASONS[BarFault.DUPLICATE])]
    assert found.rejected["file"][0].endswith("b.csv")


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("x.csv", b"symbol,ts,open\nA,2016-08-16 09:15:00,1\n", "lacks the columns high, low, close, volume"),
        ("x.csv", b"", "empty"),
        ("x.parquet", b"PAR1 but not really", "cannot be read"),
    ],
)
def test_a_file_that_is_no_table_of_bars_is_refused(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadFileError, match=says):
        read_bars(tmp_path / name)


def test_odd_text_in_a_cell_breaks_its_row_only(tmp_path: Path) -> None:
    file = tmp_path / "odd.csv"
    good = b"A,2016-08-16 09:15:00,1,2,0.5,1.5,10\n"
    file.write_bytes(b"\xef\xbb\xbf" + HEADER.encode() + b"A\xff,2016-08-16 09:16:00,1,2,0.5,1.5,10\n" + good)
    found = read_bars(file)
    assert len(found.bars) == 1
    assert reasons(found.rejected) == [(1, REASONS[BarFault.UNREADABLE])]
    file.write_bytes(HEADER.encode() + b"A" * 200_000 + b"\n" + good)
    assert reasons(read_bars(file).rejected) == [(1, REASONS[BarFault.UNREADABLE])]


def test_a_stray_quote_loses_its_row_only_and_a_blank_line_none(tmp_path: Path) -> None:
    lines = [f"A,2016-08-16 10:{minute:02}:00,1,2,0.5,1.5,10" for minute in range(60)]
    lines[4] = '"' + lines[4]
    lines[9] = ""
    found = read_bars(write(tmp_path, *lines))
    assert len(found.bars) == 58
    assert reasons(found.rejected) == [(5, REASONS[BarFault.UNREADABLE])]


def test_nothing_to_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadFileError, match="holds no"):
        read_bars(tmp_path)
    with pytest.raises(BadFileError, match="does not exist"):
        read_bars(tmp_path / "missing.csv")


def test_real_minutes_are_all_good() -> None:
    for file in sorted(REAL.glob("*.parquet"))[:2]:
        found = read_bars(file, table=load_session_table(), for_wire=True)
        assert found.rejected.is_empty()
        assert len(found.bars) == len(pl.read_parquet(file))
        assert len(found.indices) == 12
        assert set(found.indices.values()) == {KNOWN}


def test_a_symbol_that_never_has_a_volume_is_an_index_and_a_hole_in_another_is_not(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        "INDEX,2016-08-16 09:15:00,1,2,0.5,1.5,",
        "INDEX,2016-08-16 09:16:00,1,2,0.5,1.5, ",
        "A,2016-08-16 09:15:00,1,2,0.5,1.5,10",
        "A,2016-08-16 09:16:00,1,2,0.5,1.5,",
        "B,2016-08-16 09:15:00,1,2,0.5,1.5,many",
    )
    found = read_bars(file)
    assert found.indices == {"INDEX": MOVING}
    assert found.bars.select("symbol", "volume").rows() == [("A", 10), ("INDEX", None), ("INDEX", None)]
    assert reasons(found.rejected) == [(4, REASONS[BarFault.UNREADABLE]), (5, REASONS[BarFault.UNREADABLE])]


def test_a_share_that_never_trades_stays_a_share(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        "QUIET,2016-08-16 09:15:00,5,5,5,5,0",
        "QUIET,2016-08-16 09:16:00,5,5,5,5,0",
        "GONE,2016-08-16 09:15:00,5,5,5,5,",
        "NIFTY50,2016-08-16 09:15:00,5,5,5,5,",
    )
    found = read_bars(file)
    assert found.indices == {"NIFTY50": KNOWN}
    assert found.bars.select("symbol", "volume").rows() == [("NIFTY50", None), ("QUIET", 0), ("QUIET", 0)]
    assert reasons(found.rejected) == [(3, REASONS[BarFault.UNREADABLE])]


def test_volume_absent_in_one_file_and_there_in_another_makes_no_index(tmp_path: Path) -> None:
    write(tmp_path, "A,2016-08-16 09:15:00,1,2,0.5,1.5,", name="a.csv")
    write(tmp_path, "A,2016-08-17 09:15:00,1,2,0.5,1.5,10", name="b.csv")
    found = read_bars(tmp_path)
    assert found.indices == {}
    assert found.bars["volume"].to_list() == [10]
    assert reasons(found.rejected) == [(1, REASONS[BarFault.UNREADABLE])]
