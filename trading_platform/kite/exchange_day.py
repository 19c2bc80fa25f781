"""Which day it is at a REST service that is not Kite's own: a simulated exchange says which session it trades."""

from datetime import date

import orjson
import requests

_SECONDS = 5.0


def exchange_day(root: str) -> date | None:
    """Return the session that a simulated exchange at `root` trades, None when there is no such exchange."""
    try:
        answer = requests.get(f"{root}/simulator/clock", timeout=_SECONDS)
        return date.fromisoformat(orjson.loads(answer.content)["data"]["session"])
    except (requests.RequestException, orjson.JSONDecodeError, LookupError, TypeError, ValueError):
        return None
