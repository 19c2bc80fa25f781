"""`trading-platform forecast`: how well each volume model would have forecast a file of volumes."""

from pathlib import Path
from typing import Annotated

import orjson
import typer

from trading_platform.batch.volume_files import read_volumes
from trading_platform.batch.volume_forecasts import forecast_rows, report_of, run_forecasts
from trading_platform.calc.volume.models import MODELS
from trading_platform.cli.console import say
from trading_platform.cli.output_files import parquet_bytes, write_output
from trading_platform.errors import BadFileError, PlatformError

_UNUSABLE = 2
_SET_ASIDE = 3
_ALL = "all"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("forecast")(forecast)


def forecast(
    volume: Annotated[Path, typer.Option(help="Parquet file of volumes")],
    report: Annotated[Path, typer.Option(help="JSON file to write")],
    train_sessions: Annotated[int, typer.Option(min=10, help="sessions of a symbol before its first forecast")] = 40,
    refit_every: Annotated[int, typer.Option(min=1, help="sessions between fits")] = 5,
    model: Annotated[str, typer.Option(help=f"{_ALL}, or one of {', '.join(MODELS)}")] = _ALL,
    forecasts: Annotated[Path | None, typer.Option(help="Parquet file for every single forecast")] = None,
) -> None:
    """Forecast a file of volumes session by session, each model fitted on the sessions before, and score it.

    Columns of the file: symbol, session (date or ordered integer), bin, volume; or symbol, ts (start of the bar,
    without a zone it is IST), volume, and bins count from the usual first bar of a session.

    Horizons: one_bin uses all bins before of all symbols, day_ahead the sessions before, eod is the volume of the day
    as of a bin (the first one that is not known). What is forecast is the median. `published` is what the engine would
    publish; beside it stand its mean and quantiles, from errors of sessions before. MAPE rewards forecasting low: look
    at the bias, the mean of ln(forecast / actual), beside it.

    Bins without volume have no logarithm: they teach the logarithmic models nothing and count in wMAPE only. A session
    with fewer bins than most (half a day) is forecast bin by bin, its end of day is not.

    Example: trading-platform forecast --volume volumes.parquet --train-sessions 13 --report report.json

    Exit codes: 0 done; 2 the file cannot be used, nothing is written; 3 rows were set aside or something could not be
    forecast: the report names it, the rest is written.
    """
    try:
        wanted = _wanted(model)
        _refuse_outputs(volume, report, forecasts)
        grid = read_volumes(volume)
        run = run_forecasts(grid, wanted, train_sessions=train_sessions, refit_every=refit_every, tell=_tell)
        rows = forecast_rows(run)
        told = report_of(run, rows)
        write_output(report, orjson.dumps(told, option=orjson.OPT_INDENT_2))
        if forecasts is not None:
            write_output(forecasts, parquet_bytes(rows))
    except PlatformError as error:
        say(f"error: {error}", error=True)
        raise typer.Exit(_UNUSABLE) from None
    for name in wanted:
        say(f"{name:14s} {_line('one bin', told['models'][name]['one_bin'])}")
        say(f"{'':14s} {_line('day ahead', told['models'][name]['day_ahead'])}")
    if told["not_forecast"] or told["set_aside"]:
        counts = f"{len(told['not_forecast'])} not forecast, {len(told['set_aside'])} rows set aside"
        say(f"{counts}: {report} names them with their reasons", error=True)
        raise typer.Exit(_SET_ASIDE)


def _wanted(model: str) -> tuple[str, ...]:
    if model == _ALL:
        return MODELS
    if model not in MODELS:
        raise BadFileError(f"no model is called {model}; there are {_ALL}, {', '.join(MODELS)}")
    return (model,)


def _refuse_outputs(volume: Path, report: Path, forecasts: Path | None) -> None:
    outputs = [path.resolve() for path in (report, forecasts) if path is not None]
    if volume.resolve() in outputs or len(set(outputs)) < len(outputs):
        raise BadFileError("--volume, --report and --forecasts must be different files")


def _tell(done: int, everything: int) -> None:
    say(f"{done} of {everything} sessions", error=True)


def _line(horizon: str, scores: dict[str, dict[str, float | None]]) -> str:
    figures = ("mape", "log_mae", "wmape", "bias")
    shown = (f"{name} {_number(scores['mean'][name])}" for name in figures)
    return f"{horizon:9s} {'  '.join(shown)}"


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4f}"
