"""What a check has found: how bad it is, what it says, what to do, and the figures behind it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

Figure = float | int | None
Figures = Mapping[str, Figure | Mapping[str, Figure]]
"""By name, where it makes sense once more by what it is of; None is unknown. What ends in `_total` only ever grows."""


class Level(IntEnum):
    """How bad it is; the number is the exit code of the command."""

    GREEN = 0
    DEGRADED = 1
    RED = 2

    @property
    def word(self) -> str:
        """Return the name as it is shown."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Finding:
    """The answer of one check."""

    name: str
    level: Level
    says: str
    advice: str | None = None
    figures: Figures = field(default_factory=dict)


def worst(findings: Iterable[Finding]) -> Level:
    """Return the level of the whole: that of the worst finding."""
    return max((finding.level for finding in findings), default=Level.GREEN)
