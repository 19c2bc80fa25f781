"""The command as a person types it: a page, JSON, exit codes."""

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
import typer
from typer.testing import CliRunner, Result

from trading_platform.cli.debug import register
from trading_platform.errors import BadQuestion
from trading_platform.wire import redis_keys
from trading_platform_tests.inspection.made import Place, make_place
from trading_platform_tests.session_data import SESSION, SHARD, TOKENS, make_session


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    made = make_place(tmp_path_factory.mktemp("debug"), make_session(5, minutes=12))
    yield made
    made.manager.stop_server()


@pytest.fixture
def data(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    (tmp_path / "empty.toml").touch()
    monkeypatch.setenv("TP_SETTINGS_FILE", str(tmp_path / "empty.toml"))
    monkeypatch.setenv("TP_DATA_DIR", str(place.settings.data_dir))
    for name in ("TP_REDIS_URL", "REDIS_URL", "TP_SHARD"):
        monkeypatch.delenv(name, raising=False)
    return place


def debug(*arguments: str) -> Result:
    app = typer.Typer()
    register(app)
    app.callback()(lambda: None)
    return CliRunner().invoke(app, ["debug", *arguments])


@pytest.mark.usefixtures("data")
def test_a_page_that_fits_a_screen() -> None:
    result = debug("NAME1", "--at", "09:25", "--why-not", "breakout")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].startswith(f"NSE:NAME1  EQ, token {TOKENS[1]}  session {SESSION}")
    assert len(lines) < 85  # patterns run on two lengths of bars here, on one as a rule
    assert max(map(len, lines)) <= 145
    labels = [line.split()[0] for line in lines if line[:1].strip()]
    sections = ["now", "hours", "baseline", "patterns", "bars", "packets", "compared"]
    assert [one for one in labels if one in sections] == sections
    assert any("breakout long" in line for line in lines)


@pytest.mark.usefixtures("data")
def test_a_symbol_with_a_space_and_everything_as_json() -> None:
    result = debug("NIFTY 50", "--json")
    assert result.exit_code == 0, result.output
    values = orjson.loads(result.stdout)
    assert (values["version"], values["subject"]["token"], values["subject"]["kind"]) == (1, TOKENS[-1], "index")
    assert len(values["bars"]) > 10


def test_a_difference_ends_with_3_and_is_printed(data: Place) -> None:
    key = redis_keys.latest(SHARD, SESSION)
    with data.redis_with(key, "HDEL", key, TOKENS[2]):
        result = debug("NAME2")
        assert result.exit_code == 3
        (line,) = [line for line in result.stdout.splitlines() if line.startswith("different")]
        assert line.split(maxsplit=1)[1] == "Redis  latest  journal a row  stored no such row"
        assert debug("NAME1").exit_code == 0


@pytest.mark.usefixtures("data")
def test_an_unknown_symbol_could_not_run() -> None:
    # the program prints it and ends with 2
    assert isinstance(debug("NMAE1").exception, BadQuestion)
