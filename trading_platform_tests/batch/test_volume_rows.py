import numpy as np
import polars as pl

from trading_platform.batch.volume_rows import stored_expectations, traded_by_minute, with_regime
from trading_platform.calc.relative_volume import DAY_EXPECTED, DAY_NAMES, HISTORY_FLAGS, VixRegime, VolumeFlag
from trading_platform.wire.lake_tables import VOLUME_BASELINES
from trading_platform_tests.batch.lake_rows import INFY, SESSION, TCS, moment


def test_what_was_traded_is_unknown_before_the_first_volume() -> None:
    traded = traded_by_minute(np.array([[np.nan, 2.0, np.nan, 3.0], [np.nan] * 4]))
    np.testing.assert_array_equal(traded, [[np.nan, 2.0, 2.0, 5.0], [np.nan] * 4])


def test_stored_curves_stay_level_where_no_past_session_had_a_bar() -> None:
    stored = pl.DataFrame(
        [
            {"token": INFY, "interval": 1, "bucket_start": 556, "expected_median": 7.0, "expected_cumulative": 9.0},
            {"token": INFY, "interval": 5, "bucket_start": 555, "expected_median": 70.0, "tradingview_mean": 80.0},
        ],
        schema=VOLUME_BASELINES.schema,
    ).with_columns(**{name: pl.lit(5.0 + k) for k, name in enumerate(DAY_NAMES)})
    usual = stored_expectations(stored, [TCS, INFY], (555, 10), (1, 5))
    assert usual.bars[1][1, 1] == 7.0
    assert np.isnan(usual.cumulative[1, 0])
    assert usual.cumulative[1, 1:].tolist() == [9.0] * 9
    assert usual.tradingview_mean[1].tolist() == [80.0, 80.0]
    assert usual.bars[5][1, 0] == 70.0
    assert np.isnan(usual.cumulative[0]).all()
    assert usual.day[1, DAY_EXPECTED] == 5.0
    assert usual.day[0, HISTORY_FLAGS] == int(VolumeFlag.NO_BASELINE)


def test_the_newest_of_two_minutes_of_vix_counts() -> None:
    bars = pl.DataFrame(
        {
            "symbol": ["INDIA VIX"] * 2,
            "start": [moment(SESSION, 9, 15), moment(SESSION, 9, 16)],
            "close": [12.0, 26.0],
        },
        schema_overrides={"start": pl.Datetime("us", "Asia/Kolkata")},
    )
    starts = [moment(SESSION, 9, minute) for minute in (15, 16, 17, 18)]
    rows = pl.DataFrame({"start": starts, "interval": [1] * 4}, schema_overrides={"start": bars.schema["start"]})
    said = with_regime(rows, bars)["vix_regime"].to_list()
    assert said == [VixRegime.LOW, VixRegime.PANIC, VixRegime.PANIC, VixRegime.UNKNOWN]
