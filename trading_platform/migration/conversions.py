"""Decode values of a family and write them anew, as a hash of texts: numbers, volume state by token, the one VIX."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from trading_platform.errors import InstrumentError, UndecodableValue
from trading_platform.market.instruments import InstrumentDay
from trading_platform.migration.decoding import as_moment_ns, as_number, as_truth, as_whole, fields_of
from trading_platform.migration.target_keys import target_key
from trading_platform.migration.typed_values import TypedValue

DumpOf = Callable[[date], InstrumentDay]
"""Where the instruments of a past day come from; raises a PlatformError when there is no dump of it."""

VIX_FAMILY = "india_vix"

NUMBER_FIELDS = (
    "value",
    "baseline_1min",
    "avg_volume_20d",
    "avg_volume_55d",
    "avg_price_20d",
    "avg_price_55d",
    "fno_adjustment",
)
TRUTH_FIELDS = ("is_fno", "turtle_ready")

_VIX_VALUES = ("last_price", "ltp", "value", "price", "close")
_VIX_MOMENTS = ("exchange_timestamp", "timestamp", "last_update", "last_updated", "updated_at", "ts")


@dataclass(frozen=True, slots=True)
class Source:
    """One legacy key with what the fields of its rule hold and its value."""

    key: str
    fields: tuple[str, ...]
    value: TypedValue


@dataclass(frozen=True, slots=True)
class Converted:
    """What is written instead: under which family and fields, which texts."""

    family: str
    fields: tuple[str, ...]
    content: Mapping[str, str]

    def target(self, layout: str) -> str:
        """Return the key under which it is written."""
        return target_key(layout, self.family, self.fields)

    def value(self) -> TypedValue:
        """Return the hash as it is written."""
        return TypedValue("hash", [(name.encode(), text.encode()) for name, text in sorted(self.content.items())])


def convert_numbers(family: str, source: Source) -> Converted:
    """Decode the numbers that are known by name and keep other fields as text; unknown ones are left out."""
    content: dict[str, str] = {}
    for name, text in fields_of(source.value).items():
        known: float | bool | str | None
        if name in NUMBER_FIELDS:
            known = as_number(text, name)
        else:
            known = as_truth(text, name) if name in TRUTH_FIELDS else text
        if known is not None:
            content[name] = str(int(known)) if isinstance(known, bool) else str(known)
    if not content:
        raise UndecodableValue("no field with a known value")
    return Converted(family, source.fields, content)


def convert_volume_state(family: str, source: Source, dump_of: DumpOf) -> Converted:
    """Name the instrument of a token by the dump of the state's own day."""
    found = fields_of(source.value)
    session = _session(found)
    token = int(source.fields[0])
    instrument = dump_of(session).with_token(token)
    volume = as_whole(found.get("last_cumulative", ""), "last_cumulative")
    if volume is None or volume < 0:
        raise UndecodableValue("field last_cumulative holds no volume")
    content = {name: text for name, text in found.items() if text}
    content |= {
        "instrument_token": str(token),
        "last_cumulative": str(volume),
        "session_date": session.isoformat(),
    }
    return Converted(family, (instrument.key, session.isoformat()), content)


def convert_vix(sources: Sequence[Source]) -> Converted:
    """Merge all spellings: the newest by its own time stamp stays; without one, they have to be equal.

    Raise UndecodableValue when two values contradict each other and no time stamp decides.
    """
    read = [(*_vix_of(source), source.key) for source in sources]
    dated = [(moment, value, key) for value, moment, key in read if moment is not None]
    newest = max((moment for moment, _, _ in dated), default=None)
    kept = [(value, key) for moment, value, key in dated if moment == newest] or [
        (value, key) for value, _, key in read
    ]
    if len({value for value, _ in kept}) > 1:
        told = ", ".join(f"{key} = {value}" for value, key in sorted(kept, key=lambda one: one[1]))
        raise UndecodableValue(f"no time stamp decides between {told}")
    value, key = min(kept, key=lambda one: one[1])
    content = {"value": str(value), "taken_from": key}
    return Converted(VIX_FAMILY, (), content | ({"as_of_ns": str(newest)} if newest is not None else {}))


def vix_is_readable(source: Source) -> None:
    """Raise UndecodableValue when one spelling holds no value."""
    _vix_of(source)


def _vix_of(source: Source) -> tuple[float, int | None]:
    found = fields_of(source.value)
    name = next((name for name in _VIX_VALUES if name in found), None)
    value = as_number(found[name], name) if name else None
    if value is None or value <= 0:
        raise UndecodableValue(f"no positive number in any of the fields {', '.join(_VIX_VALUES)}")
    moments = (as_moment_ns(found[name]) for name in _VIX_MOMENTS if name in found)
    return value, next((moment for moment in moments if moment is not None), None)


def _session(found: Mapping[str, str]) -> date:
    text = found.get("session_date", "")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InstrumentError(
            f"session_date is {text[:20]!r}, no date: which day's dump knows the token cannot be told"
        ) from None
