"""How long an access token of Kite lives."""

from datetime import datetime, time, timedelta

from trading_platform.market.clock import IST, from_ns, to_ns

DIES_AT = time(6, 0)
"""Kite's tokens die at this time in India on the day after the login, whenever that was."""


def token_dies_ns(accepted_ns: int) -> int:
    """Return when a token dies that Kite took at this moment (nanoseconds since the epoch)."""
    accepted = from_ns(accepted_ns)
    dies = datetime.combine(accepted.date(), DIES_AT, IST)
    return to_ns(dies if accepted < dies else dies + timedelta(days=1))
