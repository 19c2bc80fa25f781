"""Splits and bonuses: dated factors by which past volumes are multiplied and past prices divided; raw data is kept.

A dated table with a source for each row. Rights and dividends do not touch volume and do not belong here.
"""

import csv
import functools
import io
import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from importlib.resources import files

from trading_platform.errors import BadFileError

COLUMNS = ("symbol", "ex_date", "kind", "volume_factor", "source")
KINDS = ("split", "bonus", "consolidation")


@dataclass(frozen=True, slots=True)
class CorporateAction:
    """From `ex_date` on one share of before is `volume_factor` shares."""

    symbol: str
    ex_date: date
    kind: str
    volume_factor: float
    source: str


@dataclass(frozen=True, slots=True)
class CorporateActions:
    """All known actions."""

    rows: tuple[CorporateAction, ...]

    def factor(self, symbol: str, past: date, session: date) -> float:
        """Return what a volume of `past` is multiplied by to compare with `session`, 1.0 without an action between."""
        return math.prod(
            row.volume_factor for row in self.rows if row.symbol == symbol and past < row.ex_date <= session
        )

    def symbols(self, past: date, session: date) -> frozenset[str]:
        """Return whose volumes changed their measure after `past` and up to `session`."""
        return frozenset(row.symbol for row in self.rows if past < row.ex_date <= session)


@functools.cache
def load_corporate_actions() -> CorporateActions:
    """Read the table that is shipped with the package."""
    text = files("trading_platform").joinpath("reference", "corporate_actions.csv").read_text(encoding="utf-8")
    return corporate_actions_from(text, "reference/corporate_actions.csv")


def corporate_actions_from(text: str, name: str) -> CorporateActions:
    """Parse a CSV of COLUMNS; raise BadFileError that names the line of a row that is none."""
    reader = csv.DictReader(io.StringIO(text))
    if tuple(reader.fieldnames or ()) != COLUMNS:
        raise BadFileError(f"{name} has the columns {reader.fieldnames}; it must have {', '.join(COLUMNS)}")
    rows = tuple(_action(row, f"{name} line {reader.line_num}") for row in reader)
    _refuse_repeated(rows, name)
    return CorporateActions(rows)


def _action(row: dict[str, str | None], where: str) -> CorporateAction:
    cells = {column: (row.get(column) or "").strip() for column in COLUMNS}
    if empty := [column for column, cell in cells.items() if not cell]:
        raise BadFileError(f"{where} lacks {', '.join(empty)}")
    if cells["kind"] not in KINDS:
        raise BadFileError(f"{where}: kind {cells['kind']!r} is none of {', '.join(KINDS)}")
    try:
        factor, ex_date = float(cells["volume_factor"]), date.fromisoformat(cells["ex_date"])
    except ValueError as error:
        raise BadFileError(f"{where}: {error}") from error
    if not (math.isfinite(factor) and factor > 0.0):
        raise BadFileError(f"{where}: volume_factor {factor} must be above 0; a 1:1 bonus has 2")
    return CorporateAction(cells["symbol"], ex_date, cells["kind"], factor, cells["source"])


def _refuse_repeated(rows: Iterable[CorporateAction], name: str) -> None:
    seen: set[tuple[str, date, str]] = set()
    for row in rows:
        key = (row.symbol, row.ex_date, row.kind)
        if key in seen:
            raise BadFileError(f"{name} names the {row.kind} of {row.symbol} on {row.ex_date} twice")
        seen.add(key)
