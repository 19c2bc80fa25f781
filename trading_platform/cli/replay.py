"""`trading-platform replay`: a session from its journal, in this process alone, into files and a digest."""

from pathlib import Path
from typing import Annotated

import orjson
import typer

from trading_platform.batch.replay import ReplayResult, replay_session
from trading_platform.cli.console import say
from trading_platform.cli.journal_folder import journal_place
from trading_platform.cli.output_files import parquet_bytes, write_output
from trading_platform.market.clock import NS_PER_SECOND, elapsed_ns
from trading_platform.storage.record_source import JournalRecords


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("replay")(replay)


def replay(
    journal: Annotated[Path, typer.Argument(help="folder of one session's journal: .../SHARD/YYYYMMDD")],
    out: Annotated[Path, typer.Option(help="folder for bars, indicators, signals and summary")],
    tolerant: Annotated[bool, typer.Option(help="go on behind damaged records; exit 3 when there were any")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print the summary as JSON")] = False,
) -> None:
    """Replay a journal through the pass and write what it gives; the same journal always gives the same digest.

    Example: trading-platform replay data/journal/k1/20260820 --out /tmp/replay

    Exit codes: 0 done; 2 the journal cannot be used (damage, missing content) or --out cannot be written; 3 done, but
    damage was passed over (--tolerant) or the journal ends in the middle of a record.
    """
    place = journal_place(journal)
    records = JournalRecords(place.root, place.shard, place.session, tolerant=tolerant)
    started = elapsed_ns()
    result = replay_session(records, place.session, tolerant=tolerant)
    seconds = (elapsed_ns() - started) / NS_PER_SECOND
    damages = [str(damage) for damage in records.reader.damages]
    if torn := records.reader.torn_tail:
        damages.append(
            f"the last {torn} bytes of the journal are no whole record: its writer was killed, or still writes"
        )
    summary = _summary(result, seconds, damages)
    _write(result, out, summary)
    say(orjson.dumps(summary).decode() if as_json else _told(result, seconds))
    for damage in damages:
        say(damage, error=True)
    raise typer.Exit(3 if damages else 0)


def _write(result: ReplayResult, out: Path, summary: dict[str, object]) -> None:
    for name in ("bars", "indicators", "signals"):
        write_output(out / f"{name}.parquet", parquet_bytes(getattr(result, name)))
    write_output(out / "summary.json", orjson.dumps(summary, option=orjson.OPT_INDENT_2))


def _summary(result: ReplayResult, seconds: float, damages: list[str]) -> dict[str, object]:
    return {
        "session": result.session.isoformat(),
        "digest": result.digest,
        "features_digest": result.features_digest,
        "digests": result.digests,
        "last_record": result.last_record,
        "closed": result.closed,
        "bars": result.bars.height,
        "indicators": result.indicators.height,
        "signals": result.signals.height,
        "counters": result.counters,
        "unplaced": {str(token): why for token, why in result.unplaced.items()},
        "damages": damages,
        "seconds": round(seconds, 3),
        "ticks_per_second": round(result.counters["packets"] / seconds) if seconds else None,
    }


def _told(result: ReplayResult, seconds: float) -> str:
    packets = result.counters["packets"]
    return (
        f"{result.session}  records {result.last_record:,}  ticks {packets:,}  bars {result.bars.height:,}  "
        f"signals {result.signals.height:,}  {seconds:.1f} s ({packets / max(seconds, 1e-9):,.0f} ticks/s)\n"
        f"digest {result.digest}"
    )
