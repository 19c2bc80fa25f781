"""Seeds: the state of indicators after past sessions, by the same kernel, in order."""

from datetime import date

import numpy as np
import polars as pl
import talib

from trading_platform.batch.seeds import indicator_seeds, sessions_before
from trading_platform.calc.indicator_seeds import SeedBlock
from trading_platform.market.sessions import load_session_table
from trading_platform.wire.lake_tables import INDICATOR_SEEDS
from trading_platform_tests.batch.lake_rows import INFY, SESSION, TCS, instruments, minute_bars

PAST = [date(2026, 7, 28), date(2026, 7, 29)]


def walk(seed: int, count: int) -> list[float]:
    steps = np.random.default_rng(seed).normal(0, 1, count)
    return (1000.0 + np.cumsum(steps)).round(2).tolist()


def test_seeds_equal_ta_lib_after_the_last_bar() -> None:
    closes = [walk(day, 300) for day in (1, 2)]
    parts = [minute_bars(day, INFY, "INFY", closes=row) for day, row in zip(PAST, closes, strict=True)]
    made = indicator_seeds(pl.concat(parts[::-1]), instruments(), session=SESSION)
    rows = INDICATOR_SEEDS.conform(made.rows).filter(pl.col("interval") == 1)
    close = np.array(closes[0] + closes[1])
    assert rows["bars_used"].to_list() == [600]
    assert np.isclose(rows["ema_20"][0], talib.EMA(close, 20)[-1], rtol=1e-12)
    assert np.isclose(rows["rsi_14"][0], talib.RSI(close, 14)[-1], rtol=1e-9)
    assert np.isclose(rows["atr_14"][0], talib.ATR(close + 1, close - 1, close, 14)[-1], rtol=1e-9)


def test_the_block_holds_the_states_of_the_table() -> None:
    parts = [
        minute_bars(PAST[0], TCS, "TCS", closes=walk(3, 40)),
        minute_bars(PAST[1], INFY, "INFY", closes=walk(4, 12)),
    ]
    made = indicator_seeds(pl.concat(parts), instruments(), session=SESSION)
    block = SeedBlock.decode(made.content)
    assert block.tokens.tolist() == [INFY, TCS]
    assert block.sessions_used == tuple(PAST)
    for row in INDICATOR_SEEDS.conform(made.rows).iter_rows(named=True):
        state = block.states[list(block.tokens).index(row["token"]), (1, 5).index(row["interval"])]
        assert state.tolist() == row["state"]


def test_short_history_stays_unknown() -> None:
    made = indicator_seeds(minute_bars(PAST[0], INFY, "INFY", closes=[1.0, 2.0]), instruments(), session=SESSION)
    rows = INDICATOR_SEEDS.conform(made.rows)
    assert rows.select("ema_20", "rsi_14", "atr_14").null_count().row(0) == (2, 2, 2)


def test_auction_prints_do_not_move_indicators() -> None:
    plain = minute_bars(PAST[0], INFY, "INFY", closes=walk(5, 50))
    auction = minute_bars(PAST[0], INFY, "INFY", closes=[9999.0], first=(9, 7), kind=1)
    only_auction = minute_bars(PAST[0], TCS, "TCS", closes=[9999.0], first=(9, 7), kind=1)
    with_it = indicator_seeds(pl.concat([auction, plain, only_auction]), instruments(), session=SESSION)
    assert with_it.content == indicator_seeds(plain, instruments(), session=SESSION).content


def test_sessions_before_are_in_order_and_end_before_the_session() -> None:
    days = sessions_before(load_session_table(), SESSION, 5)
    assert len(days) == 5
    assert days == sorted(days)
    assert days[-1] == date(2026, 7, 29)


def test_the_beginning_of_the_table_gives_what_there_is() -> None:
    assert sessions_before(load_session_table(), date(2016, 1, 5), 20) == [date(2016, 1, 1), date(2016, 1, 4)]
