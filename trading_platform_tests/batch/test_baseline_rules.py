"""Each rule about baselines warns of what it is about, names it, and is never content with nothing."""

from datetime import date
from typing import Any

import polars as pl
import pytest

from trading_platform.batch.baseline_rules import (
    bias_sound,
    calibration_sound,
    coverage_sound,
    history_sound,
    jump_sound,
)
from trading_platform.batch.quality import Finding
from trading_platform.market.corporate_actions import CorporateAction, CorporateActions
from trading_platform_tests.batch.baseline_frames import curve, nothing
from trading_platform_tests.batch.lake_rows import INFY, NIFTY, SESSION, TCS, instruments

BEFORE, TWO_BEFORE = date(2026, 7, 29), date(2026, 7, 28)
NO_ACTIONS = CorporateActions(())
CALL = 12345 * 256 + 2


def warned(finding: Finding, *words: str) -> bool:
    """Return whether a finding failed as a warning that says these words and what to do."""
    says = str(finding.facts["says"])
    return not finding.passed and finding.only_warns and finding.facts["what to do"] != "nothing" and all(
        word in says for word in words
    )  # fmt: skip


def _both(expected: float = 10.0, **changed: Any) -> pl.DataFrame:
    names = ((INFY, "INFY"), (TCS, "TCS"))
    return pl.concat(curve(SESSION, *name, expected=[expected] * 3, interval=5, **changed) for name in names)


def test_coverage_counts_shares_and_futures_alone() -> None:
    listed = instruments()
    call = listed.filter(pl.col("token") == TCS).with_columns(
        token=pl.lit(CALL, pl.Int64), instrument_type=pl.lit("CE"), symbol=pl.lit("CALL"), segment=pl.lit("NFO-OPT")
    )
    listed = pl.concat([listed, call])
    found = coverage_sound(_both(), listed, listed)
    assert found.passed
    assert found.facts["subscribed shares and futures"] == 2
    half = pl.concat([_both().filter(pl.col("token") == INFY), nothing(SESSION, TCS, "TCS", "listed 3 sessions ago")])
    found = coverage_sound(half, listed, listed)
    assert warned(found, "1 of 2")
    assert found.facts["reasons"] == "listed 3 sessions ago: 1"
    assert found.facts["without"] == "TCS"
    assert coverage_sound(half.filter(pl.col("token") == INFY), listed, listed).facts["reasons"] == "no row at all: 1"
    assert warned(coverage_sound(_both().head(0), listed, listed), "0 of 2")
    assert warned(coverage_sound(_both(), listed.filter(pl.col("token") == NIFTY), listed), "nothing is subscribed")


def test_bias_is_judged_by_the_session_and_by_the_mean() -> None:
    def scored(*values: float | None) -> dict[date, dict[str, Any]]:
        days = (TWO_BEFORE, BEFORE, SESSION)[-len(values) :]
        return {day: {"bias": value} for day, value in zip(days, values, strict=True)}

    assert bias_sound(scored(0.1, -0.1)).passed
    assert bias_sound(scored(-0.49)).passed
    assert warned(bias_sound(scored(0.1, -0.1, 0.7)), str(SESSION), "101% above")
    assert warned(bias_sound(scored(-0.45, -0.45, -0.45)), "36% below")
    assert bias_sound(scored(0.45, -0.45, 0.45)).passed
    assert warned(bias_sound(scored(None)), "nothing can be scored")
    assert warned(bias_sound({}), "nothing can be scored")


def test_a_band_holds_about_four_fifths_of_enough_bars() -> None:
    def scored(*values: tuple[float | None, int]) -> dict[date, dict[str, Any]]:
        days = (BEFORE, SESSION)[-len(values) :]
        return {
            day: {"inside_80": share, "banded": bars} for day, (share, bars) in zip(days, values, strict=True)
        }  # fmt: skip

    assert calibration_sound(scored((0.85, 5000))).passed
    assert calibration_sound(scored((0.95, 5000), (0.68, 5000))).passed
    assert calibration_sound(scored((0.55, 5000), (0.95, 5000))).passed
    assert warned(calibration_sound(scored((0.95, 20000), (0.55, 5000))), "55.0%", "87.0%")
    assert warned(calibration_sound(scored((0.95, 5000))), "95.0%")
    assert warned(calibration_sound(scored((0.65, 5000))), "65.0%")
    assert warned(calibration_sound(scored((0.8, 99))), "99 bars are too few")
    assert warned(calibration_sound(scored((None, 0))), "nothing can be scored")
    assert warned(calibration_sound({}), "nothing can be scored")


def test_history_lacks_the_last_session_or_is_short() -> None:
    wanted = {"NSE_CASH": [TWO_BEFORE, BEFORE]}
    assert history_sound(_both(), wanted, [TWO_BEFORE, BEFORE], 2).passed
    assert warned(history_sound(_both(), wanted, [TWO_BEFORE], 2), "2026-07-29", "is not in it")
    assert warned(history_sound(_both(), wanted, [BEFORE], 2), "1 of 2 sessions")
    assert warned(history_sound(_both(), {**wanted, "MCX": [SESSION]}, [TWO_BEFORE, BEFORE], 2), "MCX")
    assert warned(history_sound(_both(), wanted, None, 2), "nothing says")
    assert warned(history_sound(_both().head(0), wanted, [TWO_BEFORE, BEFORE], 2), "no baselines")
    young = pl.concat([_both(), curve(SESSION, 7, "NEW", expected=[1.0], sessions_used=1)])
    assert history_sound(young, wanted, [TWO_BEFORE, BEFORE], 2).facts["names with fewer sessions"] == 1


@pytest.mark.parametrize("column", ["expected_mean", "expected_median"])
def test_a_jump_is_that_of_most_names_or_of_single_ones(column: str) -> None:
    rest = {"expected_mean": None} if column == "expected_median" else {}
    before = _both(20.0, **rest).with_columns(session=pl.lit(BEFORE))
    assert jump_sound(_both(26.0), before, SESSION, NO_ACTIONS).passed
    assert warned(jump_sound(_both(40.0), before, SESSION, NO_ACTIONS), "2.00", str(BEFORE))
    others = [curve(BEFORE, token, f"S{token}", expected=[5.0], interval=5, **rest) for token in (1, 2, 3)]
    wild = pl.concat([_both(100.0).filter(pl.col("token") == INFY), *others])
    found = jump_sound(wild, pl.concat([before, *others]), SESSION, NO_ACTIONS)
    assert warned(found, "1 names", "INFY")
    assert found.facts["median factor"] == 1.0
    # three rows of five minutes have 100 before and 20 after: a split of 1:5 explains it
    split = CorporateActions((CorporateAction("INFY", SESSION, "split", 5.0, "made"),))
    assert jump_sound(wild, pl.concat([before, *others]), SESSION, split).passed


def test_a_jump_is_told_of_buckets_that_both_days_know() -> None:
    before = _both(20.0).with_columns(session=pl.lit(BEFORE))
    today = _both(20.0).with_columns(
        expected_mean=pl.when(pl.col("bucket_start") > 9 * 60 + 15).then("expected_mean")
    )  # fmt: skip
    assert jump_sound(today, before, SESSION, NO_ACTIONS).facts["median factor"] == 1.0


def test_without_a_baseline_before_there_is_nothing_to_compare() -> None:
    for before in (None, _both().head(0)):
        assert warned(jump_sound(_both(), before, SESSION, NO_ACTIONS), "no baseline of an earlier session")
    before = curve(BEFORE, 7, "OTHER", expected=[1.0], interval=5)
    assert warned(jump_sound(_both(), before, SESSION, NO_ACTIONS), "no name has a baseline")
