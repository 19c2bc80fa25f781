import numpy as np
import pytest

from trading_platform.calc.volume import panel_forecast
from trading_platform.calc.volume.day_profile import common_profile
from trading_platform.calc.volume.panel_forecast import fit_panel, forecast_panel
from trading_platform.calc.volume.robust_kalman import fit_robust, run_robust
from trading_platform_tests.calc.volume.made import made_volumes


def test_the_market_tells_something_of_volumes_that_share_a_surprise() -> None:
    logs = np.log(made_volumes(16, 60, 10, noise=0.5, shared=0.6))
    fit = fit_panel(logs[:, :45])
    with_panel = forecast_panel(fit, logs).one_bin
    alone = run_robust(fit_robust(logs[:, :45], common_profile(logs[:, :45]), around_mean=True), logs).one_bin[:, 45:]
    actual = logs[:, 45:]
    assert np.mean(np.abs(with_panel - actual)) < 0.99 * np.mean(np.abs(alone - actual))


def test_blocks_change_memory_and_not_results(monkeypatch: pytest.MonkeyPatch) -> None:
    logs = np.log(made_volumes(5, 24, 6))
    whole = forecast_panel(fit_panel(logs[:, :20]), logs)
    monkeypatch.setattr(panel_forecast, "BLOCK", 2)
    again = forecast_panel(fit_panel(logs[:, :20]), logs)
    for name in ("one_bin", "day_ahead", "rest"):
        np.testing.assert_allclose(getattr(whole, name), getattr(again, name), rtol=1e-9)
