from datetime import date

import numpy as np
import polars as pl

from trading_platform.batch.baseline_rows import ClassBaselines, baseline_rows
from trading_platform.calc.volume.outlook import outlooks
from trading_platform.calc.volume_history import VolumeHistory, expectations

PAST = (date(2026, 7, 28), date(2026, 7, 29))
NAMES = ("INDEX", "YOUNG", "OPTION", "STOCK")


def rows(min_sessions: int = 2) -> pl.DataFrame:
    minutes = np.full((2, 4, 6), np.nan)
    minutes[1, 1, :2] = 8.0
    minutes[:, 2:, :] = [[[3.0]], [[4.0]]]
    minutes[:, 2:, 5] = np.nan
    none = np.full((2, 4), np.nan)
    history = VolumeHistory(minutes, none, none, np.ones((2, 4), np.bool_), np.zeros(4, np.bool_))
    options = np.array([False, False, True, False])
    made = ClassBaselines(
        tokens=np.array([9, 1, 2, 3], np.uint32),
        symbols=NAMES,
        sessions=PAST,
        first_minute=555,
        usual=expectations(history, (), min_sessions),
        expected=outlooks(minutes, options, min_sessions, (1, 5)),
    )
    return baseline_rows([made], min_sessions).with_columns(pl.selectors.float().fill_nan(None))


def of(symbol: str, *columns: str, interval: int = 1) -> list[tuple[object, ...]]:
    return rows().filter(pl.col("symbol") == symbol, pl.col("interval") == interval).select(columns).rows()


def test_who_is_not_forecast_has_a_row_with_the_reason() -> None:
    told = ("bucket_start", "expected_median", "sessions_used", "model", "reason")
    assert of("INDEX", *told) == [(555, None, 0, "none", "no volume in any past session")]
    few = "1 past sessions with volume: 4 are needed"
    assert of("YOUNG", *told) == [(555, None, 1, "none", few), (556, None, 1, "none", few)]
    (reason,) = {row[0] for row in of("OPTION", "reason")}
    assert str(reason).startswith("an option")
    assert of("OPTION", "expected_median", "expected_mean", "expected_cumulative")[0] == (None, None, 3.5)


def test_what_past_sessions_say_stands_in_for_the_model() -> None:
    told = ("bucket_start", "expected_median", "expected_mean", "q10", "expected_cumulative", "model")
    found = of("STOCK", *told)
    assert found == [(555 + k, 3.5, 3.5, None, 3.5 * (k + 1), "median20") for k in range(5)]
    assert of("STOCK", *told, interval=5) == [(555, 17.5, 17.5, None, 17.5, "median20")]


def test_without_any_past_there_are_columns_and_no_rows() -> None:
    assert baseline_rows([], 2).columns
    assert set(baseline_rows([], 2).columns) == set(rows().columns)
