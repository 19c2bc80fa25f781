"""Ask Kite's REST service, through the official client."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import requests
from pydantic import SecretStr

from trading_platform.errors import AccessRefused, BrokerError, RequestRefused
from trading_platform.later import Later

if TYPE_CHECKING:
    from kiteconnect import KiteConnect
    from kiteconnect.exceptions import KiteException

official = Later("trading_platform.kite.official")

TIMEOUT_SECONDS = 30
_MOST_CHARACTERS = 300


class KiteRest:
    """What we ask of Kite; nothing is sent before the first request."""

    def __init__(self, api_key: SecretStr | None, access_token: SecretStr | None, *, root: str | None = None) -> None:
        self._api_key, self._access_token = api_key, access_token
        self._root = root
        self._made: KiteConnect | None = None

    @property
    def has_credentials(self) -> bool:
        """Return whether requests can be made at all."""
        return self._api_key is not None and self._access_token is not None

    def instruments_csv(self) -> bytes:
        """Return today's dump of all exchanges, as Kite writes it; raise BrokerError."""
        client = self._client()
        content: bytes | str = self._ask("the dump of instruments", client.instruments)
        return content.encode() if isinstance(content, str) else content

    def minute_candles(self, token: int, begin: datetime, end: datetime) -> list[Any]:
        """Return the one-minute candles that start from `begin` to `end`, both included, as Kite sends them.

        Both are in the exchanges' zone. Raise BrokerError.
        """
        client = self._client()
        what = f"candles of {token}"
        answer = self._ask(what, lambda: client.historical_data(token, begin, end, "minute"))
        candles = answer.get("candles") if isinstance(answer, dict) else None
        if not isinstance(candles, list):
            raise BrokerError(f"Kite answered {what} with something else; look at its status page")
        return candles

    def _client(self) -> "KiteConnect":
        """Return the client, one for all requests: it keeps its connection open."""
        if self._api_key is None or self._access_token is None:
            raise AccessRefused(
                "Kite needs kite_api_key and an access token; set TP_KITE_API_KEY, then trading-platform login"
            )
        if self._made is None:
            self._made = official.UnparsedClient(
                self._api_key.get_secret_value(),
                access_token=self._access_token.get_secret_value(),
                root=self._root,
                timeout=TIMEOUT_SECONDS,
            )
        return self._made

    @staticmethod
    def _ask(what: str, request: Callable[[], Any]) -> Any:
        try:
            return request()
        except (official.TokenException, official.PermissionException) as error:
            told = _told(error)
            raise AccessRefused(f"Kite refused {what}: {told} (log in again if the token is of another day)") from error
        except official.InputException as error:
            raise RequestRefused(f"Kite refused {what}: {_told(error)}; look at what is asked for") from error
        except official.KiteException as error:
            raise BrokerError(f"Kite refused {what}: {_told(error)}; it is asked again later") from error
        except requests.RequestException as error:
            raise BrokerError(
                f"Kite could not be asked for {what} ({type(error).__name__}); check the connection"
            ) from error
        except (AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
            # the official client takes an answer for granted that a gateway in between need not give
            raise BrokerError(
                f"Kite answered {what} with something else ({type(error).__name__}); try again"
            ) from error


def _told(error: "KiteException") -> str:
    return str(error)[:_MOST_CHARACTERS]
