"""Families of the database of users: accounts and their holdings; credentials stay where they are."""

from trading_platform.migration.rules import Rule, leave, rename

_DEAD = "an access token ends each morning: a copy could do nothing but leak"

USERS: tuple[Rule, ...] = (
    rename("user", "user:{id}", "hash", "string"),
    rename("user_session", "session:{rest}", "hash", "string"),
    rename("position", "position:{rest}"),
    rename("positions", "positions:{rest}"),
    rename("order", "order:{rest}"),
    rename("orders", "orders:{rest}"),
    rename("watchlist", "watchlist:{rest}"),
    leave("broker_token", "broker_token:{rest}", _DEAD),
    leave("broker_tokens", "broker_tokens:{rest}", _DEAD),
)
