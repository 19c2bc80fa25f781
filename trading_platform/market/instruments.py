"""What can be traded on one day, as that day's dump tells it: tokens are reused, so each needs its date."""

from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

from trading_platform.errors import InstrumentError
from trading_platform.market.sessions import SessionClass

SEGMENT_CODES: dict[str, int] = {
    "NSE": 1,
    "NFO": 2,
    "CDS": 3,
    "BSE": 4,
    "BFO": 5,
    "BCD": 6,
    "MCX": 7,
    "INDICES": 9,
    "NCO": 12,
}
"""Low byte of a token, by the first part of the dump's `segment`."""

FUTURE = "FUT"
OPTION_TYPES = ("CE", "PE")
DERIVATIVE_TYPES = (FUTURE, *OPTION_TYPES)
EQUITY_DERIVATIVES = ("NFO", "BFO")

_CLASS_OF_EXCHANGE = {
    "NFO": SessionClass.NSE_DERIVATIVES,
    "BFO": SessionClass.BSE_DERIVATIVES,
    "CDS": SessionClass.NSE_CURRENCY,
    "BCD": SessionClass.BSE_CURRENCY,
    "MCX": SessionClass.MCX,
}
_CLASS_OF_INDEX = {"NSE": SessionClass.NSE_INDEX, "BSE": SessionClass.BSE_INDEX, "MCX": SessionClass.MCX}
_CLASS_OF_CASH = {
    "NSE": (SessionClass.NSE_CASH_FNO, SessionClass.NSE_CASH),
    "BSE": (SessionClass.BSE_CASH_FNO, SessionClass.BSE_CASH),
}


@dataclass(frozen=True, slots=True)
class Instrument:
    """One row of a dump; `name` of a derivative is the symbol of what it derives from, and empty in old dumps."""

    token: int
    exchange_token: int
    tradingsymbol: str
    name: str
    expiry: date | None
    strike: float
    tick_size: float
    lot_size: int
    instrument_type: str
    segment: str
    exchange: str

    @property
    def key(self) -> str:
        """Return the name that people use: EXCHANGE:TRADINGSYMBOL."""
        return f"{self.exchange}:{self.tradingsymbol}"

    @property
    def underlying(self) -> str:
        """Return what a derivative derives from, as EXCHANGE:NAME of the derivative's own exchange."""
        return f"{self.exchange}:{self.name}"

    @property
    def is_derivative(self) -> bool:
        """Tell whether this is a future or an option."""
        return self.instrument_type in DERIVATIVE_TYPES

    @property
    def is_index(self) -> bool:
        """Tell whether this is an index, which has a value and no trades."""
        return self.segment == "INDICES"

    def is_live(self, session: date) -> bool:
        """Tell whether a dated contract still trades on `session`; its expiry day is its last."""
        return self.expiry is not None and self.expiry >= session


def segment_code(segment: str) -> int | None:
    """Return the low byte that tokens of a dump's `segment` end in, None for a segment that we do not know."""
    return SEGMENT_CODES.get(segment.partition("-")[0])


def token_of(exchange_token: int, segment: str) -> int | None:
    """Return the token that the protocol forms from both, None for a segment that we do not know."""
    code = segment_code(segment)
    return None if code is None else exchange_token * 256 + code


@dataclass(frozen=True)
class InstrumentDay:
    """The dump of one day, in its order; a token stands for one instrument or the day is refused."""

    session: date
    instruments: tuple[Instrument, ...] = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.by_token) != len(self.instruments):
            raise InstrumentError(_name_duplicates(self.session, self.instruments))

    def __len__(self) -> int:
        return len(self.instruments)

    @cached_property
    def by_token(self) -> dict[int, Instrument]:
        """Map each token to its instrument."""
        return {instrument.token: instrument for instrument in self.instruments}

    @cached_property
    def by_key(self) -> dict[str, tuple[Instrument, ...]]:
        """Map each EXCHANGE:TRADINGSYMBOL to its instruments; more than one is a key that cannot be looked up."""
        found: dict[str, tuple[Instrument, ...]] = {}
        for instrument in self.instruments:
            found[instrument.key] = (*found.get(instrument.key, ()), instrument)
        return found

    @cached_property
    def by_underlying(self) -> dict[str, tuple[Instrument, ...]]:
        """Map EXCHANGE:NAME to its derivatives, in the dump's order; those without a name are under EXCHANGE: alone."""
        found: dict[str, list[Instrument]] = {}
        for instrument in self.instruments:
            if instrument.is_derivative:
                found.setdefault(instrument.underlying, []).append(instrument)
        return {underlying: tuple(derivatives) for underlying, derivatives in found.items()}

    @cached_property
    def fno_names(self) -> frozenset[str]:
        """Return the names that have a live equity derivative in this dump."""
        return frozenset(
            instrument.name
            for instrument in self.instruments
            if instrument.exchange in EQUITY_DERIVATIVES and instrument.name and instrument.is_live(self.session)
        )

    def with_token(self, token: int) -> Instrument:
        """Return the instrument of a token; raise InstrumentError when the dump has none."""
        try:
            return self.by_token[token]
        except KeyError:
            raise InstrumentError(f"the dump of {self.session} has no token {token}") from None

    def with_key(self, key: str) -> Instrument:
        """Return the instrument of EXCHANGE:TRADINGSYMBOL; raise InstrumentError for none or several."""
        found = self.by_key.get(key, ())
        if not found:
            raise InstrumentError(f"the dump of {self.session} has no {key}")
        if len(found) > 1:
            tokens = ", ".join(str(instrument.token) for instrument in found)
            raise InstrumentError(f"{key} stands for tokens {tokens} in the dump of {self.session}; use a token")
        return found[0]


def session_class(instrument: Instrument, fno_names: frozenset[str]) -> SessionClass:
    """Return whose opening hours an instrument keeps; raise InstrumentError when we know none.

    `fno_names` comes from the same day's dump: a cash name is F&O when one of that day's derivatives bears it as its
    name. A token whose last byte contradicts the segment is refused, since its packets would be read wrongly.
    """
    _refuse_contradiction(instrument)
    if instrument.is_index:
        found = _CLASS_OF_INDEX.get(instrument.exchange)
    elif instrument.exchange in _CLASS_OF_CASH and not instrument.is_derivative:
        with_fno, without = _CLASS_OF_CASH[instrument.exchange]
        found = with_fno if instrument.tradingsymbol in fno_names else without
    else:
        found = _CLASS_OF_EXCHANGE.get(instrument.exchange)
    if found is None:
        raise InstrumentError(
            f"{instrument.key}: opening hours of exchange {instrument.exchange}, segment {instrument.segment} are not "
            "supported; leave it out of the subscription"
        )
    return found


def _refuse_contradiction(instrument: Instrument) -> None:
    if instrument.segment.partition("-")[0] not in (instrument.exchange, "INDICES"):
        raise InstrumentError(
            f"{instrument.key}: segment {instrument.segment} does not belong to exchange {instrument.exchange}; leave "
            "it out"
        )
    code = segment_code(instrument.segment)
    if code is not None and instrument.token & 0xFF != code:
        raise InstrumentError(
            f"{instrument.key}: token {instrument.token} ends in segment {instrument.token & 0xFF}, the dump says "
            f"{instrument.segment} ({code}); its prices would be scaled wrongly, so leave it out"
        )


def _name_duplicates(session: date, instruments: tuple[Instrument, ...]) -> str:
    keys: dict[int, list[str]] = {}
    for instrument in instruments:
        keys.setdefault(instrument.token, []).append(instrument.key)
    repeated = {token: found for token, found in keys.items() if len(found) > 1}
    shown = "; ".join(f"{token} = {', '.join(found)}" for token, found in list(repeated.items())[:3])
    return (
        f"{len(repeated)} tokens stand more than once in the dump of {session} ({shown}): it is not the dump of one "
        "day, fetch it again"
    )
