"""How commands read bar files, and what they say about them on stderr: indices found, rows that were set aside."""

from collections.abc import Sequence
from pathlib import Path

from trading_platform.batch.bar_files import BarInput, read_bars
from trading_platform.cli.console import say
from trading_platform.errors import BadFileError
from trading_platform.market.sessions import SessionTable

_SHOWN_ROWS = 20


def usable_bars(bars: Path, indices: Sequence[str] | None, table: SessionTable) -> BarInput:
    """Read a file or folder of minute bars, telling what it holds; raise BadFileError when none can be used."""
    found = read_bars(bars, indices=list(indices or ()), table=table)
    tell_indices(found)
    tell_rejected(found)
    if found.bars.is_empty():
        raise BadFileError(f"{bars} holds no bar that can be used ({len(found.rejected)} rows are broken)")
    return found


def tell_indices(found: BarInput) -> None:
    """Say which symbols were taken for indices, and why."""
    for why in sorted(set(found.indices.values())):
        symbols = ", ".join(symbol for symbol, reason in found.indices.items() if reason == why)
        say(f"taken for indices ({why}): {symbols}", error=True)


def tell_rejected(found: BarInput) -> None:
    """Count the rows that were set aside by reason, and name the first of them."""
    rejected = found.rejected
    if rejected.is_empty():
        return
    counts = rejected.group_by("reason").len().sort("reason")
    told = "; ".join(f"{reason}: {count}" for reason, count in counts.iter_rows())
    say(f"{len(rejected)} rows set aside ({told})", error=True)
    for file, row, symbol, ts, reason in rejected.head(_SHOWN_ROWS).iter_rows():
        say(f"{file} row {row}: {symbol} {ts}: {reason}", error=True)
    if len(rejected) > _SHOWN_ROWS:
        say(f"and {len(rejected) - _SHOWN_ROWS} more", error=True)
