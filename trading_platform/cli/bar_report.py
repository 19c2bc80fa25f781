"""What commands that read bar files say about them on stderr: the indices found, and the rows that were set aside."""

from trading_platform.batch.bar_files import BarInput
from trading_platform.cli.console import say

_SHOWN_ROWS = 20


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
