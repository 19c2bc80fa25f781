"""The decode command prints what the official client returns, and names every byte that it could not read."""

import base64
import io
import json
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from trading_platform.cli.decode import decode_files, official_tick, register
from trading_platform.wire.kite_packets import decode
from trading_platform_tests.wire.official_client import DATA, frame, packets, parse, words

QUOTE = words(408065, 157315, 1, 157033, 1175986, 256511, 360503, 156915, 157500, 156105, 156780)
FULL = QUOTE + words(1625461887, 11, 13, 7, 1625461888) + (words(5, 157340) + bytes([0, 1, 0, 0])) * 10
INDEX = words(256265, 2340685, 2344195, 2329595, 2334445, 2326485, 14200, 1718176569)
LTP = words(408065, 157315)
TIMES = ("last_trade_time", "exchange_timestamp")


def run(tmp_path: Path, *payloads: bytes) -> tuple[int, list[dict[str, Any]], list[str]]:
    files = [tmp_path / f"{number}.bin" for number in range(len(payloads))]
    for file, payload in zip(files, payloads, strict=True):
        file.write_bytes(payload)
    out, err = io.StringIO(), io.StringIO()
    code = decode_files(files, out, err)
    return code, [json.loads(line) for line in out.getvalue().splitlines()], err.getvalue().splitlines()


def as_json(tick: dict[str, Any]) -> dict[str, Any]:
    """Return the official client's tick with the one change of the command: aware times, null for zero."""
    times = {}
    for name in set(TIMES) & set(tick):
        seconds = tick[name].timestamp()
        times[name] = datetime.fromtimestamp(seconds, ZoneInfo("Asia/Kolkata")).isoformat() if seconds else None
    return tick | times


def has_sign(tick: dict[str, Any]) -> bool:
    prices = [tick["last_price"], tick.get("average_traded_price", 0), *tick.get("ohlc", {}).values()]
    depth = tick.get("depth", {"buy": [], "sell": []})
    divisor = {3: 1e7, 6: 1e4, 12: 1e4}.get(tick["instrument_token"] % 256, 100)
    return any(price * divisor >= 2**31 for price in [*prices, *(x["price"] for x in depth["buy"] + depth["sell"])])


@pytest.mark.parametrize("body", [FULL, QUOTE, LTP, INDEX, INDEX[:28], INDEX[:8], QUOTE[:40] + words(0)])
def test_a_line_is_the_official_clients_tick(tmp_path: Path, body: bytes) -> None:
    code, lines, errors = run(tmp_path, frame(body))
    assert lines == [as_json(tick) for tick in parse(frame(body))]
    assert (code, errors) == (0, [])


def test_recorded_frames_print_the_official_clients_ticks(tmp_path: Path) -> None:
    payloads = [file.read_bytes() for file in sorted((DATA / "kite-vectors").glob("*.bin"))]
    code, lines, errors = run(tmp_path, *payloads)
    assert lines == [as_json(tick) for payload in payloads for tick in parse(payload)]
    assert (code, errors) == (0, [])


@settings(deadline=None)
@given(st.lists(packets(), max_size=5))
def test_any_tick_has_the_official_fields(bodies: list[bytes]) -> None:
    payload = frame(*bodies)
    for ours, official in zip(map(official_tick, decode(payload)[0]), parse(payload), strict=True):
        assert list(ours) == list(official)
        if not has_sign(official):
            assert json.loads(json.dumps(ours, default=datetime.isoformat)) == as_json(official)


def test_times_are_ist_and_null_when_zero(tmp_path: Path) -> None:
    lines = run(tmp_path, frame(FULL, FULL[:44] + words(0, 0, 0, 0, 0) + FULL[64:], INDEX[:28] + words(0)))[1]
    assert lines[0]["last_trade_time"] == "2021-07-05T10:41:27+05:30"
    assert lines[0]["exchange_timestamp"] == "2021-07-05T10:41:28+05:30"
    assert [line["exchange_timestamp"] for line in lines[1:]] == [None, None]
    assert lines[1]["last_trade_time"] is None


@pytest.mark.parametrize("payload", [b"\x00", b"\x00\x00"])
def test_a_heartbeat_prints_nothing(tmp_path: Path, payload: bytes) -> None:
    assert run(tmp_path, payload) == (0, [], [])


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        (frame(LTP, bytes(164), INDEX[:8]), "unknown length 164 at byte 14"),
        (frame(LTP, INDEX[:8], LTP)[:-3], "7 bytes from byte 22 unread, packets lost: 1"),
        (frame(LTP, INDEX[:8]) + b"abc", "3 bytes after the last packet, from byte 22"),
        (frame(LTP, INDEX[:8], count=4), "ends at byte 22 before all announced packets, missing: 2"),
    ],
)
def test_what_cannot_be_read_is_named_and_good_packets_are_printed(tmp_path: Path, payload: bytes, says: str) -> None:
    code, lines, errors = run(tmp_path, payload)
    assert [line["last_price"] for line in lines] == [1573.15, 23406.85]
    assert (code, len(errors)) == (3, 1)
    assert errors[0].startswith(f"{tmp_path / '0.bin'}: ")
    assert says in errors[0]


def test_a_file_that_cannot_be_read_does_not_stop_the_others(tmp_path: Path) -> None:
    damaged, good = tmp_path / "damaged", tmp_path / "good"
    damaged.write_bytes(frame(LTP) + b"a")
    good.write_bytes(frame(LTP))
    out, err = io.StringIO(), io.StringIO()
    assert decode_files([tmp_path / "absent", tmp_path, damaged, good], out, err) == 2
    absent, folder, unread = err.getvalue().splitlines()
    assert "absent: cannot be read (No such file" in absent
    assert f"{tmp_path}: cannot be read" in folder
    assert "damaged: 1 bytes after" in unread
    assert len(out.getvalue().splitlines()) == 2


def test_an_empty_file_is_said_to_be_empty(tmp_path: Path) -> None:
    code, lines, errors = run(tmp_path, b"")
    assert (code, lines) == (0, [])
    assert errors == [f"{tmp_path / '0.bin'}: empty, not even a heartbeat"]


@pytest.mark.parametrize("text", [base64.b64encode(FULL), base64.encodebytes(QUOTE)])
def test_base64_is_recognised(tmp_path: Path, text: bytes) -> None:
    code, lines, errors = run(tmp_path, text)
    assert (code, lines) == (3, [])
    assert "base64 text, not a raw frame" in errors[-1]


@pytest.mark.parametrize("body", [FULL, QUOTE, LTP, INDEX])
def test_a_packet_without_its_frame_is_recognised(tmp_path: Path, body: bytes) -> None:
    code, lines, errors = run(tmp_path, body)
    assert (code, lines) == (3, [])
    assert "bare packet" in errors[-1]


def test_recorded_mocks_are_not_frames(tmp_path: Path) -> None:
    for file in (DATA / "kite-mocks").glob("*.packet"):
        code, lines, errors = run(tmp_path, file.read_bytes())
        assert (code, lines) == (3, [])
        assert "base64 text" in errors[-1]


def test_the_command_prints_and_exits(tmp_path: Path) -> None:
    app = typer.Typer()
    app.callback()(lambda: None)
    register(app)
    (tmp_path / "frame.bin").write_bytes(frame(LTP, b"odd"))
    ran = CliRunner().invoke(app, ["decode", str(tmp_path / "frame.bin")])
    assert (ran.exit_code, json.loads(ran.stdout)["last_price"]) == (3, 1573.15)
    assert "unknown length 3" in ran.stderr
    told = CliRunner().invoke(app, ["decode", "--help"]).stdout
    for word in ("Example", "Exit codes", "heartbeat"):
        assert word in told


@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
def test_times_do_not_depend_on_the_zone_of_the_machine(tmp_path: Path, zone: str) -> None:
    (tmp_path / "frame.bin").write_bytes(frame(INDEX))
    program = (
        "import sys; from pathlib import Path; from trading_platform.cli.decode import decode_files\n"
        f"sys.exit(decode_files([Path({str(tmp_path / 'frame.bin')!r})], sys.stdout, sys.stderr))"
    )
    root = Path(__file__).parents[2]
    ran = subprocess.run(
        ["/usr/bin/env", f"TZ={zone}", sys.executable, "-c", program], cwd=root, capture_output=True, check=True
    )
    assert json.loads(ran.stdout)["exchange_timestamp"] == "2024-06-12T12:46:09+05:30"
