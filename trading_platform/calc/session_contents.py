"""What the contents hold that control records name: settings as parameters, lists of tokens; and which were named."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from trading_platform.calc.pass_layout import (
    BREAKOUT_BARS,
    BREAKOUT_MARGIN,
    COOLDOWN,
    CROSS_CLOSES,
    CROSS_RVOL,
    LONG_MINUTES,
    PARAMETERS,
    RUN_1,
    RUN_5,
    SPIKE_RVOL,
    SPIKE_VALUE,
)
from trading_platform.calc.patterns.breakout import MAX_BARS
from trading_platform.calc.volume_baseline import INTERVALS
from trading_platform.errors import EngineError

_SETTINGS = {
    SPIKE_RVOL: "spike_min_rvol",
    SPIKE_VALUE: "spike_min_value_inr",
    BREAKOUT_BARS: "breakout_bars",
    BREAKOUT_MARGIN: "breakout_margin_atr",
    CROSS_CLOSES: "cross_min_closes",
    CROSS_RVOL: "cross_min_rvol",
    COOLDOWN: "cooldown_bars",
}


@dataclass(slots=True)
class Contents:
    """Which contents the session's control records have named so far; a restored pass reads them again."""

    named: dict[str, str] = field(default_factory=dict)  # control type -> sha256
    sockets: dict[int, list[int]] = field(default_factory=dict)  # socket -> its tokens

    def as_meta(self) -> dict[str, Any]:
        """Return what a state file keeps."""
        return {"named": dict(self.named), "sockets": {str(k): v for k, v in self.sockets.items()}}

    def subscribe(self, socket: int, tokens: list[int]) -> None:
        """Note that a socket carries these tokens too, and no other socket does any more."""
        taken = set(tokens)
        held = {each: [token for token in mine if token not in taken] for each, mine in self.sockets.items()}
        self.sockets = {**held, socket: [*held.get(socket, []), *tokens]}

    @classmethod
    def from_meta(cls, meta: Mapping[str, Any]) -> "Contents":
        """Read what a state file kept."""
        return cls(named=dict(meta["named"]), sockets={int(k): list(v) for k, v in meta["sockets"].items()})


def parameters_of(content: bytes) -> NDArray[np.float64]:
    """Return the parameters of the pass that settings say; raise EngineError for settings of another version."""
    settings = _json(content, "settings", dict)
    missing = [name for name in (*_SETTINGS.values(), "pattern_intervals") if name not in settings]
    if missing:
        raise EngineError(f"the journal's settings lack {', '.join(missing)}: they come from another version")
    parameters = np.full(PARAMETERS, np.nan)
    for at, name in _SETTINGS.items():
        if not isinstance(settings[name], int | float):
            raise EngineError(f"the journal's setting {name} is {settings[name]!r}, not a number")
        parameters[at] = float(settings[name])
    if not 1 <= parameters[BREAKOUT_BARS] <= MAX_BARS:
        raise EngineError(f"the journal's breakout_bars is {parameters[BREAKOUT_BARS]:g}; 1 to {MAX_BARS} are kept")
    intervals = settings["pattern_intervals"]
    if not isinstance(intervals, list) or any(each not in INTERVALS for each in intervals):
        raise EngineError(f"the journal's pattern_intervals is {intervals!r}; bars have {INTERVALS} minutes")
    parameters[RUN_1], parameters[RUN_5] = float(1 in intervals), float(LONG_MINUTES in intervals)
    return parameters


def tokens_of(content: bytes) -> list[int]:
    """Return the tokens that a subscribed record names, each once; raise EngineError for anything else."""
    return checked_tokens(_json(content, "list of tokens", list))


def checked_tokens(listed: Any) -> list[int]:
    """Return the tokens of a list, each once; raise EngineError for anything that is none."""
    if not isinstance(listed, list) or not all(type(token) is int and 0 < token < 2**32 for token in listed):
        raise EngineError("a list of tokens holds something that is no instrument token")
    return list(dict.fromkeys(listed))


def _json(content: bytes, what: str, kind: type[Any]) -> Any:
    try:
        parsed = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise EngineError(f"the journal's {what} cannot be read: {error}") from error
    if not isinstance(parsed, kind):
        raise EngineError(f"the journal's {what} is a {type(parsed).__name__}, not a {kind.__name__}")
    return parsed
