from datetime import date, datetime
from pathlib import Path

import polars as pl
import pytest

from trading_platform.batch.instrument_dump import dump_csv
from trading_platform.batch.reference import choose_universe, universe_rows
from trading_platform.cli.feed_inputs import (
    ContinuousHours,
    SocketPlan,
    UniverseChange,
    UniverseFile,
    plan_sockets,
    planned_classes,
    read_day,
    session_times,
)
from trading_platform.errors import MissingInput
from trading_platform.market.clock import IST, NS_PER_SECOND, to_ns
from trading_platform.market.instruments import Instrument, InstrumentDay
from trading_platform.market.sessions import SessionClass, load_session_table
from trading_platform.settings import Settings
from trading_platform.storage.lake import Lake

SESSION = date(2026, 7, 30)


def stock(number: int) -> Instrument:
    name = f"NAME{number}"
    return Instrument(number * 256 + 1, number, name, name, None, 0.0, 0.05, 1, "EQ", "NSE", "NSE")


def day(count: int) -> InstrumentDay:
    return InstrumentDay(SESSION, tuple(stock(number) for number in range(1, count + 1)))


def crude() -> Instrument:
    return Instrument(
        7 + 256 * 99, 99, "CRUDEOIL26AUGFUT", "CRUDEOIL", date(2026, 8, 19), 0.0, 1.0, 100, "FUT", "MCX-FUT", "MCX"
    )


def test_a_dump_is_read_and_a_missing_one_says_what_to_do(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    with pytest.raises(MissingInput, match="instruments_20260730"):
        read_day(settings, SESSION)
    settings.dumps_dir.mkdir()
    (settings.dumps_dir / "instruments_20260730.csv").write_bytes(dump_csv(day(3).instruments))
    assert read_day(settings, SESSION).instruments == day(3).instruments


def test_the_universe_is_split_by_socket(tmp_path: Path) -> None:
    plan, missing = plan_sockets(Settings(data_dir=tmp_path), day(6001))
    assert [len(tokens) for tokens in plan.sockets] == [3000, 3000, 1]
    assert missing == {}


def test_the_lakes_universe_comes_first(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    full = day(5)
    rows = universe_rows(choose_universe(full, {}), full).filter(pl.col("priority") > 2)
    Lake(settings.lake_dir).write_session("subscription_universe", SESSION, rows)
    plan, _ = plan_sockets(settings, full)
    assert plan.sockets == [(769, 1025, 1281)]


def test_added_tokens_go_where_there_is_room_then_to_a_new_socket_then_nowhere() -> None:
    plan = SocketPlan([(1, 2), (3,)], per_socket=3, most_sockets=3)
    assert plan.add([2, 4, 5, 6, 7, 7]) == {0: (4,), 1: (5, 6), 2: (7,)}
    assert plan.sockets == [(1, 2, 4), (3, 5, 6), (7,)]
    assert plan.add([8, 9, 10]) == {2: (8, 9)}
    assert plan.refused == {10}
    assert plan.add([1, 2]) == {}


def test_a_session_lasts_as_long_as_what_is_subscribed() -> None:
    def at(hour: int, minute: int) -> int:
        return to_ns(datetime(2026, 7, 30, hour, minute, tzinfo=IST))

    table = load_session_table()
    stocks = day(2)
    begins, ends = session_times(stocks, frozenset({257}), table)
    assert begins == at(8, 45)
    assert at(15, 31) <= ends <= at(16, 15)
    both = InstrumentDay(SESSION, (*stocks.instruments, crude()))
    assert session_times(both, frozenset({257, crude().token}), table)[1] >= at(23, 31)
    with pytest.raises(MissingInput, match="nothing that is subscribed"):
        session_times(stocks, frozenset({12345}), table)


def test_the_plan_says_whose_hours_its_instruments_keep() -> None:
    both = InstrumentDay(SESSION, (*day(2).instruments, crude()))
    tokens = frozenset({*(one.token for one in both.instruments), 12345})
    assert planned_classes(both, tokens) == {SessionClass.NSE_CASH: 2, SessionClass.MCX: 1}


def test_who_subscribes_late_missed_what_was_traded_since_the_first_open() -> None:
    both = InstrumentDay(SESSION, (*day(2).instruments, crude()))
    hours, minute = ContinuousHours(both, load_session_table()), 60 * NS_PER_SECOND
    nine = to_ns(datetime(2026, 7, 30, 9, 0, tzinfo=IST))
    assert hours.missed_since((257, 513), nine + 16 * minute + 1, patience_ns=minute) == nine + 15 * minute
    assert hours.missed_since((257, 513), nine + 16 * minute, patience_ns=minute) is None
    assert hours.missed_since((257, crude().token), nine + 16 * minute, patience_ns=minute) == nine
    assert hours.missed_since((12345,), nine + 16 * minute, patience_ns=minute) is None


def test_a_change_is_measured_by_the_plan_and_takes_the_place_of_the_one_before() -> None:
    plan = SocketPlan([(1, 2), (3, 4)], per_socket=2, most_sockets=3)
    assert plan.change(UniverseChange(add=(5, 6), remove=(2, 9))) == ({0: (2,)}, {0: (5,), 2: (6,)})
    assert plan.sockets == [(1, 5), (3, 4), (6,)]
    assert plan.change(UniverseChange(add=(6,), remove=(3,))) == ({0: (5,), 1: (3,)}, {0: (2,)})
    assert plan.change(UniverseChange()) == ({2: (6,)}, {1: (3,)})
    assert plan.sockets == [(1, 2), (4, 3), ()]
    assert plan.change(UniverseChange()) == ({}, {})


def test_tokens_that_found_no_room_find_it_when_others_are_removed() -> None:
    plan = SocketPlan([(1, 2)], per_socket=2, most_sockets=1)
    assert plan.change(UniverseChange(add=(3,))) == ({}, {})
    assert plan.refused == {3}
    assert plan.change(UniverseChange(add=(3,), remove=(1,))) == ({0: (1,)}, {0: (3,)})
    assert plan.refused == set()


@pytest.mark.parametrize(
    "content", [b"", b"[]", b'{"add": 3}', b"\xff", b"{}", b"null", b'{"add": [257], "removes": []}', b'{"add": null}']
)
def test_a_file_of_the_universe_that_is_none_is_named_once(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "k1.universe.json"
    path.write_bytes(content)
    watched = UniverseFile(path, day(3))
    change, wrong = watched.changed()
    assert change is None
    assert "nothing is changed" in str(wrong)
    assert watched.changed() == (None, None)


def test_what_is_nested_without_end_is_named_as_no_token(tmp_path: Path) -> None:
    path = tmp_path / "k1.universe.json"
    path.write_bytes(b'{"add": [257, ' + b"[" * 1000 + b"]" * 1000 + b"]}")
    change, wrong = UniverseFile(path, day(3)).changed()
    assert change == UniverseChange((257,), ())
    assert "1 are not in the day's dump: ?" in str(wrong)


def test_the_file_of_the_universe_is_read_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "k1.universe.json"
    watched = UniverseFile(path, day(3))
    assert watched.changed() == (None, None)
    path.write_text('{"add": [257, 513], "remove": [769]}')
    assert watched.changed() == (UniverseChange((257, 513), (769,)), None)
    assert watched.changed() == (None, None)
    path.write_text('{"add": [769, 999999, "x", true, 257], "remove": [8, 257]}')
    change, wrong = watched.changed()
    assert change == UniverseChange((769,), ())
    assert "4 are not in the day's dump: 999999, x, True, 8" in str(wrong)
    assert "1 are added and removed, so neither: 257" in str(wrong)
    path.unlink()
    assert watched.changed() == (None, None)
