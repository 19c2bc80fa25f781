"""`trading-platform login`: Kite's daily login, kept for the feed and everything else that asks Kite."""

import secrets
import webbrowser
from typing import Annotated, Any

import orjson
import typer
from pydantic import SecretStr

from trading_platform.cli.console import say
from trading_platform.cli.login_listener import RedirectListener
from trading_platform.errors import SettingsError
from trading_platform.kite.login import log_in, login_url, request_token_of
from trading_platform.kite.stored_login import LoginFile, StoredLogin
from trading_platform.market.clock import Clock, from_ns
from trading_platform.settings import Settings, is_in_environment, settings_without_login

VERSION = 1
NO_LOGIN = 1

_HELP = """Log in to Kite for the day and keep the access token where only this platform's user can read it.

Without an argument it prints Kite's login page and asks for the address that Kite leads to afterwards; with
--listen PORT it waits for that redirect itself, when http://127.0.0.1:PORT/ is the redirect URL of the Kite app. The
request token is exchanged with kite_api_secret; the access token goes to <data_dir>/login/SHARD.json (0600), which no
backup takes. It dies at six the next morning in India. A feed that runs finds a new one within half a minute. A
kite_access_token in the settings file or the environment wins over the kept one.

Example: trading-platform login --listen 8765

Exit codes: 0 logged in, or there is a token that lives (--status), or it is forgotten; 1 there is none that lives
(--status); 2 refused, or something has to be set first (the message says what).
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("login", help=_HELP)(login)


def login(
    *,
    given: Annotated[
        str | None, typer.Argument(metavar="[REQUEST_TOKEN]", help="request token, or the address of the redirect")
    ] = None,
    listen: Annotated[
        int | None, typer.Option(min=0, max=65535, help="catch the redirect on this port of loopback; 0 takes any")
    ] = None,
    open_browser: Annotated[bool, typer.Option("--open", help="open the login page in the browser")] = False,
    status: Annotated[bool, typer.Option("--status", help="say whose token is kept, and until when it lives")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="with --status: as JSON")] = False,
    forget: Annotated[bool, typer.Option("--forget", help="remove the kept token")] = False,
) -> None:
    """Log in, or say how it stands."""
    settings = settings_without_login()
    file = LoginFile.of(settings.data_dir, settings.shard)
    if sum((status, forget, given is not None or listen is not None)) > 1:
        raise SettingsError("choose one: a login, --status, or --forget")
    if forget:
        say("the kept login is removed" if file.forget() else "no login was kept")
    elif status:
        _status(settings, file.read(), as_json=as_json)
    else:
        _log_in(settings, file, given, listen=listen, open_browser=open_browser)


def _log_in(settings: Settings, file: LoginFile, given: str | None, *, listen: int | None, open_browser: bool) -> None:
    key, secret = settings.kite_api_key, settings.kite_api_secret
    if key is None or secret is None:
        missing = " and ".join(
            name for name, one in (("kite_api_key", key), ("kite_api_secret", secret)) if one is None
        )
        raise SettingsError(
            f"login needs {missing}: write them into the settings file (chmod 600), as developers.kite.trade shows them"
        )
    answer = given if given is not None else _ask(key, listen, open_browser=open_browser)
    found = log_in(key, secret, request_token_of(answer), root=settings.kite_api_root, clock=Clock.wall())
    file.write(found)
    say(f"logged in as {found.user_id}; the token lives until {from_ns(found.dies_ns):%a %d %b %H:%M} IST")
    if settings.kite_access_token is not None:
        place = "TP_KITE_ACCESS_TOKEN" if is_in_environment("kite_access_token") else "the settings file"
        say(f"warning: kite_access_token of {place} is used instead of this login: remove it there", error=True)


def _ask(key: SecretStr, listen: int | None, *, open_browser: bool) -> str:
    """Lead to the login page; return what comes back."""
    state = None if listen is None else secrets.token_urlsafe(16)
    listener = None if listen is None or state is None else RedirectListener(listen, state)
    url = login_url(key, state=state)
    say(f"log in at {url}")
    if open_browser:
        webbrowser.open(url)
    if listener is not None:
        say(f"waiting for the redirect to {listener.address} (the redirect URL of the Kite app)")
        return listener.wait()
    answer: str = typer.prompt("address of the page that Kite led to, or its request_token", err=True)
    return answer


def _status(settings: Settings, login: StoredLogin | None, *, as_json: bool) -> None:
    facts = _facts(settings, login, Clock.wall().now_ns())
    if as_json:
        say(orjson.dumps(facts).decode())
    else:
        say(str(facts["says"]))
    if not facts["lives"]:
        raise typer.Exit(NO_LOGIN)


def _facts(settings: Settings, login: StoredLogin | None, now_ns: int) -> dict[str, Any]:
    """Return what is known of the token that is used; it is in none of it."""
    head: dict[str, Any] = {"version": VERSION, "shard": settings.shard}
    if settings.kite_access_token is not None:
        says = "kite_access_token is set: whose it is and when it dies is not known here"
        return head | {"source": "settings", "lives": True, "says": says}
    if login is None:
        return head | {"source": None, "lives": False, "says": "nobody is logged in: trading-platform login"}
    when = f"{from_ns(login.dies_ns):%a %d %b %H:%M} IST"
    lives, ours = login.lives(now_ns), login.is_of(settings.kite_api_key)
    says = f"{login.user_id}: the token lives until {when}"
    if not lives:
        says = f"{login.user_id}: the token died {when}: trading-platform login"
    elif not ours:
        says = f"{login.user_id}: the token is of another API key than kite_api_key: trading-platform login"
    return head | {
        "source": "login",
        "lives": lives and ours,
        "says": says,
        "user_id": login.user_id,
        "user_name": login.user_name,
        "logged_in_at": from_ns(login.logged_in_ns).isoformat(),
        "dies_at": from_ns(login.dies_ns).isoformat(),
    }
