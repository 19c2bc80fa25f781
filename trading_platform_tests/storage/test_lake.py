"""The lake keeps sessions apart, writes all or nothing, and says what is wrong."""

import multiprocessing
from datetime import date, datetime
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError

from trading_platform.errors import LakeError, MissingInput
from trading_platform.market.clock import IST
from trading_platform.storage import lake as lake_module
from trading_platform.storage.lake import COMMIT_ATTEMPTS, Lake
from trading_platform.wire.lake_tables import TABLES, table_named

FIRST, SECOND = date(2026, 8, 20), date(2026, 8, 21)


def bars(session: date, closes: list[float], symbol: str = "INFY") -> pl.DataFrame:
    starts = [datetime(session.year, session.month, session.day, 9, 15 + i, tzinfo=IST) for i in range(len(closes))]
    return pl.DataFrame(
        {
            "session": [session] * len(closes),
            "symbol": [symbol] * len(closes),
            "start": starts,
            "open": closes,
            "high": closes,
            "low": closes,
            "close": closes,
            "volume": [None, *range(1, len(closes))],
            "source": ["file"] * len(closes),
        }
    )


def test_rows_come_back_as_they_went_in_with_their_zone(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    rows = bars(FIRST, [1.5, 2.5])
    assert lake.write_session("imported_bars", FIRST, rows) == 2
    read = lake.read_sessions("imported_bars", [FIRST]).sort("start")
    assert read.to_dicts() == rows.to_dicts()
    assert read["start"].dtype == pl.Datetime("us", "Asia/Kolkata")
    assert read["start"][0].hour == 9


def test_writing_replaces_exactly_its_session(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.write_session("imported_bars", FIRST, bars(FIRST, [1.0, 2.0, 3.0]))
    lake.write_session("imported_bars", SECOND, bars(SECOND, [9.0]))
    lake.write_session("imported_bars", FIRST, bars(FIRST, [7.0]))
    assert lake.read_sessions("imported_bars", [FIRST])["close"].to_list() == [7.0]
    assert lake.read_sessions("imported_bars", [SECOND])["close"].to_list() == [9.0]
    assert lake.sessions("imported_bars") == [FIRST, SECOND]


def test_nan_becomes_null(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.write_session("imported_bars", FIRST, bars(FIRST, [float("nan"), 2.0]))
    assert lake.read_sessions("imported_bars", [FIRST]).sort("start")["close"].to_list() == [None, 2.0]


def test_each_write_is_one_version(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    assert lake.version("imported_bars") is None
    lake.create_tables()
    assert lake.version("imported_bars") == 0
    lake.write_session("imported_bars", FIRST, bars(FIRST, [1.0]))
    assert lake.version("imported_bars") == 1
    lake.create_tables()
    assert lake.version("imported_bars") == 1


def test_all_tables_are_created_with_their_columns(tmp_path: Path) -> None:
    Lake(tmp_path).create_tables()
    for table in TABLES.values():
        created = DeltaTable(f"{tmp_path}/{table.name}")
        assert [field.name for field in created.schema().fields] == list(table.schema)
        assert created.metadata().partition_columns == ["session"]


def test_a_missing_session_is_named(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.write_session("imported_bars", FIRST, bars(FIRST, [1.0]))
    with pytest.raises(MissingInput, match="imported_bars holds nothing of 2026-08-21"):
        lake.read_sessions("imported_bars", [FIRST, SECOND])
    with pytest.raises(MissingInput, match="2026-08-20"):
        lake.read_sessions("patterns", [FIRST])


def test_no_session_asked_is_no_row(tmp_path: Path) -> None:
    assert Lake(tmp_path).read_sessions("imported_bars", []).height == 0


def test_rows_of_another_session_are_refused(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    with pytest.raises(LakeError, match="rows of 2026-08-20 were given for the partition 2026-08-21"):
        lake.write_session("imported_bars", SECOND, bars(FIRST, [1.0]))
    assert lake.sessions("imported_bars") == []


def test_unknown_table_and_columns_are_refused(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    with pytest.raises(LakeError, match="no table 'bars'"):
        lake.write_session("bars", FIRST, bars(FIRST, [1.0]))
    with pytest.raises(LakeError, match=r"lack \['source'\]"):
        lake.write_session("imported_bars", FIRST, bars(FIRST, [1.0]).drop("source"))
    with pytest.raises(LakeError, match="do not fit its types"):
        lake.write_session("imported_bars", FIRST, bars(FIRST, [1.0]).with_columns(volume=pl.lit("many")))


def test_a_table_with_other_columns_is_refused(tmp_path: Path) -> None:
    pl.DataFrame({"session": [FIRST], "x": [1]}).write_delta(str(tmp_path / "patterns"))
    with pytest.raises(LakeError, match=r"patterns at .* has other columns"):
        Lake(tmp_path).create_tables()


def test_a_table_of_an_older_version_gets_the_new_columns(tmp_path: Path) -> None:
    newer = table_named("indicator_snapshots")
    older = [name for name in newer.schema if name not in {"rvol_cum", "volume_flags", "vix_regime"}]
    empty = newer.schema.to_frame()
    old = empty.vstack(pl.DataFrame([{"session": FIRST, "token": 1, "rvol_bar": 2.0}], schema=newer.schema))
    stored = old.select(older).with_columns(pl.col("start").dt.convert_time_zone("UTC"))
    stored.write_delta(str(tmp_path / "indicator_snapshots"), delta_write_options={"partition_by": ["session"]})
    lake = Lake(tmp_path)
    before = lake.read_sessions("indicator_snapshots", [FIRST])
    assert before.select("rvol_bar", "rvol_cum", "volume_flags").rows() == [(2.0, None, None)]
    fresh = old.with_columns(session=pl.lit(SECOND), rvol_cum=pl.lit(3.0), volume_flags=pl.lit(8, pl.Int64))
    assert lake.write_session("indicator_snapshots", SECOND, fresh) == 1
    both = lake.read_sessions("indicator_snapshots", [FIRST, SECOND]).sort("session")
    assert both.select("rvol_bar", "rvol_cum", "volume_flags").rows() == [(2.0, None, None), (2.0, 3.0, 8)]


def test_a_url_needs_a_place_for_locks() -> None:
    with pytest.raises(LakeError, match="lock_dir"):
        Lake("s3://bucket/lake")


def test_a_held_lock_is_waited_for_and_then_named(tmp_path: Path) -> None:
    lake = Lake(tmp_path, lock_wait_seconds=0.1)
    with (
        lake._locked(f"imported_bars-{FIRST}"),
        pytest.raises(LakeError, match="another process writes imported_bars-2026-08-20"),
    ):
        lake.write_session("imported_bars", FIRST, bars(FIRST, [1.0]))
    assert lake.write_session("imported_bars", FIRST, bars(FIRST, [1.0])) == 1


def test_a_conflict_is_retried_after_reading_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = Lake(tmp_path)
    lake.create_tables()
    write, opened = lake_module.write_deltalake, []

    def conflicts_twice(target: DeltaTable, rows: pl.DataFrame, **options: str) -> None:
        opened.append(target)
        if len(opened) <= 2:
            raise CommitFailedError("a concurrent transaction")
        write(target, rows, **options)

    monkeypatch.setattr(lake_module, "write_deltalake", conflicts_twice)
    lake.write_session("imported_bars", FIRST, bars(FIRST, [1.0]))
    assert len({id(target) for target in opened}) == 3
    assert lake.sessions("imported_bars") == [FIRST]


def test_endless_conflicts_end_with_a_named_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = Lake(tmp_path)
    lake.create_tables()
    tries: list[int] = []

    def conflicts(*_: object, **__: object) -> None:
        tries.append(1)
        raise CommitFailedError("a concurrent transaction")

    monkeypatch.setattr(lake_module, "write_deltalake", conflicts)
    with pytest.raises(LakeError, match=r"imported_bars of 2026-08-20 was not written: 5 conflicts"):
        lake.write_session("imported_bars", FIRST, bars(FIRST, [1.0]))
    assert len(tries) == COMMIT_ATTEMPTS


def _write_in_a_process(root: str, value: float) -> None:
    Lake(root).write_session("imported_bars", FIRST, bars(FIRST, [value] * 30))


def test_writers_of_one_session_in_several_processes_never_mix(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write_in_a_process, args=(str(tmp_path), float(n))) for n in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0] * 4
    closes = Lake(tmp_path).read_sessions("imported_bars", [FIRST])["close"]
    assert len(closes) == 30
    assert closes.n_unique() == 1


def test_its_folders_are_for_this_user_alone_and_one_in_the_way_is_named(tmp_path: Path) -> None:
    Lake(tmp_path / "data" / "lake").write_session("imported_bars", FIRST, bars(FIRST, [1.5]))
    assert [place.stat().st_mode & 0o777 for place in (tmp_path / "data" / "lake", tmp_path / "data")] == [0o700] * 2
    (tmp_path / "file").touch()
    with pytest.raises(LakeError, match="file/lake"):
        Lake(tmp_path / "file" / "lake").write_session("imported_bars", FIRST, bars(FIRST, [1.5]))


def test_rows_are_counted_without_reading_them(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    assert lake.counts("imported_bars") == {}
    lake.write_session("imported_bars", FIRST, bars(FIRST, [1.0, 2.0, 3.0]))
    lake.write_session("imported_bars", SECOND, bars(SECOND, [9.0]))
    lake.write_session("imported_bars", FIRST, bars(FIRST, [7.0, 8.0]))
    assert lake.counts("imported_bars") == {FIRST: 2, SECOND: 1}


def test_pieces_become_the_rows_of_their_session(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.write_session("imported_bars", FIRST, bars(FIRST, [1.0]))
    lake.write_session("imported_bars", SECOND, bars(SECOND, [9.0]))
    pieces = [bars(FIRST, [2.0, 3.0]), bars(FIRST, [1.0]).clear(), bars(FIRST, [4.0], "TCS")]
    assert lake.write_session_in_pieces("imported_bars", FIRST, iter(pieces)) == 3
    assert lake.counts("imported_bars") == {FIRST: 3, SECOND: 1}
    read = lake.read_sessions("imported_bars", [FIRST]).sort("close")
    assert read.to_dicts() == pl.concat([pieces[0], pieces[2]]).to_dicts()
    lake.write_session("imported_bars", FIRST, bars(FIRST, [5.0]))
    assert lake.read_sessions("imported_bars", [FIRST])["close"].to_list() == [5.0]


def test_pieces_that_fail_leave_the_old_rows_and_no_file(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.write_session("imported_bars", FIRST, bars(FIRST, [1.0]))
    before = sorted(tmp_path.rglob("*.parquet"))
    with pytest.raises(LakeError, match="were given for the partition"):
        lake.write_session_in_pieces("imported_bars", FIRST, iter([bars(FIRST, [2.0]), bars(SECOND, [3.0])]))
    assert lake.read_sessions("imported_bars", [FIRST])["close"].to_list() == [1.0]
    assert sorted(tmp_path.rglob("*.parquet")) == before
