from dataclasses import fields

import numpy as np
import pytest
from numpy.typing import NDArray

from trading_platform.calc.volume import outlook as module
from trading_platform.calc.volume.outlook import Outlook, Reason, Server, outlooks
from trading_platform_tests.calc.volume.made import made_volumes

SESSIONS, MINUTES, LEAST = 14, 60, 10
LENGTHS = (1, 3, 5, 15, 30, 60)
INDEX, YOUNG, OPTION, THIN, GOOD = range(5)
"""Rows; those from GOOD on are liquid."""
COUNT = GOOD + 8


def made(seed: int = 1) -> NDArray[np.float64]:
    """Volumes (sessions, instruments, minutes), one in four bars of the thin one, three sessions of the young one."""
    volume = made_volumes(COUNT, SESSIONS, MINUTES, seed=seed).swapaxes(0, 1).copy()
    random = np.random.default_rng(seed)
    volume[:, INDEX] = np.nan
    volume[:-3, YOUNG] = np.nan
    volume[:, THIN][random.random((SESSIONS, MINUTES)) < 0.75] = np.nan
    return volume


def looked(volume: NDArray[np.float64]) -> dict[int, Outlook]:
    return outlooks(volume, np.arange(COUNT) == OPTION, LEAST, LENGTHS)


VOLUME = made()
FOUND = looked(VOLUME)


def test_who_is_not_forecast_and_why() -> None:
    for interval, outlook in FOUND.items():
        reasons = [Reason(int(one)) for one in outlook.reason]
        assert reasons[:THIN] == [Reason.NO_VOLUME, Reason.FEW_SESSIONS, Reason.OPTION]
        # thin in minutes, it trades in most longer bars
        assert reasons[THIN] is (Reason.THIN if interval == 1 else Reason.SERVED)
        assert set(reasons[GOOD:]) == {Reason.SERVED}
        assert set(outlook.server[GOOD:].tolist()) <= {int(Server.PANEL), int(Server.FILTER)}
        nothing = [INDEX, YOUNG, OPTION]
        assert set(outlook.server[nothing].tolist()) == {int(Server.NONE)}
        for table in (outlook.median, outlook.mean, outlook.quantiles.swapaxes(0, 1)):
            assert np.isnan(table[nothing]).all()
            assert np.isfinite(table[GOOD:]).all()
        assert outlook.sessions[:GOOD].tolist() == [0, 3, SESSIONS, SESSIONS]
        assert np.isfinite(outlook.filters[GOOD:]).all() == (interval in (1, 5))


def test_a_thin_one_falls_back_to_what_its_sessions_say() -> None:
    outlook, volume = FOUND[1], VOLUME[:, THIN]
    count = np.sum(~np.isnan(volume), axis=0)
    wanted = np.where(count >= LEAST, np.nanmedian(volume, axis=0), np.nan)
    np.testing.assert_array_equal(outlook.median[THIN], wanted)
    np.testing.assert_allclose(outlook.mean[THIN], np.nansum(volume, axis=0) / SESSIONS)
    assert outlook.server[THIN] == (Server.NONE if np.isnan(wanted).all() else Server.MEDIAN)
    assert np.isnan(outlook.quantiles[:, THIN]).all()
    np.testing.assert_allclose(outlook.traded[THIN], count.mean() / SESSIONS)


def test_means_add_up_over_lengths_and_medians_do_not() -> None:
    minutes, hour = FOUND[1], FOUND[60]
    for interval in LENGTHS[1:]:
        sums = minutes.mean[GOOD:].reshape(COUNT - GOOD, -1, interval).sum(axis=2)
        np.testing.assert_allclose(FOUND[interval].mean[GOOD:], sums, rtol=1e-12)
    assert np.log(minutes.median[GOOD:].sum(axis=1) / hour.median[GOOD:, 0]).mean() < -0.05


def test_each_length_says_what_its_own_bars_show() -> None:
    for interval, outlook in FOUND.items():
        past = VOLUME[:, GOOD:].reshape(SESSIONS, COUNT - GOOD, -1, interval).sum(axis=3)
        assert abs(np.log(outlook.median[GOOD:] / np.median(past, axis=0)).mean()) < 0.25
        assert (np.diff(outlook.quantiles[:, GOOD:], axis=0) > 0.0).all()


def test_bins_without_past_volume_get_no_number_and_change_none() -> None:
    around = np.full((SESSIONS, COUNT, MINUTES + 60), np.nan)
    around[:, :, 30:-30] = VOLUME
    wider = looked(around)
    for interval in (1, 30):
        before = 30 // interval
        np.testing.assert_array_equal(wider[interval].median[GOOD:, before:-before], FOUND[interval].median[GOOD:])
        assert np.isnan(wider[interval].median[GOOD:, :before]).all()


def test_the_same_past_gives_the_same_numbers() -> None:
    again = looked(made())
    for interval, outlook in FOUND.items():
        for field in fields(Outlook):
            np.testing.assert_array_equal(getattr(again[interval], field.name), getattr(outlook, field.name))
    assert not np.array_equal(looked(made(seed=2))[1].median[GOOD:], FOUND[1].median[GOOD:])


def test_more_than_fit_together_are_served_each_part_by_itself_and_in_their_own_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    liquid = VOLUME[:, GOOD:]
    none = np.zeros(liquid.shape[1], np.bool_)
    monkeypatch.setattr(module, "PANEL_SYMBOLS", 3)
    whole = outlooks(liquid, none, LEAST, (1,))[1]
    # eight are cut into three, three and two
    for part in (slice(0, 3), slice(3, 6), slice(6, 8)):
        alone = outlooks(np.ascontiguousarray(liquid[:, part]), none[part], LEAST, (1,))[1]
        for name in ("median", "mean", "filters", "server"):
            np.testing.assert_array_equal(getattr(whole, name)[part], getattr(alone, name))
        np.testing.assert_array_equal(whole.quantiles[:, part], alone.quantiles)
    assert not np.array_equal(whole.median, FOUND[1].median[GOOD:])
