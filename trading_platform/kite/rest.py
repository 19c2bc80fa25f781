"""Ask Kite's REST service, through the official client."""

from collections.abc import Callable
from typing import Any

import requests
from kiteconnect import KiteConnect
from kiteconnect.exceptions import KiteException
from pydantic import SecretStr

from trading_platform.errors import BrokerError

TIMEOUT_SECONDS = 30


class _UnparsedClient(KiteConnect):  # type: ignore[misc]  # the client has no types
    """The official client, with the dump left as it came: what is kept must be what Kite sent."""

    def _parse_instruments(self, data: Any) -> Any:
        return data


class KiteRest:
    """What we ask of Kite; nothing is sent before the first request."""

    def __init__(self, api_key: SecretStr | None, access_token: SecretStr | None, *, root: str | None = None) -> None:
        self._api_key, self._access_token = api_key, access_token
        self._root = root

    @property
    def has_credentials(self) -> bool:
        """Return whether requests can be made at all."""
        return self._api_key is not None and self._access_token is not None

    def instruments_csv(self) -> bytes:
        """Return today's dump of all exchanges, as Kite writes it; raise BrokerError."""
        client = self._client()
        content: bytes | str = self._ask("the dump of instruments", client.instruments)
        return content.encode() if isinstance(content, str) else content

    def _client(self) -> KiteConnect:
        if self._api_key is None or self._access_token is None:
            raise BrokerError("Kite needs TP_KITE_API_KEY and TP_KITE_ACCESS_TOKEN; log in and set both")
        return _UnparsedClient(
            self._api_key.get_secret_value(),
            access_token=self._access_token.get_secret_value(),
            root=self._root,
            timeout=TIMEOUT_SECONDS,
        )

    @staticmethod
    def _ask(what: str, request: Callable[[], Any]) -> Any:
        try:
            return request()
        except KiteException as error:
            raise BrokerError(f"Kite refused {what}: {error} (log in again if the token is of another day)") from error
        except requests.RequestException as error:
            raise BrokerError(f"Kite could not be asked for {what}: {error}; check the connection") from error
