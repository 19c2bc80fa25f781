"""Rules of a legacy layout: which keys one takes, what becomes of them; a table that contradicts itself is refused."""

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from itertools import combinations

from trading_platform.errors import AmbiguousRules
from trading_platform.migration.patterns import Pattern

TYPES = ("string", "hash", "list", "set", "zset", "stream")
"""The types of keys that every Redis 7 has; others belong to modules."""


class Action(StrEnum):
    """What becomes of a key that a rule takes."""

    RENAME = "rename"
    CONVERT = "convert"
    LEAVE = "leave"


class Conversion(StrEnum):
    """How values are decoded and written anew."""

    NUMBERS = "numbers"
    VOLUME_STATE = "volume_state"
    VIX = "vix"


@dataclass(frozen=True, slots=True)
class Rule:
    """One family of keys; `lifetime_seconds` is of converted values alone, None: they do not expire."""

    family: str
    pattern: Pattern
    types: tuple[str, ...]
    action: Action
    why: str
    conversion: Conversion | None = None
    lifetime_seconds: int | None = None

    @property
    def lifetime(self) -> str:
        """Return the lifetime of what is written, for people."""
        if self.action is Action.RENAME:
            return "as in the source"
        if self.action is Action.LEAVE:
            return "nothing is written"
        return "does not expire" if self.lifetime_seconds is None else f"{self.lifetime_seconds} s from the plan on"


@dataclass(frozen=True)
class Layout:
    """The databases of a legacy system and the rules of each."""

    name: str
    databases: Mapping[int, tuple[Rule, ...]]

    def __post_init__(self) -> None:
        """Refuse two rules that one key could fall under, and a family that is named twice."""
        for database, rules in self.databases.items():
            for one, other in combinations(rules, 2):
                if one.pattern.head == other.pattern.head and one.pattern.meets(other.pattern):
                    raise AmbiguousRules(
                        f"layout {self.name}, database {database}: a key may fall under {one.pattern.text!r} and "
                        f"{other.pattern.text!r}; make them differ in a literal"
                    )
        families = [rule.family for rule in self.rules]
        repeated = sorted({family for family in families if families.count(family) > 1})
        if repeated:
            raise AmbiguousRules(f"layout {self.name} names families twice: {', '.join(repeated)}; rename one of each")

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Return all rules."""
        return tuple(rule for rules in self.databases.values() for rule in rules)

    @cached_property
    def by_family(self) -> dict[str, Rule]:
        """Map each family to its rule."""
        return {rule.family: rule for rule in self.rules}

    @cached_property
    def fingerprint(self) -> str:
        """Return a hash of all rules: a plan holds only for the rules that it was made by."""
        told = [(database, dataclasses.astuple(rule)) for database, rules in self.databases.items() for rule in rules]
        return hashlib.sha256(repr((self.name, told)).encode()).hexdigest()

    def rules_for(self, database: int, key: str) -> list[tuple[Rule, tuple[str, ...]]]:
        """Return each rule that takes `key` with what its fields hold: none, one, or a contradiction."""
        candidates = self._by_head.get(database, {}).get(key.partition(":")[0], ())
        return [(rule, fields) for rule in candidates if (fields := rule.pattern.fields(key)) is not None]

    @cached_property
    def _by_head(self) -> dict[int, dict[str, list[Rule]]]:
        found: dict[int, dict[str, list[Rule]]] = {}
        for database, rules in self.databases.items():
            for rule in rules:
                found.setdefault(database, {}).setdefault(rule.pattern.head, []).append(rule)
        return found


def rename(family: str, pattern: str, *types: str) -> Rule:
    """Return a rule that keeps type, value and lifetime under a new name; without `types` any of ours."""
    return Rule(family, Pattern(pattern), types or TYPES, Action.RENAME, "the platform has no home for it")


def convert(family: str, pattern: str, conversion: Conversion, *, lifetime_seconds: int | None, why: str) -> Rule:
    """Return a rule that decodes strings and hashes and writes a hash anew."""
    return Rule(family, Pattern(pattern), ("string", "hash"), Action.CONVERT, why, conversion, lifetime_seconds)


def leave(family: str, pattern: str, why: str) -> Rule:
    """Return a rule that names keys and leaves them where they are."""
    return Rule(family, Pattern(pattern), TYPES, Action.LEAVE, why)


def suffixed(rules: Iterable[Rule], suffix: str) -> tuple[Rule, ...]:
    """Return the rules with longer names of families, for a second database that holds the same shapes."""
    return tuple(dataclasses.replace(rule, family=f"{rule.family}_{suffix}") for rule in rules)
