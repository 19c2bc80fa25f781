"""The command end to end: a login at the simulated exchange, kept, used by the settings, told, forgotten."""

import re
import threading
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
import requests
from pydantic import SecretStr
from typer.testing import CliRunner

from trading_platform.cli import login as command
from trading_platform.cli.feed import current_token
from trading_platform.cli.main import app
from trading_platform.errors import AccessRefused, PlatformError, SettingsError
from trading_platform.kite.rest import KiteRest
from trading_platform.kite.stored_login import LoginFile
from trading_platform.market.clock import Clock
from trading_platform.settings import load_settings
from trading_platform_tests.simulator.exchange.offered import Options, Running, running
from trading_platform_tests.simulator.made_bars import START

KEY, SECRET, REQUEST = "simulator", "simulator-secret", "simulator-request"


@pytest.fixture(scope="module")
def exchange() -> Iterator[Running]:
    with running(Options(at_second=START)) as found:
        yield found


@pytest.fixture
def file(tmp_path: Path, exchange: Running, monkeypatch: pytest.MonkeyPatch) -> LoginFile:
    settings = tmp_path / "mine.toml"
    settings.write_text(
        f'kite_api_key = "{KEY}"\nkite_api_secret = "{SECRET}"\nkite_api_root = "{exchange.addresses.rest}"\n'
    )
    monkeypatch.setenv("TP_SETTINGS_FILE", str(settings))
    monkeypatch.setenv("TP_DATA_DIR", str(tmp_path / "data"))
    return LoginFile.of(tmp_path / "data", "k1")


def run(*arguments: str, typed: str | None = None) -> tuple[int, str]:
    """Return exit code and everything that was printed; an error of ours is exit code 2, as `main` makes it."""
    done = CliRunner().invoke(app, ["login", *arguments], input=typed)
    if isinstance(done.exception, PlatformError):
        return 2, f"{done.output}{done.exception}"
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


def kept(file: LoginFile) -> str:
    login = file.read()
    assert login is not None
    return login.access_token.get_secret_value()


def test_a_login_is_kept_used_told_and_forgotten(file: LoginFile, exchange: Running) -> None:
    assert run("--status") == (1, "nobody is logged in: trading-platform login\n")
    assert current_token() is None
    code, said = run(REQUEST)
    token = kept(file)
    assert code == 0
    assert "logged in as SIM001" in said
    assert current_token() == SecretStr(token)  # what the feed looks at every half minute
    assert KiteRest(SecretStr(KEY), load_settings().kite_access_token, root=exchange.addresses.rest).instruments_csv()
    code, told = run("--status", "--json")
    facts = orjson.loads(told)
    assert (code, facts["lives"], facts["source"], facts["user_id"]) == (0, True, "login", "SIM001")
    assert facts["dies_at"].endswith("+05:30")
    assert run("--status")[0] == 0
    shown = f"{said}{told}{load_settings()!r}{load_settings().without_secrets()}"
    assert not [secret for secret in (token, SECRET, REQUEST) if secret in shown]
    assert run("--forget") == (0, "the kept login is removed\n")
    assert run("--forget") == (0, "no login was kept\n")
    assert load_settings().kite_access_token is None


def test_the_pasted_address_and_the_redirect_work_too(file: LoginFile, monkeypatch: pytest.MonkeyPatch) -> None:
    code, said = run(typed=f"http://127.0.0.1/?action=login&status=success&request_token={REQUEST}\n")
    assert code == 0
    assert "https://kite.zerodha.com/connect/login?v=3&api_key=simulator" in said
    first = kept(file)
    opened: list[str] = []

    def browse(url: str) -> bool:
        """Do what a browser does after the login: follow the redirect with the parameters that were sent along."""
        opened.append(url)
        state = re.findall("state%3D([^&]+)", url)[0]
        query = f"action=login&status=success&request_token={REQUEST}&state={state}"
        address = f"{listeners[0].address}?{query}"
        threading.Thread(target=lambda: requests.get(address, timeout=20)).start()
        return True

    listeners: list[command.RedirectListener] = []

    class Kept(command.RedirectListener):
        def __init__(self, port: int, state: str) -> None:
            super().__init__(port, state)
            listeners.append(self)

    monkeypatch.setattr(command, "RedirectListener", Kept)
    monkeypatch.setattr(command.webbrowser, "open", browse)
    code, said = run("--listen", "0", "--open")
    assert code == 0, said
    assert len(opened) == 1
    assert kept(file) != first
    assert REQUEST not in said


def test_what_is_refused_says_what_to_do_and_keeps_nothing(
    file: LoginFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, said = run("wrong-request-token")
    assert (code, file.read()) == (2, None)
    assert "refuses the login" in said
    assert "wrong-request-token" not in said
    assert SECRET not in said
    assert run("--status", "--forget")[0] == 2
    monkeypatch.setenv("TP_KITE_API_SECRET", "another-secret")
    code, said = run(REQUEST)
    assert (code, "another-secret" in said) == (2, False)
    (tmp_path / "mine.toml").write_text('kite_api_key = "x"\n')
    monkeypatch.delenv("TP_KITE_API_SECRET")
    code, said = run(REQUEST)
    assert code == 2
    assert "kite_api_secret" in said


def test_a_dead_token_and_one_of_another_key_are_not_used(file: LoginFile, monkeypatch: pytest.MonkeyPatch) -> None:
    run(REQUEST)
    login = file.read()
    assert login is not None
    file.write(login.model_copy(update={"dies_ns": Clock.wall().now_ns() - 1}))
    assert load_settings().kite_access_token is None
    code, said = run("--status")
    assert (code, "died" in said) == (1, True)
    file.write(login)
    monkeypatch.setenv("TP_KITE_API_KEY", "another-key")
    assert load_settings().kite_access_token is None
    code, said = run("--status")
    assert (code, "another API key" in said) == (1, True)


def test_a_token_of_the_settings_wins_and_is_said(file: LoginFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TP_KITE_ACCESS_TOKEN", "token-of-settings")
    code, said = run(REQUEST)
    assert code == 0
    assert "TP_KITE_ACCESS_TOKEN is used instead" in said
    assert load_settings().kite_access_token == SecretStr("token-of-settings")
    code, said = run("--status")
    assert code == 0
    assert "token-of-settings" not in said


def test_a_damaged_file_stops_who_needs_it_and_can_be_forgotten(file: LoginFile) -> None:
    run(REQUEST)
    file.path.write_text("{")
    with pytest.raises(SettingsError, match="login --forget"):
        load_settings()
    assert run("--forget")[0] == 0
    assert load_settings().kite_access_token is None
    with pytest.raises(AccessRefused):
        KiteRest(SecretStr(KEY), None).instruments_csv()
