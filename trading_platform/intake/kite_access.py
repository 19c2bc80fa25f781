"""What is fetched from Kite before a session: the dump of the day and candles, with whichever token the settings hold.

Secrets are read from the settings where they are used, so that no object of a run holds one.
"""

from collections.abc import Callable
from datetime import date
from pathlib import Path

from pydantic import SecretStr

from trading_platform.batch.dump_days import keep_dump
from trading_platform.batch.instrument_dump import Dump, read_dump
from trading_platform.batch.reference import dump_path, missing_dump
from trading_platform.errors import AccessRefused
from trading_platform.kite.candles import KiteCandles
from trading_platform.kite.exchange_day import exchange_day
from trading_platform.kite.pace import RequestPace
from trading_platform.kite.rest import KiteRest
from trading_platform.market.clock import Clock
from trading_platform.settings import KITE_API_ROOT, Settings, load_settings


def pace_file(settings: Settings) -> Path:
    """Return the file by which all processes share the rate at which this key may ask for candles."""
    return settings.data_dir / "kite_candles.pace"


def backfill_dir(settings: Settings) -> Path:
    """Return the folder of answers that a backfill has not yet put into the lake."""
    return settings.data_dir / "backfill"


class KiteAccess:
    """Kite's REST service, and the folder in which its dumps are kept."""

    def __init__(self, dumps_dir: Path, pace_file: Path, read_settings: Callable[[], Settings] = load_settings) -> None:
        self._dumps_dir, self._pace_file = dumps_dir, pace_file
        self._read_settings = read_settings

    def client(self) -> KiteRest:
        """Return the client; nothing is sent before the first request."""
        settings = self._read_settings()
        credentials = _filled(settings.kite_api_key), _filled(settings.kite_access_token)
        return KiteRest(*credentials, root=settings.kite_api_root)

    def candles(self) -> KiteCandles:
        """Return where candles come from, at the pace that all processes share; raise AccessRefused without a key."""
        settings = self._read_settings()
        key = _filled(settings.kite_api_key)
        if key is None:
            raise AccessRefused("candles need TP_KITE_API_KEY and TP_KITE_ACCESS_TOKEN; log in and set both")
        pace = RequestPace(self._pace_file)
        return KiteCandles(
            key, lambda: _filled(self._read_settings().kite_access_token), settings.kite_api_root, pace=pace
        )

    def today(self) -> date:
        """Return the present date of the exchange: of a simulated one the session that it trades."""
        root = self._read_settings().kite_api_root
        simulated = None if root == KITE_API_ROOT else exchange_day(root)
        return simulated or Clock.wall().today()

    def can_ask(self) -> bool:
        """Return whether there are credentials at all; whether Kite takes them is seen when it is asked."""
        return self.client().has_credentials

    def dump(self, session: date) -> tuple[Dump, Path]:
        """Return the dump of a session and its file; today's is fetched when it is not there and credentials are."""
        path = dump_path(self._dumps_dir, session) or self._fetched(session)
        return read_dump(path), path

    def _fetched(self, session: date) -> Path:
        client = self.client()
        if not client.has_credentials or session != self.today():
            raise missing_dump(self._dumps_dir, session)
        return keep_dump(self._dumps_dir, session, client.instruments_csv())


def _filled(secret: SecretStr | None) -> SecretStr | None:
    return secret if secret is not None and secret.get_secret_value() else None
