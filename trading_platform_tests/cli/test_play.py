from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import orjson
import pytest
import typer
from typer.testing import CliRunner, Result

from trading_platform.batch.instrument_dump import read_dump
from trading_platform.calc.volume_baseline import INTERVALS, BaselineBlock
from trading_platform.cli import play as command
from trading_platform.cli.play import register
from trading_platform.storage.journal import JournalReader, JournalWriter
from trading_platform.storage.redis_manager import RedisManager
from trading_platform.storage.redis_store import RedisStore
from trading_platform.wire.instrument_block import from_block
from trading_platform.wire.journal_records import Control, ControlType, RecordKind, decode_control
from trading_platform_tests.simulator.rebuilding import naive_ticks, rebuild

HEADER = "symbol,ts,open,high,low,close,volume\n"
GOOD = """A,2016-08-16 09:15:00,10,12,9,11,100
A,2016-08-16 09:16:00,11,11,11,11,0
A,2016-08-16 09:17:00,11,12.05,11,12.05,1
I,2016-08-16 09:15:00,500,510,490,505,0
I,2016-08-16 09:16:00,505,505,505,505,0
"""


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "d"
    monkeypatch.setenv("TP_DATA_DIR", str(folder))
    (tmp_path / "empty.toml").touch()
    monkeypatch.setenv("TP_SETTINGS_FILE", str(tmp_path / "empty.toml"))
    for name in ("TP_REDIS_URL", "TP_SHARD"):
        monkeypatch.delenv(name, raising=False)
    yield folder
    if (folder / "valkey").is_dir():
        RedisManager(None, folder / "valkey").stop_server()


def play(*arguments: object) -> Result:
    app = typer.Typer()
    register(app)
    app.callback()(lambda: None)
    return CliRunner().invoke(app, ["play", *map(str, arguments)])


def write(folder: Path, text: str) -> Path:
    file = folder / "bars.csv"
    file.write_text(HEADER + text)
    return file


def read_back(data: Path, session: date, shard: str = "k1") -> tuple[list[Control], list[bytes], JournalReader]:
    reader = JournalReader(data / "journal", shard, session)
    controls, payloads, after = [], [], 0
    while len(batch := reader.read(after, 1 << 20)):
        for row in range(len(batch)):
            if batch.table["kind"][row] == RecordKind.CONTROL:
                controls.append(decode_control(batch.body(row)))
            else:
                payloads.append(batch.body(row))
        after = batch.last_number
    return controls, payloads, reader


def test_a_file_is_played_into_a_journal_that_gives_its_bars_back(data: Path, tmp_path: Path) -> None:
    result = play("--bars", write(tmp_path, GOOD))
    assert result.exit_code == 0, result.output
    assert "2016-08-16: " in result.stdout
    assert "5 bars of 2 instruments" in result.stdout
    assert "taken for indices (moves, without volume throughout): I" in result.stderr
    session = date(2016, 8, 16)
    controls, payloads, reader = read_back(data, session)
    assert (controls[0].type, controls[0].fields["source"]) == (ControlType.SESSION_OPENED, "file")
    instruments = from_block(reader.blob(str(controls[3].sha256)))
    tokens = {one.tradingsymbol: one.token for one in instruments.instruments}
    bars = rebuild(tick for payload in payloads for tick in naive_ticks(payload))
    found = [
        [(b.open, b.high, b.low, b.close, b.volume) for (t, _), b in sorted(bars.items()) if t == tokens[s]]
        for s in "AI"
    ]
    assert found == [
        [(10, 12, 9, 11, 100), (11, 11, 11, 11, 0), (11, 12.05, 11, 12.05, 1)],
        [(500, 510, 490, 505, 0), (505, 505, 505, 505, 0)],
    ]
    dump = read_dump(data / "dumps" / "instruments_20160816.csv")
    assert dict(dump.rows.select("tradingsymbol", "instrument_token").iter_rows()) == tokens
    assert tokens["I"] & 0xFF == 9


def test_a_journal_is_never_overwritten(data: Path, tmp_path: Path) -> None:
    file = write(tmp_path, GOOD)
    assert play("--bars", file).exit_code == 0
    before = {path: path.read_bytes() for path in (data / "journal").rglob("*.zst")}
    refused = play("--bars", file)
    assert refused.exit_code == 2
    assert "TP_DATA_DIR" in refused.stderr
    assert {path: path.read_bytes() for path in (data / "journal").rglob("*.zst")} == before
    assert play("--bars", file, "--shard", "other").exit_code == 0
    assert read_back(data, date(2016, 8, 16), "other")[1] == read_back(data, date(2016, 8, 16))[1]


def test_another_dump_of_the_day_is_not_replaced(data: Path, tmp_path: Path) -> None:
    assert play("--bars", write(tmp_path, GOOD)).exit_code == 0
    other = play("--bars", write(tmp_path, "B,2016-08-16 09:15:00,10,12,9,11,100\n"), "--shard", "other")
    assert other.exit_code == 2
    assert "instruments_20160816.csv lists other instruments" in other.stderr
    assert not (data / "journal" / "other").exists()


def test_broken_rows_are_named_and_the_rest_is_played(data: Path, tmp_path: Path) -> None:
    broken = "A,2016-08-16 09:18:00,10,8,9,11,100\nA,2016-08-16 09:19:00,10.005,11,9,10,100\n"
    result = play("--bars", write(tmp_path, GOOD + broken))
    assert result.exit_code == 3
    assert "2 rows set aside" in result.stderr
    assert "bars.csv row 6: A 2016-08-16 09:18:00: high is below low" in result.stderr
    assert "5 bars of 2 instruments" in result.stdout


def test_the_volume_of_a_row_set_aside_is_in_no_other_bar(data: Path, tmp_path: Path) -> None:
    rows = (
        "A,2016-08-16 09:15:00,10,12,9,11,100\n"
        "A,2016-08-16 09:16:00,11,11,0,11,700\n"
        "A,2016-08-16 09:17:00,11,11,-1,11,7000\n"
        "A,2016-08-16 09:18:00,11,12,11,12,40\n"
    )
    result = play("--bars", write(tmp_path, rows))
    assert result.exit_code == 3
    assert "row 2: A 2016-08-16 09:16:00: a price is zero or negative" in result.stderr
    assert "row 3: A 2016-08-16 09:17:00: a price is zero or negative" in result.stderr
    _, payloads, _ = read_back(data, date(2016, 8, 16))
    bars = rebuild(tick for payload in payloads for tick in naive_ticks(payload))
    assert [bar.volume for _, bar in sorted(bars.items())] == [100, 40]
    assert max(tick.day_volume or 0 for payload in payloads for tick in naive_ticks(payload)) == 140


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (GOOD + "A,2016-08-15 09:15:00,10,12,9,11,1\n", "2016-08-15"),
        ("A,2016-08-16 09:15:00,10,8,9,11,100\n", "no bar that can be played"),
    ],
)
def test_what_cannot_be_played_is_refused_before_anything_is_written(
    data: Path, tmp_path: Path, text: str, says: str
) -> None:
    result = play("--bars", write(tmp_path, text))
    assert result.exit_code == 2
    assert says in result.stderr
    assert not data.exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--bars", "x.csv", "--synthetic"], "--synthetic"),
        ([], "--bars FILE"),
        (["--speed", "2"], "--synthetic"),
        (["--synthetic", "--speed", "0"], "--speed"),
        (["--synthetic", "--speed", "inf"], "--speed inf"),
        (["--synthetic", "--speed", "nan"], "--speed nan"),
        (["--synthetic", "--session", "2026-08-15"], "2026-08-15"),
        (["--bars", "missing.csv"], "missing.csv"),
        (["--synthetic", "--shard", "NOT A SHARD"], "shard"),
    ],
)
def test_contradictions_are_refused_by_name(data: Path, arguments: list[str], says: str) -> None:
    result = play(*arguments)
    assert result.exit_code == 2
    assert says in result.stderr
    assert not data.exists()


def test_the_synthetic_market_is_played_with_its_baseline(data: Path) -> None:
    session = date(2024, 11, 1)
    manager = RedisManager(None, data / "valkey")
    expected = {interval: np.ones((1, 2)) for interval in INTERVALS}
    block = BaselineBlock(session, np.array([257], np.uint32), 1080, expected, (date(2024, 10, 31),)).encode()
    published = RedisStore(manager.connect(), "k1").publish_block("baseline", block)
    manager.close()
    result = play("--synthetic", "--session", session, "--names", 2, "--json")
    assert result.exit_code == 0, result.output
    summary = orjson.loads(result.stdout)
    assert (summary["session"], summary["instruments"], summary["bars"]) == ("2024-11-01", 47, 47 * 60)
    assert "no seeds announced" in result.stderr
    assert "no baseline announced" not in result.stderr
    controls, payloads, reader = read_back(data, session)
    types = [control.type for control in controls]
    assert controls[0].fields["source"] == "synthetic"
    assert types[3:6] == [ControlType.INSTRUMENTS, ControlType.BASELINE, ControlType.CONNECTED]
    assert controls[4].sha256 == published
    assert reader.blob(published) == block
    assert len(payloads) + len(controls) == summary["records"]


def test_a_stopped_play_says_what_it_leaves(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "play_session", stop)
    result = play("--bars", write(tmp_path, GOOD))
    assert result.exit_code == 130
    assert "ends early" in result.stderr
    # the journal was closed, so that another process can take it
    JournalWriter.open(data / "journal", "k1", date(2016, 8, 16)).close()


def test_a_block_of_another_session_is_not_announced(data: Path, tmp_path: Path) -> None:
    manager = RedisManager(None, data / "valkey")
    expected = {interval: np.ones((1, 2)) for interval in INTERVALS}
    block = BaselineBlock(date(2016, 8, 17), np.array([257], np.uint32), 555, expected, ()).encode()
    RedisStore(manager.connect(), "k1").publish_block("baseline", block)
    RedisStore(manager.connect(), "k1").publish_block("seeds", b"not a block")
    manager.close()
    result = play("--bars", write(tmp_path, GOOD))
    assert result.exit_code == 0
    assert "no baseline announced, the one in Redis is for 2016-08-17" in result.stderr
    assert "no seeds announced, the one in Redis cannot be read" in result.stderr
    assert ControlType.BASELINE not in [control.type for control in read_back(data, date(2016, 8, 16))[0]]
