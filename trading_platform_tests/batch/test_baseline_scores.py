"""The scorecard of baselines equals figures that plain loops find; what is not sure is not scored."""

import math
from statistics import fmean

import numpy as np
import polars as pl
import pytest

from trading_platform.batch.baseline_scores import pairs, scorecard
from trading_platform.calc.pass_layout import BarFlag
from trading_platform_tests.batch.baseline_frames import OPEN, at, curve, nothing, traded
from trading_platform_tests.batch.lake_rows import INFY, SESSION, TCS

_ONE, _TWO = [100.0, 50.0, 40.0, 30.0], [900.0, 800.0, 10.0, 20.0]
_CAME_ONE, _CAME_TWO = [110, 20, 95, 30], [2000, 700, 9, 21]


def _baselines() -> pl.DataFrame:
    longer = [
        curve(SESSION, token, symbol, expected=[expected[0] + expected[1], expected[2] + expected[3]], interval=2)
        for token, symbol, expected in ((INFY, "INFY", _ONE), (TCS, "TCS", _TWO))
    ]
    minutes = [curve(SESSION, INFY, "INFY", expected=_ONE), curve(SESSION, TCS, "TCS", expected=_TWO)]
    return pl.concat([*minutes, *longer, nothing(SESSION, 5, "NEW", "listed 3 sessions ago")])


def _bars() -> pl.DataFrame:
    auction = traded(SESSION, INFY, "INFY", [7]).with_columns(kind=pl.lit(1, pl.Int32))
    of_two = traded(SESSION, TCS, "TCS", list(_CAME_TWO)).with_columns(token=pl.lit(None, pl.Int64))
    return pl.concat([traded(SESSION, INFY, "INFY", list(_CAME_ONE)), of_two, auction])


def _plain(expected: list[list[float]], came: list[list[float]]) -> dict[str, float]:
    """Return the figures of names, each a list of forecasts and one of what came, by loops."""
    by_name = [list(zip(forecast, actual, strict=True)) for forecast, actual in zip(expected, came, strict=True)]
    every = [pair for one in by_name for pair in one]
    return {
        "mape": fmean(fmean(abs(f / a - 1) for f, a in one) for one in by_name),
        "log_mae": fmean(fmean(abs(math.log(f / a)) for f, a in one) for one in by_name),
        "wmape": fmean(sum(abs(f - a) for f, a in one) / sum(a for _, a in one) for one in by_name),
        "bias": fmean(fmean(math.log(f / a) for f, a in one) for one in by_name),
        "below_q10": fmean(a < f * 0.5 for f, a in every),
        "below_expected_median": fmean(a < f for f, a in every),
        "below_q90": fmean(a < f * 2 for f, a in every),
        "inside_80": fmean(f * 0.5 <= a <= f * 2 for f, a in every),
        "inside_50": fmean(f * 0.8 <= a <= f * 1.25 for f, a in every),
        "forecasts": len(every),
        "banded": len(every),
        "symbols": len(by_name),
    }


def _longer(values: list[float]) -> list[float]:
    return np.array(values, float).reshape(-1, 2).sum(axis=1).tolist()


def test_figures_by_interval_and_overall_are_those_of_plain_loops() -> None:
    found = scorecard(_baselines(), _bars())
    came = [[float(v) for v in _CAME_ONE], [float(v) for v in _CAME_TWO]]
    minutes = _plain([_ONE, _TWO], came)
    pairs_of = _plain([_longer(_ONE), _longer(_TWO)], [_longer(one) for one in came])
    both = _plain([_ONE + _longer(_ONE), _TWO + _longer(_TWO)], [one + _longer(one) for one in came])
    for figures, expected in ((found.by_interval[1], minutes), (found.by_interval[2], pairs_of), (found.overall, both)):
        assert {name: figures[name] for name in expected} == pytest.approx(expected)
    assert list(found.by_interval) == [1, 2]
    assert found.forecast_names == 2
    of_one = _plain([_ONE + _longer(_ONE)], [came[0] + _longer(came[0])])
    (infy,) = found.names.filter(pl.col("token") == INFY).to_dicts()
    assert infy["log_mae"] == pytest.approx(of_one["log_mae"])
    worst = max(("INFY", _ONE, 0), ("TCS", _TWO, 1), key=lambda one: _plain([one[1]], [came[one[2]]])["log_mae"])
    assert found.worst(1)["symbol"].to_list() == [worst[0]]


def test_what_is_not_sure_is_not_scored() -> None:
    later = pl.col("start") == at(SESSION, 1)
    gap = pl.when(later).then(int(BarFlag.GAP)).otherwise(0)
    mended = pl.when(later).then(int(BarFlag.GAP | BarFlag.RECONCILED)).otherwise(0)
    longer = pl.col("interval") == 2
    for flags, minutes, buckets in ((gap, [0, 2, 3], [2]), (mended, [0, 1, 2, 3], [0, 2])):
        bars = traded(SESSION, INFY, "INFY", list(_CAME_ONE)).with_columns(flags=flags.cast(pl.Int64))
        found = pairs(_baselines(), pl.concat([bars, traded(SESSION, TCS, "TCS", list(_CAME_TWO))]))
        mine = found.filter(pl.col("token") == INFY)
        assert mine.filter(~longer)["bucket_start"].to_list() == [OPEN + k for k in minutes]
        assert mine.filter(longer)["bucket_start"].to_list() == [OPEN + k for k in buckets]


def test_a_minute_without_a_bar_is_nothing_traded_and_one_that_nobody_has_is_a_hole() -> None:
    quiet = pl.concat([traded(SESSION, INFY, "INFY", [1, 2, 3, 4]), traded(SESSION, TCS, "TCS", [5, 6, 7, 8])])
    nobody = quiet.filter(pl.col("start") != at(SESSION, 3))
    quiet = quiet.filter((pl.col("token") != TCS) | (pl.col("start") != at(SESSION, 3)))
    longer = (pl.col("interval") == 2) & (pl.col("token") == TCS)
    assert pairs(_baselines(), quiet).filter(longer)["actual"].to_list() == [11.0, 7.0]
    assert pairs(_baselines(), nobody).filter(longer)["actual"].to_list() == [11.0]


def test_nothing_to_score_gives_figures_without_a_value() -> None:
    for baselines in (_baselines(), _baselines().head(0)):
        found = scorecard(baselines, _bars().head(0))
        assert found.overall["mape"] is None
        assert found.overall["inside_80"] is None
        assert found.overall["forecasts"] == 0
        assert found.by_interval == {}
        assert found.names.is_empty()


def test_baselines_without_a_band_are_scored_by_their_median() -> None:
    old = _baselines().drop("expected_mean", "q10", "q25", "q75", "q90", "model", "reason")
    found = scorecard(old, _bars())
    assert found.overall["banded"] == 0
    assert found.overall["inside_80"] is None
    assert found.overall["mape"] == pytest.approx(scorecard(_baselines(), _bars()).overall["mape"])
