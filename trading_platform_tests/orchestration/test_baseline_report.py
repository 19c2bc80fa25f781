"""A partition of the baselines shows figures of the last session that can be scored, and who fell back and why."""

from datetime import date
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from trading_platform.orchestration.baseline_report import USED, baseline_metadata, scored_sessions
from trading_platform.storage.lake import Lake
from trading_platform_tests.batch.baseline_frames import curve, nothing, stored, traded
from trading_platform_tests.batch.lake_rows import INFY, SESSION, TCS

BEFORE, TWO_BEFORE, THREE_BEFORE = date(2026, 7, 29), date(2026, 7, 28), date(2026, 7, 27)
_EXPECTED = [100.0, 50.0, 40.0, 30.0]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Return a lake whose last session with baselines and bars is the one two before."""
    made = Lake(tmp_path)
    for day in (TWO_BEFORE, BEFORE, SESSION):
        made.write_session("volume_baselines", day, stored(curve(day, INFY, "INFY", expected=_EXPECTED)))
    for day, volume in ((THREE_BEFORE, 9), (TWO_BEFORE, 80), (SESSION, 7)):
        made.write_session("minute_bars", day, traded(day, INFY, "INFY", [volume] * 4))
    return made


def test_the_last_session_with_baselines_and_bars_is_scored(lake: Lake) -> None:
    assert scored_sessions(lake, SESSION, 5) == [TWO_BEFORE]
    told = baseline_metadata(lake, SESSION, curve(SESSION, INFY, "INFY", expected=_EXPECTED), [TWO_BEFORE, BEFORE])
    assert told["scored_session"] == str(TWO_BEFORE)
    assert told["mape_1m"] == pytest.approx((100 / 80 - 1 + 30 / 80 + 40 / 80 + 50 / 80) / 4)
    assert told["mape"] == told["mape_1m"]
    assert told["names_scored"] == 1
    (first, second) = told["scorecard"].records
    assert [first.data["interval"], second.data["interval"]] == ["all", "1m"]
    assert second.data["below_expected_median"] == 0.25
    assert [row.data["symbol"] for row in told["worst_names"].records] == ["INFY"]
    assert told[USED].data == [str(TWO_BEFORE), str(BEFORE)]
    assert "data:image/png" in told["plot"].md_str
    assert dg.AssetMaterialization("volume_baselines", metadata=told)


def test_names_that_fell_back_stand_in_a_table_with_their_reason(lake: Lake) -> None:
    thin = "too few trades for the filter"
    rows = pl.concat(
        [
            curve(SESSION, INFY, "INFY", expected=_EXPECTED),
            curve(SESSION, TCS, "TCS", expected=_EXPECTED, model="median20", reason=thin),
            curve(SESSION, TCS, "TCS", expected=_EXPECTED, interval=5, model="median20", reason=thin),
            nothing(SESSION, 5, "NEW", "listed 3 sessions ago"),
        ]
    )
    told = baseline_metadata(lake, SESSION, rows, [])
    assert (told["names"], told["names_fallen_back"]) == (3, 2)
    assert (told["names_published_panel"], told["names_median20"], told["names_none"]) == (1, 1, 1)
    assert [dict(row.data) for row in told["fallen_back"].records] == [
        {"symbol": "NEW", "model": "none", "reason": "listed 3 sessions ago", "minutes": "1"},
        {"symbol": "TCS", "model": "median20", "reason": thin, "minutes": "1, 5"},
    ]
    assert {row.data["reason"]: row.data["names"] for row in told["fallback_reasons"].records} == {
        thin: 1,
        "listed 3 sessions ago": 1,
    }


def test_without_a_session_to_score_that_is_said(tmp_path: Path) -> None:
    told = baseline_metadata(Lake(tmp_path), SESSION, curve(SESSION, INFY, "INFY", expected=_EXPECTED), [])
    assert told["scored_session"] == "none yet"
    assert told["fallen_back"] == "none"
    assert "mape_1m" not in told
