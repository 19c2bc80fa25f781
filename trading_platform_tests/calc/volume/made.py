"""Volumes made from the model itself, so that what is found can be compared with what was put in."""

import numpy as np
from numpy.typing import NDArray


def made_volumes(
    symbols: int, sessions: int, bins: int, *, seed: int = 1, noise: float = 0.25, shared: float = 0.25
) -> NDArray[np.float64]:
    """Volumes (symbols, sessions, bins) with a day shape, a level, a deviation and a surprise that all share."""
    random = np.random.default_rng(seed)
    shape = 0.6 * np.cos(np.linspace(0.0, 2.0 * np.pi, bins))
    level = np.zeros((symbols, sessions))
    deviation = np.zeros((symbols, sessions, bins))
    market = shared * random.standard_normal((sessions, bins))
    own = 0.2 * random.standard_normal((symbols, sessions, bins))
    for session in range(sessions):
        before = level[:, session - 1] if session else np.zeros(symbols)
        level[:, session] = 0.7 * before + 0.2 * random.standard_normal(symbols)
    flat, steps = deviation.reshape(symbols, -1), (own + market).reshape(symbols, -1)
    for at in range(1, flat.shape[1]):
        flat[:, at] = 0.6 * flat[:, at - 1] + steps[:, at]
    size = random.uniform(8.0, 12.0, symbols)[:, None, None]
    logs = size + shape + level[:, :, None] + deviation + noise * random.standard_normal(deviation.shape)
    return np.round(np.exp(logs))
