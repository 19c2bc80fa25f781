"""Give made-up or replayed symbols tokens of their own, the same on every machine and every day."""

import hashlib
from collections.abc import Iterable, Sequence

from trading_platform.errors import InstrumentError
from trading_platform.market.instruments import Instrument, token_of

EXCHANGE_TOKENS = 1 << 23
"""Size of the range; with the segment byte a token stays below 2**31, which clients with signed words need."""

_MOST = EXCHANGE_TOKENS // 4
_TICK_SIZE = 0.05


def exchange_tokens(symbols: Iterable[str]) -> dict[str, int]:
    """Give each symbol an exchange token that depends on its name, not on its place or on the other names.

    A symbol takes the hash of its own name, or of its name and a counter when a symbol that sorts before it holds that
    number. So adding symbols moves an old one only if a new one both sorts before it and hashes to its number: about
    one chance in 8,400,000 for each pair of old and new. Symbols never move otherwise.
    """
    ordered = sorted(symbols)
    if len(ordered) > _MOST:
        raise InstrumentError(f"{len(ordered)} symbols; at most {_MOST} can be given tokens")
    taken: dict[int, str] = {}
    for symbol in ordered:
        if not symbol:
            raise InstrumentError("a symbol without a name cannot be given a token")
        attempt = 0
        while (candidate := _hashed(symbol, attempt)) in taken:
            if taken[candidate] == symbol:
                raise InstrumentError(f"{symbol} stands twice among the symbols that need tokens; name it once")
            attempt += 1
        taken[candidate] = symbol
    return {symbol: number for number, symbol in taken.items()}


def assign_tokens(symbols: Sequence[tuple[str, bool]]) -> list[Instrument]:
    """Make NSE instruments of (symbol, is_index), in the order given: cash names, or indices in segment INDICES."""
    numbers = {
        is_index: exchange_tokens(symbol for symbol, index in symbols if index is is_index)
        for is_index in (False, True)
    }
    return [_instrument(symbol, numbers[index][symbol], "INDICES" if index else "NSE") for symbol, index in symbols]


def _instrument(symbol: str, exchange_token: int, segment: str) -> Instrument:
    token = token_of(exchange_token, segment)
    if token is None:
        raise InstrumentError(f"segment {segment} has no code; add it to SEGMENT_CODES")
    return Instrument(
        token=token,
        exchange_token=exchange_token,
        tradingsymbol=symbol,
        name=symbol,
        expiry=None,
        strike=0.0,
        tick_size=_TICK_SIZE,
        lot_size=1,
        instrument_type="EQ",
        segment=segment,
        exchange="NSE",
    )


def _hashed(symbol: str, attempt: int) -> int:
    text = symbol if attempt == 0 else f"{symbol}\0{attempt}"
    digest = hashlib.sha256(text.encode()).digest()
    # number 0 is left free: a token of 0 means "none" in too many places
    return 1 + int.from_bytes(digest[:8], "big") % (EXCHANGE_TOKENS - 1)
