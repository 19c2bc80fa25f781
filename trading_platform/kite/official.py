"""The official client of Kite, with what it raises; importing it takes half a second, for its websocket."""

from typing import Any

from kiteconnect import KiteConnect
from kiteconnect.exceptions import InputException, KiteException, PermissionException, TokenException

__all__ = ["InputException", "KiteConnect", "KiteException", "PermissionException", "TokenException", "UnparsedClient"]


class UnparsedClient(KiteConnect):  # type: ignore[misc]  # the client has no types
    """The official client, with answers left as they came: one broken row must not cost the others."""

    def _parse_instruments(self, data: Any) -> Any:
        return data

    def _format_historical(self, data: Any) -> Any:
        return data
