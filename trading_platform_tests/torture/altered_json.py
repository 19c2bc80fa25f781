"""Good JSON of which some parts are something else, as bytes decide."""

from typing import Any

import orjson

_STRINGS = ("", "x", "2026-07-31", "0001-01-01", "9999-12-31", "|u1", "<f8", "<u4", "continuous", "type", "settings")
_NUMBERS = (0, 1, -1, 255, 256, 2**31, 2**32, 2**53, 2**63 - 1, -(2**63), 2**64 - 1, 0.5, -1e308, 1e-300)
_MOST_CHANGES = 4


class _Choices:
    """Hands out bytes as small numbers, zeros when there are no more."""

    def __init__(self, data: bytes) -> None:
        self._left = iter(data)

    def below(self, limit: int) -> int:
        return next(self._left, 0) % limit if limit else 0


def altered_json(document: bytes, data: bytes) -> bytes:
    """Return the document after one to four changes: a part replaced, removed or added."""
    choices = _Choices(data)
    root = orjson.loads(document)
    for _ in range(1 + choices.below(_MOST_CHANGES)):
        root = _changed(root, choices)
    return orjson.dumps(root)


def _changed(node: Any, choices: _Choices) -> Any:
    """Go down a while, then change what is there."""
    what = choices.below(8)
    if what < 5 and isinstance(node, dict) and node:
        key = sorted(node)[choices.below(len(node))]
        return {**node, key: _changed(node[key], choices)}
    if what < 5 and isinstance(node, list) and node:
        at = choices.below(len(node))
        return [*node[:at], _changed(node[at], choices), *node[at + 1 :]]
    if what == 5 and isinstance(node, dict | list) and node:
        return _without(node, choices)
    if what == 6 and isinstance(node, dict):
        return {**node, _value(0, choices, text=True): _value(2, choices)}
    if what == 6 and isinstance(node, list):
        return [*node, *node, _value(2, choices)]
    return _value(2, choices)


def _without(node: Any, choices: _Choices) -> Any:
    if isinstance(node, list):
        at = choices.below(len(node))
        return [*node[:at], *node[at + 1 :]]
    gone = sorted(node)[choices.below(len(node))]
    return {key: value for key, value in node.items() if key != gone}


def _value(depth: int, choices: _Choices, *, text: bool = False) -> Any:
    kind = 3 if text else choices.below(6 if depth else 4)
    if kind < 2:
        return (None, True, False)[choices.below(3)] if kind == 0 else choices.below(256)
    if kind == 2:
        return _NUMBERS[choices.below(len(_NUMBERS))]
    if kind == 3:
        return _STRINGS[choices.below(len(_STRINGS))]
    values = [_value(depth - 1, choices) for _ in range(choices.below(4))]
    return values if kind == 4 else {f"{number}": value for number, value in enumerate(values)}
