from datetime import date, datetime, timedelta

import pytest

from trading_platform.market.clock import IST
from trading_platform.market.sessions import SessionClass, load_session_table
from trading_platform.simulator.synthetic_contracts import (
    LOT,
    make_chain,
    monthly_expiries,
    strike_step,
    weekly_expiry,
    years_to,
)

TABLE = load_session_table()


@pytest.mark.parametrize(
    ("session", "expiry"),
    [
        (date(2024, 6, 3), date(2024, 6, 6)),
        (date(2024, 6, 6), date(2024, 6, 6)),
        (date(2024, 8, 14), date(2024, 8, 14)),  # Thursday the 15th is Independence Day
        (date(2024, 8, 16), date(2024, 8, 22)),
        (date(2025, 8, 29), date(2025, 9, 2)),  # the first Tuesday
        (date(2026, 7, 31), date(2026, 8, 4)),
        (date(2026, 12, 31), date(2027, 1, 5)),  # beyond the table: the weekday
    ],
)
def test_weekly_expiries(session: date, expiry: date) -> None:
    assert weekly_expiry(session, TABLE) == expiry


@pytest.mark.parametrize(
    ("session", "expiries"),
    [
        (date(2024, 6, 3), (date(2024, 6, 27), date(2024, 7, 25))),
        (date(2024, 6, 28), (date(2024, 7, 25), date(2024, 8, 29))),
        (date(2026, 7, 31), (date(2026, 8, 25), date(2026, 9, 29))),
    ],
)
def test_monthly_expiries(session: date, expiries: tuple[date, date]) -> None:
    assert monthly_expiries(session, TABLE) == expiries


def test_every_session_has_live_contracts_of_sessions() -> None:
    for session in TABLE.sessions(SessionClass.NSE_DERIVATIVES, date(2025, 7, 1), date(2026, 6, 30)):
        weekly = weekly_expiry(session, TABLE)
        assert session <= weekly <= session + timedelta(days=9)
        assert TABLE.is_session(SessionClass.NSE_DERIVATIVES, weekly)
        near, far = monthly_expiries(session, TABLE)
        assert session <= near < far


def test_a_chain_stands_around_the_level() -> None:
    chain = make_chain(date(2026, 7, 31), 20_013.0, TABLE)
    assert [future.tradingsymbol for future in chain.futures] == ["SYNDEX26AUGFUT", "SYNDEX26SEPFUT"]
    assert len(chain.options) == 42
    strikes = sorted({option.strike for option in chain.options})
    assert strikes == [19_500.0 + 50 * step for step in range(21)]
    contracts = (*chain.futures, *chain.options)
    assert len({one.token for one in contracts}) == len({one.tradingsymbol for one in contracts}) == 44
    assert {one.token & 0xFF for one in contracts} == {2}
    assert {(one.lot_size, one.tick_size, one.name, one.exchange) for one in contracts} == {
        (LOT, 0.05, "SYNDEX", "NFO")
    }
    assert {one.segment for one in contracts} == {"NFO-FUT", "NFO-OPT"}


@pytest.mark.parametrize(("level", "step"), [(20_000.0, 50.0), (52_000.0, 100.0), (8_500.0, 20.0), (300.0, 1.0)])
def test_strike_steps(level: float, step: float) -> None:
    assert strike_step(level) == step


def test_years_run_out_at_the_end_of_the_expiry_day() -> None:
    moment = datetime(2026, 8, 4, 15, 30, tzinfo=IST).timestamp()
    assert years_to(date(2026, 8, 4), moment) == 0.0
    assert years_to(date(2026, 8, 4), moment + 60) == 0.0
    assert years_to(date(2026, 8, 4), moment - 86_400) == pytest.approx(1 / 365)
