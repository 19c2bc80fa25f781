"""Answers outlive the process that took them, reach the lake once, and leave the rows of others alone."""

from pathlib import Path

import pytest

from trading_platform.batch.backfill_answers import Answer, answered
from trading_platform.batch.backfill_pieces import Pieces
from trading_platform.batch.backfill_plan import Request, Target
from trading_platform.errors import BackfillRunning, LakeError
from trading_platform.market.sessions import load_session_table
from trading_platform_tests.batch.backfill_rows import ALPHA, AT, INDEX, MONDAY, TUESDAY, candle
from trading_platform_tests.batch.memory_lake import MemoryLake

TABLE = load_session_table()


def answer(target: Target, *minutes: int) -> Answer:
    candles = [candle(day, minute, token=target.token) for day in (MONDAY, TUESDAY) for minute in minutes]
    return answered(Request(target, (MONDAY, TUESDAY)), candles, 0, table=TABLE, at=AT)


def test_what_was_flushed_is_there_for_the_next_process(tmp_path: Path) -> None:
    lake, first = MemoryLake(), Pieces(tmp_path)
    first.add(answer(ALPHA, 0, 1))
    assert first.settle(lake) == {}
    first.flush()
    first.add(answer(INDEX, 0))  # lost with the process
    assert Pieces(tmp_path).settle(lake) == {MONDAY: 2, TUESDAY: 2}
    assert lake.read_sessions("historical_bars", [MONDAY])["symbol"].to_list() == ["ALPHA"] * 2
    assert lake.read_sessions("backfill_account", [MONDAY])["minutes"].to_list() == [2]
    assert Pieces(tmp_path).settle(lake) == {}
    assert [path.name for path in tmp_path.iterdir()] == []


def test_files_are_for_their_user_alone(tmp_path: Path) -> None:
    pieces = Pieces(tmp_path)
    pieces.add(answer(ALPHA, 0))
    pieces.flush()
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


def test_a_piece_without_its_account_does_not_count(tmp_path: Path) -> None:
    pieces = Pieces(tmp_path)
    pieces.add(answer(ALPHA, 0))
    pieces.flush()
    next(tmp_path.glob("*.account.parquet")).unlink()
    assert Pieces(tmp_path).settle(MemoryLake()) == {}


def test_settling_again_changes_nothing(tmp_path: Path) -> None:
    lake, pieces = MemoryLake(), Pieces(tmp_path)
    pieces.add(answer(ALPHA, 0))
    pieces.flush()
    kept = {path: path.read_bytes() for path in tmp_path.iterdir()}
    pieces.settle(lake)
    before = lake.read_sessions("historical_bars", [MONDAY, TUESDAY])
    for path, content in kept.items():  # as if it had been killed before it removed them
        path.write_bytes(content)
    pieces.settle(lake)
    assert lake.read_sessions("historical_bars", [MONDAY, TUESDAY]).equals(before)


def test_a_later_answer_replaces_an_instrument_and_no_other(tmp_path: Path) -> None:
    lake, pieces = MemoryLake(), Pieces(tmp_path)
    for given in (answer(ALPHA, 0, 1), answer(INDEX, 0)):
        pieces.add(given)
    pieces.flush()
    pieces.settle(lake)
    pieces.add(answer(ALPHA, 5))
    pieces.flush()
    pieces.settle(lake)
    rows = lake.read_sessions("historical_bars", [MONDAY]).select("symbol", "start").sort("symbol", "start")
    assert [(symbol, f"{start:%H:%M}") for symbol, start in rows.iter_rows()] == [
        ("ALPHA", "09:20"),
        ("NIFTY 50", "09:15"),
    ]


def test_a_damaged_piece_is_named_with_what_to_do(tmp_path: Path) -> None:
    pieces = Pieces(tmp_path)
    pieces.add(answer(ALPHA, 0))
    pieces.flush()
    next(tmp_path.glob("*.account.parquet")).write_bytes(b"nothing")
    with pytest.raises(LakeError, match="remove the folder"):
        pieces.settle(MemoryLake())


def test_two_backfills_do_not_work_at_once(tmp_path: Path) -> None:
    with Pieces(tmp_path).locked(0.0):
        second = Pieces(tmp_path).locked(0.0)
        with pytest.raises(BackfillRunning, match="another backfill"):
            second.__enter__()
    with Pieces(tmp_path).locked(0.0):
        pass
