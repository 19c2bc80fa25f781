"""`trading-platform simulate`: a Kite exchange on loopback that trades a synthetic session or bars of files."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from trading_platform.cli.console import say
from trading_platform.cli.simulate_inputs import PlantOption, Trade, make_offer
from trading_platform.errors import SettingsError
from trading_platform.market.clock import IST
from trading_platform.simulator.exchange.accounts import Credentials
from trading_platform.simulator.exchange.server import Addresses, Exchange, Options
from trading_platform.simulator.exchange.stream import Pace
from trading_platform.simulator.frames import MAX_PACKETS

_USUAL = Credentials()
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("simulate")(simulate)


def simulate(
    *,
    synthetic: Annotated[bool, typer.Option("--synthetic", help="trade the synthetic market")] = False,
    bars: Annotated[Path | None, typer.Option("--bars", help="trade minute bars of this file or folder")] = None,
    session: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="the date that is traded; of files the first, else")
    ] = None,
    names: Annotated[int, typer.Option(min=1, help="synthetic names beside index, futures and options")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="which synthetic market")] = 1,
    index: Annotated[list[str] | None, typer.Option("--index", help="symbol of the files that is an index")] = None,
    minutes: Annotated[int | None, typer.Option(min=1, help="trade only so many minutes from the first bar")] = None,
    past: Annotated[int, typer.Option(min=0, help="earlier synthetic sessions that historical candles know")] = 5,
    plant: Annotated[list[str] | None, typer.Option("--plant", help=PlantOption.HELP)] = None,
    speed: Annotated[float, typer.Option(help="simulated seconds per real second")] = 1.0,
    at: Annotated[
        datetime | None, typer.Option(formats=["%H:%M"], help="where the clock begins; a minute before the open")
    ] = None,
    tell_time: Annotated[
        bool, typer.Option("--tell-time", help="say in a ping before each message which moment it belongs to")
    ] = False,
    hold: Annotated[bool, typer.Option("--hold", help="let the clock stand until a client subscribes")] = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="of REST; 0 takes any")] = 0,
    ws_port: Annotated[int, typer.Option(min=0, max=65535, help="of the websocket; 0 takes any")] = 0,
    packets_per_second: Annotated[
        int | None, typer.Option(min=1, max=100, help="of each instrument; what its bars give when left out")
    ] = None,
    packets_per_frame: Annotated[int, typer.Option(min=1, max=3000, help="at most")] = MAX_PACKETS,
    yesterday: Annotated[bool, typer.Option(help="before its first tick an instrument shows yesterday's")] = False,
    keep_sent: Annotated[Path | None, typer.Option(help="folder for a file of every message sent")] = None,
    api_key: Annotated[str, typer.Option(help="that clients use")] = _USUAL.api_key,
    api_secret: Annotated[str, typer.Option(help="of the key")] = _USUAL.api_secret,
    request_token: Annotated[str, typer.Option(help="that can be exchanged")] = _USUAL.request_token,
    access_token: Annotated[
        str | None, typer.Option(help="valid from the start; empty for none")
    ] = _USUAL.access_token,
) -> None:
    """Trade one session as Kite would show it: REST calls and the websocket of the official clients.

    Example: trading-platform simulate --synthetic --session 2026-07-31 --names 50 --speed 10 --hold

    It prints its addresses, one a line, and serves until SIGTERM or SIGINT.

    Exit codes: 0 asked to stop, 2 refused (the message says why).
    """
    if synthetic == (bars is not None):
        raise SettingsError("choose what to trade: --synthetic or --bars FILE, one of them")
    trade = Trade(
        bars=bars,
        session=None if session is None else session.date(),
        names=names,
        seed=seed,
        indices=tuple(index or ()),
        minutes=minutes,
        past=past,
        plants=tuple(plant or ()),
    )
    offer = make_offer(trade)
    options = Options(
        port=port,
        websocket_port=ws_port,
        speed=speed,
        held=hold,
        at_second=None if at is None else int(datetime.combine(offer.day.session, at.time(), IST).timestamp()),
        credentials=Credentials(api_key, api_secret, request_token, access_token or None),
        pace=Pace(packets_per_second, packets_per_frame, offer.yesterday_second if yesterday else None, tell_time),
        keep_sent=keep_sent,
    )
    exchange = Exchange(offer, options)
    with _stopped_by_signals(exchange):
        exchange.run(_announce)


@contextmanager
def _stopped_by_signals(exchange: Exchange) -> Iterator[None]:
    def stop(_number: int, _frame: FrameType | None) -> None:
        exchange.stop()

    before = {number: signal.signal(number, stop) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _announce(addresses: Addresses) -> None:
    say(f"rest {addresses.rest}")
    say(f"websocket {addresses.websocket}")
