import polars as pl
import pytest

from trading_platform.batch.file_indicators import COLUMNS, indicators_of_bars, minutes_of
from trading_platform.errors import BadFileError


def test_an_unknown_interval_names_those_that_there_are() -> None:
    assert (minutes_of("1m"), minutes_of("5m")) == (1, 5)
    with pytest.raises(BadFileError, match="1m or 5m"):
        minutes_of("3m")


def test_no_bars_give_no_rows() -> None:
    empty = pl.DataFrame(
        schema={
            "symbol": pl.String,
            "ts": pl.Datetime("us", "Asia/Kolkata"),
            **dict.fromkeys(("open", "high", "low", "close"), pl.Float64),
            "volume": pl.Int64,
        }
    )
    for interval in (1, 5):
        made = indicators_of_bars(empty, interval)
        assert (made.height, tuple(made.columns)) == (0, COLUMNS)
