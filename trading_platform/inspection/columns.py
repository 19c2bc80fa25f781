"""How values stand on a printed page: numbers with units, moments, ages, and tables whose columns line up."""

import math
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

UNKNOWN = "-"
_GAP = "  "


def price(value: float | None) -> str:
    """Write a price with two to four decimals, as its instrument is quoted."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    text = f"{value:,.4f}"
    return text[:-2] if text.endswith("00") else text.rstrip("0")


def number(value: float | None, decimals: int = 0) -> str:
    """Write a number with a comma at thousands."""
    return UNKNOWN if value is None or not math.isfinite(value) else f"{value:,.{decimals}f}"


def short(value: Any) -> str:
    """Write any value of a row; floats as short as they are exact."""
    if value is None:
        return UNKNOWN
    if isinstance(value, float):
        return UNKNOWN if not math.isfinite(value) else f"{value:,.12g}"
    if isinstance(value, datetime):
        return f"{value:%H:%M:%S}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def age(seconds: float) -> str:
    """Say how long ago something was."""
    if seconds < 0:
        return f"{-seconds:.1f} s ahead"
    if seconds < 120:
        return f"{seconds:.1f} s ago"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min ago" if hours else f"{minutes} min {rest} s ago"


def clock(moment: datetime, *, fine: bool = False) -> str:
    """Write a moment as a wall shows it, with milliseconds if it is to be fine."""
    return f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03d}" if fine else f"{moment:%H:%M:%S}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, left: frozenset[int] = frozenset()) -> list[str]:
    """Return lines whose columns line up, numbers to the right; `left` are the columns of words."""
    lines = [tuple(head), *(tuple(row) for row in rows)]
    widths = [max(len(line[k]) for line in lines) for k in range(len(head))]
    return [
        _GAP.join(
            cell.ljust(width) if k in left else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]


def under(label: str, lines: Iterable[str], width: int = 10) -> list[str]:
    """Put a label before the first line, and all lines behind it."""
    return [f"{label if at == 0 else '':<{width}}{line}".rstrip() for at, line in enumerate(lines)]
