import numpy as np
import pytest

from trading_platform.calc.bar_vwap import BAR_VWAP_FIELDS, bar_vwap_scan

NAN = np.nan


def scan(volume: list[float], session: list[int]) -> list[float]:
    line = np.arange(1.0, len(volume) + 1.0) * 10
    return bar_vwap_scan(
        np.zeros(BAR_VWAP_FIELDS), line + 2, line - 2, line, np.array(volume), np.array(session)
    ).tolist()


def test_it_weighs_by_volume_and_begins_anew_each_session() -> None:
    assert scan([1.0, 3.0, 5.0], [1, 1, 2]) == pytest.approx([10.0, 17.5, 30.0])


def test_it_is_unknown_before_anything_was_traded_and_where_volume_is() -> None:
    assert scan([0.0, 2.0, NAN, 2.0], [1, 1, 1, 1]) == pytest.approx([NAN, 20.0, NAN, 30.0], nan_ok=True)
    assert scan([NAN, NAN], [1, 2]) == pytest.approx([NAN, NAN], nan_ok=True)
