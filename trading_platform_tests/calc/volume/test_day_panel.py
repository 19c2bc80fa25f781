import numpy as np
from numpy.typing import NDArray

from trading_platform.calc.volume.day_panel import panel_day_ahead
from trading_platform.calc.volume.panel_forecast import fit_panel, forecast_panel
from trading_platform_tests.calc.volume.made import made_volumes

SYMBOLS, SESSIONS, BINS, KNOWN = 5, 13, 26, 12
LOGS = np.log(made_volumes(SYMBOLS, SESSIONS, BINS))


def _drawn_in(day: NDArray[np.float64]) -> NDArray[np.float64]:
    """Median polish of one symbol (sessions, bins) in three sweeps; what is left is drawn in to three deviations."""
    left = day - np.median(day)
    for _ in range(3):
        left = left - np.median(left, axis=0)
        left = left - np.median(left, axis=1)[:, None]
    spread = 3.0 * 1.4826 * np.median(np.abs(left))
    return day - left + np.clip(left, -spread, spread)


def _profile(day: NDArray[np.float64], common: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bin means of one symbol, drawn to a smooth of their own around what is common, by how much bins truly differ."""
    level = np.median(day, axis=1)
    for _ in range(3):
        own = np.mean(day - level[:, None], axis=0)
        own = own - own.mean()
        level = np.mean(day - own, axis=1)
    noise = np.var(day - level[:, None] - own)
    at, width = np.arange(len(own)), len(own) / 25.0
    smooth = np.empty(len(own))
    for bin_ in at:
        near = np.exp(-0.5 * ((at - bin_) / width) ** 2)
        smooth[bin_] = common[bin_] + np.average(own - common, weights=near)
    true = max(np.mean((own - smooth) ** 2) - noise / len(day), 0.0)
    return smooth + true / (true + noise / len(day)) * (own - smooth)


def _plainly(logs: NDArray[np.float64], known: int) -> NDArray[np.float64]:
    """Forecast the session behind the first `known`, symbol by symbol: what the panel says, written without arrays."""
    past = logs[:, :known]
    common = np.mean([np.median(one - np.median(one, axis=1)[:, None], axis=0) for one in past], axis=0)
    drawn = [_drawn_in(one) for one in past]
    profiles = [_profile(one, common) for one in drawn]
    residuals = [one - profile for one, profile in zip(drawn, profiles, strict=True)]
    levels = [np.median(one, axis=1) for one in residuals]

    def usual(row: int, session: int, back: int = 20) -> float:
        return float(np.mean(levels[row][max(session - back, 0) : session]))

    def features(row: int, session: int, bin_: int) -> list[float]:
        # yesterday's move, the week's, that of its last quarter, that of all others, and of this bin
        yesterday = session - 1
        moved = [one[yesterday] - usual(k, yesterday) if yesterday else 0.0 for k, one in enumerate(levels)]
        late = np.median(residuals[row][yesterday, -(BINS // 4) :]) - levels[row][yesterday]
        others = (sum(moved) - moved[row]) / (SYMBOLS - 1 + 3.0)
        own_bin = residuals[row][yesterday, bin_] - levels[row][yesterday]
        return [1.0, moved[row], usual(row, session, 5) - usual(row, session), late, others, own_bin]

    design, target = [], []
    for row in range(SYMBOLS):
        cells = [(session, bin_) for session in range(known // 4, known) for bin_ in range(BINS)]
        missed = np.array([residuals[row][cell] - usual(row, cell[0]) for cell in cells])
        most = 2.0 * 1.4826 * np.median(np.abs(missed))
        design += [features(row, *cell) for cell in cells]
        target += np.clip(missed, -most, most).tolist()
    columns = np.array(design)
    penalty = 30.0 * np.diag(np.r_[0.0, np.var(columns[:, 1:], axis=0)])
    weights = np.linalg.solve(columns.T @ columns + penalty, columns.T @ np.array(target))
    return np.array(
        [
            [weights @ features(row, known, bin_) + usual(row, known) + profiles[row][bin_] for bin_ in range(BINS)]
            for row in range(SYMBOLS)
        ]
    )


def test_the_forecast_is_that_of_plain_loops() -> None:
    np.testing.assert_allclose(panel_day_ahead(LOGS[:, :KNOWN], KNOWN)[:, 0], _plainly(LOGS, KNOWN), rtol=1e-9)


def test_it_is_what_the_whole_panel_says_of_the_day() -> None:
    holed = LOGS.copy()
    holed[np.random.default_rng(2).random(LOGS.shape) < 0.1] = np.nan
    whole = forecast_panel(fit_panel(holed[:, :9]), holed)
    alone = panel_day_ahead(holed, 9)
    assert alone.shape == (SYMBOLS, SESSIONS - 9 + 1, BINS)
    np.testing.assert_allclose(alone[:, :-1], whole.day_ahead, rtol=1e-12)


def test_a_session_is_forecast_from_those_before_it() -> None:
    noisy = LOGS.copy()
    noisy[:, 11:] = np.random.default_rng(4).uniform(0.0, 20.0, noisy[:, 11:].shape)
    first, other = panel_day_ahead(LOGS, 9), panel_day_ahead(noisy, 9)
    np.testing.assert_array_equal(first[:, :3], other[:, :3])
    assert not np.allclose(first[:, 3], other[:, 3])
