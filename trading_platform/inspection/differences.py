"""What is recomputed from the journal beside what a store holds: rows by key, values to the bit."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Values = Mapping[str, Any]

ABSENT = "no such row"


@dataclass(frozen=True, slots=True)
class Difference:
    """One value that a store holds otherwise than the journal gives it."""

    store: str
    what: str
    journal: Any
    stored: Any


@dataclass(frozen=True, slots=True)
class Compared:
    """What was compared with one store, and what differs; `told` says how far, or why nothing could be (no rows)."""

    store: str
    told: str
    rows: int | None = None
    differences: tuple[Difference, ...] = ()


def compare_rows(
    store: str,
    name: Callable[[Values], str],
    *,
    key: tuple[str, ...],
    journal: Iterable[Values],
    stored: Iterable[Values],
) -> list[Difference]:
    """Return every value that differs between rows of the same key, and rows that only one side has, or has twice.

    Unknown has to be None in both.
    """
    ours, theirs = _by_key(journal, key), _by_key(stored, key)
    found: list[Difference] = []
    for one in [*ours, *(one for one in theirs if one not in ours)]:
        mine, held = ours.get(one, []), theirs.get(one, [])
        row_name = name((mine or held)[0])
        if len(mine) != len(held):
            found.append(Difference(store, row_name, _count(mine), _count(held)))
        else:
            pairs = zip(mine, held, strict=True)
            found += [difference for pair in pairs for difference in _differing(store, row_name, *pair)]
    return found


def _differing(store: str, row_name: str, mine: Values, held: Values) -> list[Difference]:
    return [
        Difference(store, f"{row_name}: {column}", mine.get(column), held.get(column))
        for column in mine
        if mine[column] != held.get(column)
    ]


def _count(rows: list[Values]) -> str:
    return {0: ABSENT, 1: "a row"}.get(len(rows), f"{len(rows)} rows")


def _by_key(rows: Iterable[Values], key: tuple[str, ...]) -> dict[tuple[Any, ...], list[Values]]:
    found: dict[tuple[Any, ...], list[Values]] = {}
    for row in rows:
        found.setdefault(tuple(row[column] for column in key), []).append(row)
    return found
