"""`trading-platform decode`: raw frames of Kite's websocket as JSON lines, and every unread byte named."""

import re
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, TextIO

import numpy as np
import orjson
import typer

from trading_platform.errors import BadFileError
from trading_platform.market.clock import IST
from trading_platform.wire.kite_layout import (
    DEPTH_ROWS,
    FULL_BYTES,
    INDEX_FULL_BYTES,
    INDEX_QUOTE_BYTES,
    LTP_BYTES,
    QUOTE_BYTES,
    DamageKind,
    Mode,
    Segment,
)
from trading_platform.wire.kite_packets import decode
from trading_platform.wire.records import NULL_INT

EXIT_GOOD, EXIT_UNREADABLE_FILE, EXIT_UNREAD_BYTES = 0, 2, 3

_PACKET_SIZES = (LTP_BYTES, INDEX_QUOTE_BYTES, INDEX_FULL_BYTES, QUOTE_BYTES, FULL_BYTES)
_BASE64 = re.compile(rb"[A-Za-z0-9+/\s]{8,}={0,2}\s*")

_HELP = """Print raw frames of Kite's websocket as one JSON line per tick.

One file is one frame, as it came from the socket. Names are those of the official Python client; times are ISO 8601 in
IST, null when the packet says zero. A heartbeat prints nothing.

Example: trading-platform decode frame.bin | jq .last_price

Exit codes: 0 every byte was read; 2 a file cannot be read (the others are still decoded); 3 a byte was not read or a
packet has an unknown length: each is named on stderr, and the good packets around it are printed.
"""


def register(app: typer.Typer) -> None:
    """Add the command `decode`."""
    app.command("decode", help=_HELP)(_command)


def decode_files(files: list[Path], out: TextIO, err: TextIO) -> int:
    """Write the ticks of each file to `out` and what could not be read to `err`; return the exit code."""
    codes = {EXIT_GOOD}
    for file in files:
        try:
            payload = _read(file)
        except BadFileError as error:
            print(error, file=err)
            codes.add(EXIT_UNREADABLE_FILE)
            continue
        if not payload:
            print(f"{file}: empty, not even a heartbeat", file=err)
        ticks, damage = decode(payload)
        out.writelines(orjson.dumps(official_tick(tick)).decode() + "\n" for tick in ticks)
        for row in damage:
            print(f"{file}: {_describe(row)}", file=err)
        if len(damage):
            print(*_hints(file, payload, len(ticks)), sep="", end="", file=err)
            codes.add(EXIT_UNREAD_BYTES)
    return EXIT_UNREADABLE_FILE if EXIT_UNREADABLE_FILE in codes else max(codes)


def official_tick(tick: np.void) -> dict[str, Any]:
    """Return a row of TICK as the official Python client would, but with aware times in IST, None for zero."""
    mode = Mode(int(tick["mode"]))
    fields: dict[str, Any] = {
        "tradable": bool(tick["segment"] != Segment.INDICES),
        "mode": mode.name.lower(),
        "instrument_token": tick["token"].item(),
        "last_price": tick["last_price"].item(),
    }
    if mode == Mode.LTP:
        return fields
    if tick["is_index"]:
        time = {"exchange_timestamp": _time(tick["exchange_time"])} if mode == Mode.FULL else {}
        return fields | _prices(tick) | time
    return fields | _totals(tick) | _prices(tick) | (_full(tick) if mode == Mode.FULL else {})


def _command(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Raw frames, one a file.", show_default=False)],
) -> None:
    raise typer.Exit(decode_files(files, sys.stdout, sys.stderr))


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise BadFileError(
            f"{file}: cannot be read ({error.strerror}); give a file that holds one raw frame"
        ) from error


def _describe(row: np.void) -> str:
    offset, length, packets = int(row["offset"]), int(row["length"]), int(row["packets"])
    match DamageKind(int(row["kind"])):
        case DamageKind.UNKNOWN_LENGTH:
            return f"a packet of unknown length {length} at byte {offset}: skipped"
        case DamageKind.TRUNCATED:
            return f"the frame ends inside a packet: {length} bytes from byte {offset} unread, packets lost: {packets}"
        case DamageKind.TRAILING_BYTES:
            return f"{length} bytes after the last packet, from byte {offset}: unread"
        case DamageKind.MISSING_PACKETS:
            return f"the frame ends at byte {offset} before all announced packets, missing: {packets}"


def _hints(file: Path, payload: bytes, ticks: int) -> list[str]:
    if ticks:
        return []
    if _BASE64.fullmatch(payload):
        return [f"{file}: this is base64 text, not a raw frame; decode it first (base64 -d)\n"]
    if len(payload) in _PACKET_SIZES:
        return [f"{file}: {len(payload)} bytes are the size of a bare packet; a frame begins with count and length\n"]
    return []


def _totals(tick: np.void) -> dict[str, Any]:
    return {
        "last_traded_quantity": tick["last_quantity"].item(),
        "average_traded_price": tick["average_price"].item(),
        "volume_traded": tick["volume"].item(),
        "total_buy_quantity": tick["total_buy_quantity"].item(),
        "total_sell_quantity": tick["total_sell_quantity"].item(),
    }


def _prices(tick: np.void) -> dict[str, Any]:
    last, close = tick["last_price"].item(), tick["close"].item()
    return {
        "ohlc": {name: tick[name].item() for name in ("open", "high", "low", "close")},
        "change": (last - close) * 100 / close if close != 0 else 0,
    }


def _full(tick: np.void) -> dict[str, Any]:
    levels = [
        {"quantity": quantity.item(), "price": price.item(), "orders": orders.item()}
        for quantity, price, orders in zip(
            tick["depth_quantity"], tick["depth_price"], tick["depth_orders"], strict=True
        )
    ]
    return {
        "last_trade_time": _time(tick["last_trade_time"]),
        "oi": tick["open_interest"].item(),
        "oi_day_high": tick["open_interest_day_high"].item(),
        "oi_day_low": tick["open_interest_day_low"].item(),
        "exchange_timestamp": _time(tick["exchange_time"]),
        "depth": {"buy": levels[: DEPTH_ROWS // 2], "sell": levels[DEPTH_ROWS // 2 :]},
    }


def _time(seconds: np.int64) -> datetime | None:
    return None if seconds == NULL_INT else datetime.fromtimestamp(int(seconds), IST)
