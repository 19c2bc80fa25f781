"""`trading-platform play`: minute bars, from files or made up, become a journal and a stream of Kite frames."""

import dataclasses
import math
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Self

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from trading_platform.batch.bar_files import BarInput
from trading_platform.cli.bar_report import tell_indices, tell_rejected
from trading_platform.cli.play_inputs import (
    DEFAULT_SESSION,
    SessionInput,
    read_input,
    sessions_of_files,
    synthetic_dates,
    synthetic_sessions,
    warn_of_fno_hours,
)
from trading_platform.cli.play_records import prepare, refuse_existing
from trading_platform.errors import PlatformError, SettingsError
from trading_platform.market.sessions import SessionTable, load_session_table
from trading_platform.settings import Settings, load_settings
from trading_platform.simulator.player import Play, PlaySummary, play_session
from trading_platform.storage.journal import JournalReader, JournalWriter
from trading_platform.storage.redis_manager import RedisManager
from trading_platform.streaming.recorder import Recorder

_REFUSED = 2
_SET_ASIDE = 3
_STOPPED = 130

_HELP = f"""Play minute bars as Kite frames into the journal and Redis, as the feed would have recorded them.

Bars come from --bars, or from the synthetic market with --synthetic. Columns of a file: symbol, ts (start of the
minute; without a zone it is IST), open, high, low, close, volume. A symbol is taken for an index when --index names it
or its name is known (NIFTY 50, INDIA VIX, SENSEX, ...), and without any --index also when it moves and its volume is
zero or absent in every row; what was taken for an index is said on stderr. Each date is a session of its own, played
in order; a session that has a journal already is refused.

All other symbols of a file are played as cash shares without F&O: a file has no derivatives to tell F&O names by. From
3 August 2026 on their hours differ (F&O names go over to the closing auction earlier); that is said on stderr too.

Examples:

    trading-platform play --synthetic --session {DEFAULT_SESSION} --speed 60

    trading-platform play --bars minutes.parquet --shard history

Exit codes: 0 everything was played; 2 refused, nothing or no further session was played; 3 played, but rows of the
files were set aside (each is named on stderr); 130 stopped by the user.
"""


@dataclasses.dataclass(frozen=True, slots=True)
class _Plan:
    """The sessions to play, and what was read of the files they come from."""

    dates: list[date]
    sessions: Iterable[SessionInput]
    found: BarInput | None


def register(app: typer.Typer) -> None:
    """Add the command `play`."""
    app.command("play", help=_HELP)(_command)


def _command(
    *,
    bars: Annotated[
        Path | None, typer.Option("--bars", help="Parquet or CSV file of minute bars, or a folder.")
    ] = None,
    synthetic: Annotated[bool, typer.Option("--synthetic", help="Play the synthetic market.")] = False,
    session: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help=f"Synthetic session, else {DEFAULT_SESSION}.")
    ] = None,
    sessions: Annotated[int, typer.Option(min=1, help="Synthetic sessions up to --session.")] = 1,
    names: Annotated[int, typer.Option(min=1, help="Synthetic names beside index, futures and options.")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="Which synthetic market.")] = 1,
    index: Annotated[list[str] | None, typer.Option("--index", help="Symbol of the files that is an index.")] = None,
    speed: Annotated[
        float | None, typer.Option(help="Simulated seconds per real second; as fast as possible without it.")
    ] = None,
    shard: Annotated[str | None, typer.Option(help="Shard to write, else the one of the settings.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON line a session.")] = False,
) -> None:
    """Play what the options ask for."""
    table = load_session_table()
    try:
        _refuse_contradictions(bars, session, speed, synthetic=synthetic)
        settings = load_settings(**({} if shard is None else {"shard": shard}))
        if bars is not None:
            plan = _plan_files(bars, index or [], table)
        else:
            dates = synthetic_dates(session.date() if session else DEFAULT_SESSION, sessions, table)
            plan = _Plan(dates, synthetic_sessions(dates, seed, names, table=table), None)
        refuse_existing(settings, settings.shard, plan.dates)
        for summary in _play_all(plan, settings, table=table, speed=speed):
            typer.echo(orjson.dumps(dataclasses.asdict(summary)).decode() if as_json else _sentence(summary))
    except PlatformError as error:
        _say(str(error))
        raise typer.Exit(_REFUSED) from None
    except KeyboardInterrupt:
        _say("stopped: the session that was playing ends early in its journal; move that away to play it again")
        raise typer.Exit(_STOPPED) from None
    if plan.found is not None and len(plan.found.rejected):
        tell_rejected(plan.found)
        raise typer.Exit(_SET_ASIDE)


def _refuse_contradictions(
    bars: Path | None, session: datetime | None, speed: float | None, *, synthetic: bool
) -> None:
    if bars is not None and (synthetic or session is not None):
        raise SettingsError("--bars plays the dates of its files; leave --synthetic and --session out")
    if bars is None and not synthetic:
        raise SettingsError("say what to play: --bars FILE for minute bars of a file, or --synthetic for made-up ones")
    if speed is not None and not (math.isfinite(speed) and speed > 0.0):
        raise SettingsError(f"--speed {speed} must be a number above zero; leave it out to play as fast as possible")


def _plan_files(path: Path, indices: list[str], table: SessionTable) -> _Plan:
    found = read_input(path, indices, table)
    tell_indices(found)
    warn_of_fno_hours(found.sessions, table, _say)
    return _Plan(found.sessions, sessions_of_files(found, table), found)


def _play_all(plan: _Plan, settings: Settings, *, table: SessionTable, speed: float | None) -> Iterator[PlaySummary]:
    url = settings.redis_url.get_secret_value() if settings.redis_url else None
    manager = RedisManager(url, settings.valkey_dir)
    try:
        client = manager.connect()
        for warning in manager.report.warnings if manager.report else ():
            _say(f"warning: {warning}")
        for given in plan.sessions:
            play = prepare(given, settings, settings.shard, table=table, client=client, say=_say)
            yield _record(play, settings, manager, speed=speed)
    finally:
        manager.close()


def _record(play: Play, settings: Settings, manager: RedisManager, *, speed: float | None) -> PlaySummary:
    """Play one session into its recorder, the journal closed whatever happens."""
    history = JournalReader(settings.journal_dir, play.shard, play.session)
    with (
        JournalWriter.open(settings.journal_dir, play.shard, play.session) as journal,
        Recorder(journal=journal, history=history, store=manager, shard=play.shard, session=play.session) as recorder,
        _Shown(str(play.session)) as shown,
    ):
        summary = play_session(play, recorder, speed=speed, progress=shown.advance)
        failure = recorder.counters.last_redis_failure
    for why in journal.unpacked:
        _say(f"{play.session}: a segment stays unpacked, it can be read as it is: {why}")
    if failure is not None:
        _say(f"{play.session}: Redis refused for a while, the journal is whole: {failure}")
    return summary


class _Shown:
    """A progress bar on a terminal, nothing elsewhere."""

    def __init__(self, title: str) -> None:
        console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"))
        self._progress = Progress(*columns, TimeElapsedColumn(), console=console, transient=True)
        self._progress.disable = not console.is_terminal
        self._task = self._progress.add_task(title, total=None)

    def advance(self, done: int, total: int) -> None:
        """Show how many simulated seconds of all are played."""
        self._progress.update(self._task, completed=done, total=total)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()


def _sentence(summary: PlaySummary) -> str:
    rate = summary.ticks / summary.seconds if summary.seconds else float("nan")
    return (
        f"{summary.session}: {summary.records} records ({summary.frames} frames, {summary.heartbeats} heartbeats), "
        f"{summary.ticks} ticks of {summary.bars} bars of {summary.instruments} instruments, "
        f"{summary.payload_bytes / 1e6:.1f} MB in {summary.seconds:.1f} s ({rate:,.0f} ticks/s)"
    )


def _say(text: str) -> None:
    typer.echo(text, err=True)
