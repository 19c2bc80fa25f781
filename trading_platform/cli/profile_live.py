"""What `trading-platform profile --symbol` says of a session that runs: its profile as it stands, and how it came."""

from pathlib import Path
from typing import Any

import orjson

from trading_platform.cli.console import say
from trading_platform.cli.output_files import refuse_output, write_table
from trading_platform.inspection.developing import DevelopingSeen, developing_so_far
from trading_platform.inspection.question import Question
from trading_platform.market.clock import Clock
from trading_platform.settings import settings_without_login
from trading_platform.storage.lake import Lake

TODAY = "today"


def tell_running(symbol: str, session: str | None, out: Path | None, *, as_json: bool) -> None:
    """Write the rows of the developing profile, if a file is named, and say how it stands now."""
    settings = settings_without_login()
    if out is not None:
        refuse_output(settings.journal_dir, out)
    day = str(Clock.wall().today()) if session == TODAY else session
    seen = developing_so_far(settings, Question(symbol, session=day), lake=Lake(settings.lake_dir))
    if out is not None:
        write_table(out, seen.rows)
    told = _told(seen, out)
    say(orjson.dumps(told).decode() if as_json else _sentence(seen, told))


def _told(seen: DevelopingSeen, out: Path | None) -> dict[str, Any]:
    last = seen.rows.row(-1, named=True) if seen.rows.height else {}
    return {
        "symbol": seen.symbol,
        "exchange": seen.exchange,
        "session": str(seen.session),
        "last_received": None if seen.last_received is None else seen.last_received.isoformat(),
        "row_size": seen.row_size,
        "rows": seen.rows.height,
        "reason": seen.reason,
        "out": None if out is None else str(out),
        **{name: last.get(name) for name in seen.rows.columns if name != "end"},
    }


def _sentence(seen: DevelopingSeen, told: dict[str, Any]) -> str:
    until = "nothing was received" if seen.last_received is None else f"up to {seen.last_received:%H:%M:%S}"
    head = f"{seen.exchange}:{seen.symbol} of {seen.session}, {until}"
    if seen.reason is not None:
        return f"{head}: no profile, {seen.reason}"
    balance = f"initial balance {told['ib_low']:g} to {told['ib_high']:g}" if told["ib_low"] is not None else ""
    moved = "" if told["poc_moved"] is None else f", POC moved {told['poc_moved']:+g} since the half hour"
    shifts = "unknown without an ATR" if told["poc_shifts"] is None else str(told["poc_shifts"])
    written = "" if told["out"] is None else f"; {seen.rows.height} ends of bars written to {told['out']}"
    return (
        f"{head}: POC {told['poc']:g}, value area {told['val']:g} to {told['vah']:g} with "
        f"{told['value_area_volume']:,.0f} of {told['volume']:,}, {balance}{moved}, POC shifts {shifts}{written}"
    )
