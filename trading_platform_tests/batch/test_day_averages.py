from datetime import date

import polars as pl

from trading_platform.batch.day_averages import NO_AVERAGES, day_averages
from trading_platform.market.corporate_actions import CorporateAction, CorporateActions
from trading_platform.market.sessions import SessionClass, load_session_table
from trading_platform.wire.lake_tables import MINUTE_BARS
from trading_platform_tests.batch.lake_rows import INFY, SESSION, TCS, instruments, minute_bars
from trading_platform_tests.batch.memory_lake import MemoryLake

TABLE = load_session_table()
DAYS = TABLE.sessions(SessionClass.NSE_CASH_FNO, date(2026, 4, 1), date(2026, 7, 29))[-56:]
NONE = CorporateActions(())


def lake() -> MemoryLake:
    made = MemoryLake()
    for place, day in enumerate(DAYS):
        parts = [
            minute_bars(day, INFY, "INFY", closes=[100.0, 100.0 + place], volumes=[place, 1000]),
            minute_bars(day, INFY, "INFY", closes=[100.0], volumes=[7], first=(9, 7), kind=1),
        ]
        if place >= 36:
            parts.append(minute_bars(day, TCS, "TCS", closes=[50.0], volumes=[10]))
        made.write_session(MINUTE_BARS.name, day, pl.concat(parts))
    return made


def test_means_are_of_whole_days_auctions_included() -> None:
    rows = {
        row["token"]: row for row in day_averages(lake(), instruments(), TABLE, SESSION, NONE).iter_rows(named=True)
    }
    infy, tcs = rows[INFY], rows[TCS]
    assert infy["avg_volume_20"] == sum(1007 + place for place in range(36, 56)) / 20
    assert infy["avg_volume_55"] == sum(1007 + place for place in range(1, 56)) / 55
    assert infy["avg_price_20"] == sum(100 + place for place in range(36, 56)) / 20
    assert (infy["turtle_ready"], tcs["turtle_ready"]) == (True, False)
    assert tcs["avg_volume_20"] == 10.0


def test_a_split_changes_the_measure_of_the_days_before() -> None:
    actions = CorporateActions((CorporateAction("TCS", DAYS[46], "split", 2.0, "made up"),))
    rows = day_averages(lake(), instruments(), TABLE, SESSION, actions).filter(pl.col("token") == TCS)
    assert rows.select("avg_volume_20", "avg_price_20").row(0) == (15.0, 37.5)


def test_an_empty_lake_has_no_means() -> None:
    assert day_averages(MemoryLake(), instruments(), TABLE, SESSION, NONE).equals(NO_AVERAGES)
