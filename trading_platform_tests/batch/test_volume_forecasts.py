from functools import lru_cache

import numpy as np
import polars as pl

from trading_platform.batch.volume_files import VolumeGrid
from trading_platform.batch.volume_forecasts import Run, forecast_rows, not_forecast, report_of, run_forecasts
from trading_platform.calc.volume.models import KALMAN, MEDIAN, PUBLISHED, RM20
from trading_platform_tests.calc.volume.made import made_volumes

SESSIONS, BINS = 20, 4


@lru_cache
def _run() -> Run:
    volume = made_volumes(3, SESSIONS, BINS)
    volume[1, :, 3] = np.where(np.arange(SESSIONS) == 17, volume[1, :, 3], np.nan)
    volume[[0, 2], :, 3] = np.nan
    volume[2, :14] = np.nan
    volume[:, 18, 2:] = np.nan
    rejected = pl.DataFrame(schema={"row": pl.UInt32, "symbol": pl.String, "session": pl.Int64, "reason": pl.String})
    grid = VolumeGrid(["A", "B", "C"], list(range(100, 120)), [1, 2, 3, 9], volume, rejected, None)
    return run_forecasts(grid, (RM20, MEDIAN, KALMAN), train_sessions=12, refit_every=4)


def test_rows_hold_each_forecast_beside_what_came() -> None:
    rows, run = forecast_rows(_run()), _run()
    volume = run.grid.volume
    row = rows.filter(symbol="A", session=113, bin=2, model=RM20, horizon="one_bin").row(0, named=True)
    assert row["actual"] == volume[0, 13, 1]
    np.testing.assert_allclose(row["forecast"], volume[0, :13, 1].mean())
    assert row["as_of_bin"] is None
    ended = rows.filter(symbol="A", session=113, as_of_bin=2, model=RM20, horizon="eod").row(0, named=True)
    np.testing.assert_allclose(ended["actual"], np.nansum(volume[0, 13]))
    np.testing.assert_allclose(ended["forecast"], volume[0, 13, 0] + volume[0, :13, 1:3].mean(axis=0).sum())
    assert ended["bin"] is None


def test_what_cannot_be_forecast_is_named() -> None:
    found = not_forecast(_run())
    assert [one for one in found if one["symbol"] == "C"] == [
        {
            "symbol": "C",
            "session": None,
            "bins": None,
            "reason": "6 sessions with volume: 12 are needed before the first forecast",
        }
    ]
    (other,) = [one for one in found if one["symbol"] != "C"]
    assert (other["symbol"], other["session"], other["bins"]) == ("B", "117", [9])


def test_a_short_session_is_forecast_bin_by_bin_and_has_no_end_of_day() -> None:
    rows = forecast_rows(_run()).filter(pl.col("session") == 118)
    assert set(rows["horizon"]) == {"one_bin", "day_ahead"}
    assert report_of(_run(), forecast_rows(_run()))["short_sessions"] == [
        {"session": "118", "bins": 2, "reason": "short session"}
    ]


def test_the_report_scores_what_the_rows_hold() -> None:
    rows = forecast_rows(_run())
    told = report_of(_run(), rows)
    part = rows.filter(model=KALMAN, horizon="one_bin", symbol="A")
    ratio = part["forecast"] / part["actual"]
    figures = told["models"][KALMAN]["one_bin"]["symbols"]["A"]
    np.testing.assert_allclose(figures["bias"], ratio.log().mean())
    np.testing.assert_allclose(figures["mape"], (ratio - 1).abs().mean())
    assert set(told["models"][KALMAN]["one_bin"]["difference"]) == {"rm20", "geometric"}
    assert told["models"][KALMAN]["one_bin"]["difference"]["rm20"]["mape"]["resamples"] == 2000
    assert set(told["models"][KALMAN]["eod"]) == {"1", "2", "3", "9"}


def test_what_is_published_has_a_mean_and_quantiles_in_order() -> None:
    volume = made_volumes(6, 40, BINS)
    rejected = pl.DataFrame(schema={"row": pl.UInt32, "symbol": pl.String, "session": pl.Int64, "reason": pl.String})
    grid = VolumeGrid(list("ABCDEF"), list(range(40)), list(range(BINS)), volume, rejected, None)
    run = run_forecasts(grid, (RM20, PUBLISHED), train_sessions=24, refit_every=4)
    rows = forecast_rows(run)
    assert rows.filter(model=RM20)["expected_mean"].null_count() == rows.filter(model=RM20).height
    told = rows.filter(model=PUBLISHED)
    assert told.null_count().select("expected_mean", "q10", "q25", "q75", "q90").row(0) == (0, 0, 0, 0, 0)
    assert (told["q10"] < told["q25"]).all()
    assert (told["q75"] < told["q90"]).all()
    assert told.filter(horizon="one_bin").select((pl.col("expected_mean") > pl.col("forecast")).mean()).item() > 0.9
    below = report_of(run, rows)["published_below_quantile"]
    assert set(below) == {"one_bin", "day_ahead", "eod"}
    np.testing.assert_allclose([below["one_bin"][name] for name in ("q10", "q90")], [0.1, 0.9], atol=0.06)
