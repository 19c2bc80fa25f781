from datetime import date, datetime

import polars as pl
import pytest

from trading_platform.errors import InstrumentError
from trading_platform.market.clock import IST
from trading_platform.market.instruments import InstrumentDay
from trading_platform.market.synthetic_tokens import assign_tokens
from trading_platform.simulator.session_bars import last_closes, to_session_bars

DAY = InstrumentDay(date(2016, 8, 16), tuple(assign_tokens([("A", False), ("I", True)])))


def table(*rows: tuple[str, int, float, int | None]) -> pl.DataFrame:
    columns = [(s, datetime(2016, 8, 16, 9, m, tzinfo=IST), p, p, p, p, v) for s, m, p, v in rows]
    schema = {"symbol": pl.String, "ts": pl.Datetime("us", "Asia/Kolkata"), "open": pl.Float64, "high": pl.Float64}
    rest = {"low": pl.Float64, "close": pl.Float64, "volume": pl.Int64}
    return pl.DataFrame(columns, schema={**schema, **rest}, orient="row")


def test_bars_find_their_tokens_in_order() -> None:
    bars = to_session_bars(table(("I", 15, 5.0, None), ("A", 16, 2.0, 9), ("A", 15, 1.0, 7)), DAY, {"A": 0.95})
    by_symbol = {one.tradingsymbol: one.token for one in DAY.instruments}
    rows = sorted(zip(bars.token.tolist(), bars.start.tolist(), bars.close.tolist(), bars.volume.tolist(), strict=True))
    start = int(datetime(2016, 8, 16, 9, 15, tzinfo=IST).timestamp())
    expected = [(by_symbol["A"], start, 1.0, 7), (by_symbol["A"], start + 60, 2.0, 9), (by_symbol["I"], start, 5.0, 0)]
    assert rows == sorted(expected)
    assert bars.token.tolist() == sorted(bars.token.tolist())
    assert {(t, p) for t, p in zip(bars.token.tolist(), bars.previous_close.tolist(), strict=True)} == {
        (by_symbol["A"], 0.95),
        (by_symbol["I"], 0.0),
    }


def test_a_bar_without_an_instrument_is_refused() -> None:
    with pytest.raises(InstrumentError, match="1 bars belong to no instrument"):
        to_session_bars(table(("A", 15, 1.0, 7), ("B", 15, 1.0, 7)), DAY, {})


def test_last_closes() -> None:
    assert last_closes(table(("A", 15, 1.0, 7), ("A", 16, 2.0, 7), ("I", 15, 5.0, None))) == {"A": 2.0, "I": 5.0}
