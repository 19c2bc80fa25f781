"""Shapes of legacy keys: a small pattern language with one reading per key, and a proof that two shapes are apart.

A pattern is literal text and fields between colons: `vol:session:{symbol}:{date}`. A symbol may bear its exchange,
`NFO:NIFTY25NOVFUT`, and only then holds a colon; the name of an exchange alone is no symbol. So every key is split in
one way. Symbols begin with a capital or a digit: the lower-case words of a layout are never taken for one.
"""

import re
from dataclasses import dataclass
from functools import cached_property
from itertools import product

from trading_platform.errors import BadKeyPattern
from trading_platform.market.instruments import SEGMENT_CODES

EXCHANGES = (*SEGMENT_CODES, "GLOBAL", "MCXSX", "NSEIX")

_EXCHANGE = f"(?:{'|'.join(EXCHANGES)})"
_NO_EXCHANGE = f"(?!{_EXCHANGE}(?::|$))"
_VIX_WORD = r"(?i:(?:nse?[ _]?)?(?:india[ _]?)?vix)"

ATOMS = {
    "exchange": _EXCHANGE,
    "plain": rf"{_NO_EXCHANGE}[A-Z0-9][A-Z0-9&._ \-]*",
    "index_name": rf"{_NO_EXCHANGE}(?!{_VIX_WORD}(?::|$))[A-Za-z0-9][A-Za-z0-9&._ \-]*",
    "vix_word": _VIX_WORD,
    "token": r"[1-9][0-9]{0,9}",
    "date": r"[0-9]{4}-?[0-9]{2}-?[0-9]{2}",
    "number": r"[0-9]+",
    "resolution": r"(?:[0-9]+(?:m|min|h|d)?)?",
    "word": r"[A-Za-z][A-Za-z0-9_.\-]*",
    "id": r"[^:]+",
    "strike": r"[0-9]+(?:\.[0-9]+)?(?:CE|PE)",
    "literal": r"[A-Za-z0-9_.]+",
}
"""What a field can be, each a text without a colon."""

KINDS: dict[str, tuple[tuple[str, ...], ...]] = {
    "symbol": (("plain",), ("exchange", "plain")),
    "index": (("index_name",), ("exchange", "index_name")),
    "vix": (("vix_word",), ("exchange", "vix_word")),
    **{name: ((name,),) for name in ("token", "date", "number", "resolution", "word", "id", "strike")},
}
"""What a field of a pattern can consist of, as texts between colons."""

REST = "rest"
"""The field that takes all that is left, colons too; only at the end of a pattern."""

APART = frozenset(
    frozenset(pair)
    for pair in (
        ("exchange", "plain"),
        ("exchange", "index_name"),
        ("exchange", "vix_word"),
        ("vix_word", "index_name"),
        ("exchange", "resolution"),
    )
)
"""Pairs of atoms that no text is both of; any other pair counts as overlapping."""

_FIELD = re.compile(r"\{([a-z]+)\}")


@dataclass(frozen=True, slots=True)
class Segment:
    """What stands between two colons: a literal, one atom, or a literal with an atom in it (`atom` is None then)."""

    regex: str
    literal: str | None = None
    atom: str | None = None

    def meets(self, other: "Segment") -> bool:
        """Tell whether a text may be both; True when in doubt."""
        if self.literal is not None and other.literal is not None:
            return self.literal == other.literal
        if self.literal is not None:
            return re.fullmatch(other.regex, self.literal) is not None
        if other.literal is not None:
            return re.fullmatch(self.regex, other.literal) is not None
        if self.atom is None or other.atom is None:
            return True
        return frozenset((self.atom, other.atom)) not in APART


@dataclass(frozen=True)
class Pattern:
    """A shape of keys."""

    text: str

    def __post_init__(self) -> None:
        if self._segments[0][0][0].literal is None:
            raise BadKeyPattern(f"pattern {self.text!r} must begin with a literal: rules are found by it")

    @property
    def head(self) -> str:
        """Return the literal before the first colon."""
        return str(self._segments[0][0][0].literal)

    def fields(self, key: str) -> tuple[str, ...] | None:
        """Return what the fields hold in `key`, a symbol with its exchange; None when it has another shape."""
        found = self._regex.fullmatch(key)
        return found.groups() if found else None

    def meets(self, other: "Pattern") -> bool:
        """Tell whether one key may have both shapes; True when in doubt."""
        return any(
            _meet(mine, theirs, open_ended=(self._open_ended, other._open_ended))
            for mine in self._readings
            for theirs in other._readings
        )

    @cached_property
    def _open_ended(self) -> bool:
        return self.text.endswith(f"{{{REST}}}")

    @cached_property
    def _segments(self) -> tuple[tuple[tuple[Segment, ...], ...], ...]:
        """Return for each part between colons its readings; the open end is left out."""
        parts = self.text.split(":")
        if self._open_ended:
            if parts[-1] != f"{{{REST}}}" or len(parts) == 1:
                raise BadKeyPattern(f"pattern {self.text!r}: {{{REST}}} stands alone behind the last colon")
            parts = parts[:-1]
        return tuple(_parse(part, self.text) for part in parts)

    @cached_property
    def _readings(self) -> tuple[tuple[Segment, ...], ...]:
        return tuple(tuple(one for part in chosen for one in part) for chosen in product(*self._segments))

    @cached_property
    def _regex(self) -> re.Pattern[str]:
        parts = []
        for readings, text in zip(self._segments, self.text.split(":"), strict=False):
            either = "|".join(":".join(one.regex for one in reading) for reading in readings)
            alone = _FIELD.fullmatch(text) is not None
            parts.append(f"({either})" if alone else either)
        return re.compile(":".join([*parts, *([r"(.+)"] if self._open_ended else [])]), re.DOTALL)


def _parse(part: str, pattern: str) -> tuple[tuple[Segment, ...], ...]:
    alone = _FIELD.fullmatch(part)
    if alone:
        return tuple(tuple(Segment(ATOMS[atom], atom=atom) for atom in reading) for reading in _kind(alone[1], pattern))
    if re.fullmatch(ATOMS["literal"], part):
        return ((Segment(re.escape(part), literal=part),),)
    pieces = _FIELD.split(part)
    before, kind, after = pieces if len(pieces) == 3 else ("", "", "")
    atoms = _kind(kind, pattern)
    wrong = [piece for piece in (before, after) if piece and not re.fullmatch(ATOMS["literal"], piece)]
    if wrong or not before + after or atoms != ((kind,),):
        raise BadKeyPattern(f"pattern {pattern!r}: {part!r} must be a word, a field, or a word with one simple field")
    return ((Segment(f"{re.escape(before)}({ATOMS[kind]}){re.escape(after)}"),),)


def _kind(name: str, pattern: str) -> tuple[tuple[str, ...], ...]:
    if name not in KINDS:
        raise BadKeyPattern(f"pattern {pattern!r} has a field of kind {name!r}; known are {', '.join([*KINDS, REST])}")
    return KINDS[name]


def _meet(mine: tuple[Segment, ...], theirs: tuple[Segment, ...], *, open_ended: tuple[bool, bool]) -> bool:
    # an open end takes one part at least
    least, most = len(mine) + open_ended[0], len(theirs) + open_ended[1]
    if (not open_ended[0] and least < most) or (not open_ended[1] and most < least):
        return False
    if not any(open_ended) and least != most:
        return False
    return all(one.meets(other) for one, other in zip(mine, theirs, strict=False))
