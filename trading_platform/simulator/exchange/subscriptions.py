"""What one websocket has asked for: its text messages, read as Kite reads them."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from trading_platform.wire.kite_packets import Mode

MAX_INSTRUMENTS = 3000
"""Instruments of one socket."""

_MODES = {"ltp": Mode.LTP, "quote": Mode.QUOTE, "full": Mode.FULL}
_PLAIN = ("subscribe", "unsubscribe")  # no set: what a message names need not be hashable
_MAX_TOKEN = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Change:
    """What a message changed: tokens that now show their last tick, and what the client is told went wrong.

    `asked` is the message in a few words: what, in which mode, how many tokens.
    """

    tokens: tuple[int, ...] = ()
    error: str | None = None
    asked: str = "unknown"


class Subscriptions:
    """The tokens of one socket and their modes."""

    def __init__(self, limit: int = MAX_INSTRUMENTS) -> None:
        self._limit = limit
        self._modes: dict[int, Mode] = {}
        self._arrays: tuple[NDArray[np.int64], NDArray[np.uint8]] | None = None

    def __len__(self) -> int:
        return len(self._modes)

    def apply(self, text: str | bytes) -> Change:
        """Take one message; what cannot be read changes nothing, tokens that are no whole numbers are passed over."""
        try:
            message: Any = orjson.loads(text)
        except orjson.JSONDecodeError:
            return Change(error="the message is not JSON")
        action, value = (message.get("a"), message.get("v")) if isinstance(message, dict) else (None, None)
        mode, asked = Mode.QUOTE if action in _PLAIN else None, str(action)
        if action == "mode" and isinstance(value, list) and len(value) == 2 and isinstance(value[0], str):
            mode, value, asked = _MODES.get(value[0]), value[1], f"mode {value[0]}"
        if not isinstance(value, list) or mode is None:
            return Change(error=f"unknown message: {str(message)[:100]}")
        tokens = [one for one in value if type(one) is int and 0 <= one <= _MAX_TOKEN]
        self._arrays = None
        change = self._remove(tokens) if action == "unsubscribe" else self._put(tokens, mode)
        return replace(change, asked=f"{asked} {len(value)}")

    def arrays(self) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        """Return tokens in ascending order, and the mode of each."""
        if self._arrays is None:
            tokens = sorted(self._modes)
            modes = [self._modes[token] for token in tokens]
            self._arrays = np.array(tokens, np.int64), np.array(modes, np.uint8)
        return self._arrays

    def mode_of(self, token: int) -> Mode | None:
        """Return the mode of a token, None when it is not subscribed."""
        return self._modes.get(token)

    def _remove(self, tokens: list[int]) -> Change:
        for token in tokens:
            self._modes.pop(token, None)
        return Change()

    def _put(self, tokens: list[int], mode: Mode) -> Change:
        taken: list[int] = []
        refused = 0
        for token in dict.fromkeys(tokens):
            if token not in self._modes and len(self._modes) >= self._limit:
                refused += 1
                continue
            self._modes[token] = mode
            taken.append(token)
        error = f"{refused} instruments beyond the {self._limit} of a connection are refused" if refused else None
        return Change(tuple(taken), error)
