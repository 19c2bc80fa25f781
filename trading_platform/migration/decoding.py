"""Read legacy values, which may hold anything: text, numbers, JSON, times; pickles are recognised and never loaded."""

import json
import math
import re
from datetime import datetime
from decimal import Decimal
from typing import Any

from trading_platform.errors import UndecodableValue
from trading_platform.market.clock import IST, NS_PER_SECOND, to_ns
from trading_platform.migration.typed_values import TypedValue

_NUMBER = re.compile(r"[+-]?(?=\.?[0-9])[0-9]{0,100}(?:\.[0-9]{0,100})?(?:[eE][+-]?[0-9]{1,4})?")
_UNKNOWN = ("", "none", "null", "nan", "n/a")
_TRUTH = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}
_FIRST_PICKLE_PROTOCOL, _LAST_PICKLE_PROTOCOL = 2, 5

_SCALES = ((10**11, NS_PER_SECOND), (10**14, 1_000_000), (10**17, 1_000))
_MOST = 10**20
_EARLIEST_NS = 1_400_000_000 * NS_PER_SECOND
"""2014: what is dated earlier was never a time stamp of a running system."""


def is_pickle(raw: bytes) -> bool:
    """Tell whether bytes begin as a pickle of a binary protocol does."""
    return len(raw) >= 2 and raw[0] == 0x80 and _FIRST_PICKLE_PROTOCOL <= raw[1] <= _LAST_PICKLE_PROTOCOL


def as_text(raw: bytes) -> str:
    """Return UTF-8 text; raise UndecodableValue for a pickle or other bytes."""
    if is_pickle(raw):
        raise UndecodableValue(f"a pickle of {len(raw)} bytes, which is never loaded")
    try:
        return raw.decode("utf-8").strip()
    except UnicodeDecodeError as error:
        raise UndecodableValue(f"no UTF-8 text: {error.reason} at byte {error.start}") from None


def fields_of(value: TypedValue) -> dict[str, str]:
    """Return a hash, a JSON object, or a bare number as {"value": number}, as texts by name."""
    if value.kind == "hash":
        return {as_text(name): as_text(raw) for name, raw in value.items}
    text = as_text(b"".join(value.items))
    if _NUMBER.fullmatch(text):
        return {"value": text}
    found = _json(text)
    if not isinstance(found, dict):
        raise UndecodableValue(f"JSON of kind {type(found).__name__}, where an object or a number is expected")
    return {name: _shown(one) for name, one in found.items()}


def as_number(text: str, name: str) -> float | None:
    """Return a finite number, None for a word that says unknown; raise UndecodableValue naming the field."""
    if text.lower() in _UNKNOWN:
        return None
    number = float(text) if _NUMBER.fullmatch(text) else math.inf
    if not math.isfinite(number):
        raise UndecodableValue(f"field {name} holds {text[:40]!r}, which is no number")
    return number


def as_whole(text: str, name: str) -> int | None:
    """Return a whole number, None for a word that says unknown; raise UndecodableValue naming the field."""
    if re.fullmatch(r"[+-]?[0-9]{1,18}", text):
        return int(text)
    number = as_number(text, name)
    if number is not None and number != math.floor(number):
        raise UndecodableValue(f"field {name} holds {text[:40]!r}, which is no whole number")
    return None if number is None else int(number)


def as_truth(text: str, name: str) -> bool | None:
    """Return a truth value, None for a word that says unknown; raise UndecodableValue naming the field."""
    if text.lower() in _UNKNOWN:
        return None
    if text.lower() not in _TRUTH:
        raise UndecodableValue(f"field {name} holds {text[:40]!r}, which is neither true nor false")
    return _TRUTH[text.lower()]


def as_moment_ns(text: str) -> int | None:
    """Return nanoseconds since the epoch, None for what is no time or lies before 2014.

    Numbers are seconds, milliseconds, microseconds or nanoseconds by their size. Their processes wrote the local time
    of Indian machines, so a time without a zone is IST.
    """
    if _NUMBER.fullmatch(text):
        number = Decimal(text)  # a float cannot hold nanoseconds since the epoch
        scale = next((scale for below, scale in _SCALES if number < below), 1)
        found = int(number * scale) if number < _MOST else 0
    else:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return None
        found = to_ns(moment if moment.tzinfo else moment.replace(tzinfo=IST))
    return found if _EARLIEST_NS <= found < 2 * _EARLIEST_NS else None


def _json(text: str) -> Any:
    try:
        # their writers let NaN and Infinity through
        return json.loads(text, parse_constant=lambda _: None)
    except RecursionError:
        raise UndecodableValue("JSON that is nested too deeply") from None
    except ValueError as error:
        raise UndecodableValue(f"no JSON: {error}"[:160]) from None


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return value.strip() if isinstance(value, str) else json.dumps(value)
