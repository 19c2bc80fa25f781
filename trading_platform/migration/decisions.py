"""What becomes of one key: the rule that takes it and its new name, or the reason why none does."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from trading_platform.errors import PlatformError, UndecodableValue
from trading_platform.migration.conversions import (
    VIX_FAMILY,
    Converted,
    DumpOf,
    Source,
    convert_numbers,
    convert_vix,
    convert_volume_state,
    vix_is_readable,
)
from trading_platform.migration.rules import TYPES, Action, Conversion, Layout, Rule
from trading_platform.migration.target_keys import SESSION_STATE_SECONDS, target_key

CONVERTED_AT_MOST_BYTES = 1 << 20
"""A state or a baseline is small; what is larger is something else."""

_SHOWN = 160


class Status(StrEnum):
    """What the plan says of a key."""

    TAKE = "take"
    LEAVE = "leave"
    UNMATCHED = "unmatched"
    COLLISION = "collision"


class Reason(StrEnum):
    """Why a key is not taken."""

    DATABASE = "its database is no part of the layout"
    NOT_UTF8 = "its name is no UTF-8"
    NO_RULE = "no rule knows its shape"
    AMBIGUOUS = "several rules take it"
    WRONG_TYPE = "its type is not one that its rule takes"
    MODULE_TYPE = "its type belongs to a module of the source"
    TOO_LARGE = "too large for what its rule decodes"
    FIELD_LIFETIMES = "fields of the hash have lifetimes of their own"
    UNDECODABLE = "its value cannot be decoded"
    NO_INSTRUMENT = "its token cannot be named"
    CONFLICT = "spellings contradict each other"
    LEFT = "its rule leaves it where it is"
    SAME_TARGET = "another key goes to the same place"
    TARGET_EXISTS = "the place is taken, and not by this migration"


def key_name(key: bytes) -> str:
    """Return a key for people and files; bytes that are no UTF-8 are shown as backslash escapes."""
    return key.decode("utf-8", "backslashreplace")


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """What a server says of a key without its value; `expires_ms` is since the epoch, None: it does not expire."""

    database: int
    key: bytes
    kind: str
    expires_ms: int | None
    size: int

    @property
    def name(self) -> str:
        """Return the key for people and files."""
        return key_name(self.key)


@dataclass(frozen=True, slots=True)
class Match:
    """The one rule that takes a key."""

    facts: KeyFacts
    rule: Rule
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PlannedKey:
    """One line of a plan: keys of one database (several only where spellings are merged) and what becomes of them."""

    database: int
    keys: tuple[str, ...]
    kind: str
    size: int
    expires_ms: int | None
    status: Status
    family: str = ""
    target: str = ""
    reason: Reason | None = None
    detail: str = ""


def match(layout: Layout, facts: KeyFacts) -> Match | PlannedKey:
    """Find the rule of a key, or say why it is not taken; the value is not looked at."""
    if facts.database not in layout.databases:
        return set_aside(facts, Reason.DATABASE)
    try:
        found = layout.rules_for(facts.database, facts.key.decode("utf-8"))
    except UnicodeDecodeError:
        return set_aside(facts, Reason.NOT_UTF8)
    if len(found) != 1:
        several = ", ".join(rule.family for rule, _ in found)
        return set_aside(facts, Reason.AMBIGUOUS if found else Reason.NO_RULE, several)
    rule, fields = found[0]
    refusal = _refusal(facts, rule)
    return set_aside(facts, *refusal, rule=rule) if refusal else Match(facts, rule, fields)


def _refusal(facts: KeyFacts, rule: Rule) -> tuple[Reason, str] | None:
    """Return why a rule does not take a key of its shape."""
    if rule.action is Action.LEAVE:
        return Reason.LEFT, rule.why
    if facts.kind not in TYPES:
        return Reason.MODULE_TYPE, f"{facts.kind}: export it with its module's commands"
    if facts.kind not in rule.types:
        return Reason.WRONG_TYPE, f"{facts.kind}, not {' or '.join(rule.types)}"
    if rule.action is Action.CONVERT and facts.size > CONVERTED_AT_MOST_BYTES:
        return Reason.TOO_LARGE, f"{facts.size} bytes"
    return None


def set_aside(facts: KeyFacts, reason: Reason, detail: str = "", *, rule: Rule | None = None) -> PlannedKey:
    """Return the line of a key that is not taken."""
    status = Status.LEAVE if reason is Reason.LEFT else Status.UNMATCHED
    family = rule.family if rule else ""
    return PlannedKey(
        facts.database,
        (facts.name,),
        facts.kind,
        facts.size,
        facts.expires_ms,
        status,
        family=family,
        reason=reason,
        detail=detail[:_SHOWN],
    )


def renamed(layout: Layout, found: Match) -> PlannedKey:
    """Return the line of a key that keeps its value."""
    facts = found.facts
    target = target_key(layout.name, found.rule.family, found.fields)
    return PlannedKey(
        facts.database,
        (facts.name,),
        facts.kind,
        facts.size,
        facts.expires_ms,
        Status.TAKE,
        family=found.rule.family,
        target=target,
    )


def decoded(layout: Layout, found: Match, source: Source, dump_of: DumpOf) -> PlannedKey:
    """Return the line of a key whose value is decoded; all readable spellings of the VIX share their target."""
    rule = found.rule
    try:
        if rule.conversion is Conversion.VIX:
            vix_is_readable(source)
            target = target_key(layout.name, VIX_FAMILY, ())
            return replace(renamed(layout, found), family=VIX_FAMILY, target=target)
        outcome = convert(layout, rule.family, [source], dump_of)
    except PlatformError as error:
        return set_aside(found.facts, reason_of(error), str(error), rule=rule)
    return replace(renamed(layout, found), target=outcome.target(layout.name))


def merged(lines: Sequence[PlannedKey], sources: Sequence[Source]) -> list[PlannedKey]:
    """Return one line for all spellings of the VIX, or one a spelling when they contradict each other."""
    if not lines:
        return []
    try:
        convert_vix(sources)
    except UndecodableValue as error:
        detail = str(error)[:_SHOWN]
        return [
            replace(line, status=Status.UNMATCHED, target="", reason=Reason.CONFLICT, detail=detail) for line in lines
        ]
    keys = tuple(sorted(key for line in lines for key in line.keys))
    kind = "+".join(sorted({line.kind for line in lines}))
    ends = [line.expires_ms for line in lines]
    last = None if None in ends else max(end for end in ends if end is not None)
    return [replace(lines[0], keys=keys, kind=kind, size=sum(line.size for line in lines), expires_ms=last)]


def convert(layout: Layout, family: str, sources: Sequence[Source], dump_of: DumpOf) -> Converted:
    """Convert what one target is made of; raise UndecodableValue, or what the dump of a day raises."""
    if family == VIX_FAMILY:
        return convert_vix(sources)
    if layout.by_family[family].conversion is Conversion.VOLUME_STATE:
        return convert_volume_state(family, sources[0], dump_of)
    return convert_numbers(family, sources[0])


def is_converted(layout: Layout, family: str) -> bool:
    """Tell whether values of a family are decoded."""
    return family == VIX_FAMILY or layout.by_family[family].action is Action.CONVERT


def lifetime_seconds(layout: Layout, family: str) -> int | None:
    """Return the lifetime of converted values, None: they do not expire."""
    return SESSION_STATE_SECONDS if family == VIX_FAMILY else layout.by_family[family].lifetime_seconds


def reason_of(error: PlatformError) -> Reason:
    """Return why a value cannot be converted."""
    return Reason.UNDECODABLE if isinstance(error, UndecodableValue) else Reason.NO_INSTRUMENT
