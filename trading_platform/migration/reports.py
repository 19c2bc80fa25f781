"""What plan, run, verify and rollback say of their work: counts by family and reason, with samples."""

from dataclasses import dataclass, field
from typing import Any

SAMPLES = 5


@dataclass(slots=True)
class Count:
    """So many keys and bytes, and the first few by name."""

    keys: int = 0
    size: int = 0
    samples: list[str] = field(default_factory=list)

    def add(self, keys: int, size: int, sample: str) -> None:
        """Count keys."""
        self.keys += keys
        self.size += size
        if len(self.samples) < SAMPLES:
            self.samples.append(sample)

    def facts(self) -> dict[str, Any]:
        """Return the count for JSON."""
        return {"keys": self.keys, "bytes": self.size, "samples": self.samples}


@dataclass(slots=True)
class Tally:
    """Counts by name, in the order of their first key."""

    counts: dict[str, Count] = field(default_factory=dict)

    def add(self, name: str, sample: str, *, keys: int = 1, size: int = 0) -> None:
        """Count keys under a name."""
        self.counts.setdefault(name, Count()).add(keys, size, sample)

    @property
    def keys(self) -> int:
        """Return how many keys were counted."""
        return sum(count.keys for count in self.counts.values())

    def facts(self) -> dict[str, Any]:
        """Return the counts for JSON."""
        return {name: count.facts() for name, count in self.counts.items()}


@dataclass(slots=True)
class PlanReport:
    """Every key of the source, counted once: taken, left, unmatched or in a collision."""

    layout: str
    source: str
    target: str
    file: str
    keys: int = 0
    families: Tally = field(default_factory=Tally)
    left: Tally = field(default_factory=Tally)
    unmatched: Tally = field(default_factory=Tally)
    collisions: Tally = field(default_factory=Tally)
    already_written: int = 0
    expired_meanwhile: int = 0
    pickles: Tally = field(default_factory=Tally)
    warnings: list[str] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Tell whether every key is taken."""
        return not (self.left.keys or self.unmatched.keys or self.collisions.keys)

    def facts(self) -> dict[str, Any]:
        """Return the report for JSON."""
        tallies = ("families", "left", "unmatched", "collisions", "pickles")
        plain = ("layout", "source", "target", "file", "keys", "already_written", "expired_meanwhile", "warnings")
        told = {name: getattr(self, name) for name in plain}
        return {**told, "whole": self.is_whole, **{name: getattr(self, name).facts() for name in tallies}}


@dataclass(slots=True)
class WorkReport:
    """What a run, a check or a rollback did: `done` by what became of keys, `aside` by what was wrong."""

    what: str
    done: Tally = field(default_factory=Tally)
    aside: Tally = field(default_factory=Tally)
    notes: list[str] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Tell whether nothing was wrong."""
        return self.aside.keys == 0

    def facts(self) -> dict[str, Any]:
        """Return the report for JSON."""
        told = {"what": self.what, "whole": self.is_whole, "notes": self.notes}
        return {**told, "done": self.done.facts(), "aside": self.aside.facts()}
