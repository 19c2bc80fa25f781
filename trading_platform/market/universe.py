"""What to subscribe on one day: rules and that day's dump in, tokens with reasons out; what is missing is named."""

import math
from collections import Counter
from dataclasses import dataclass, field
from datetime import date

from trading_platform.errors import InstrumentError, UniverseError
from trading_platform.market.instruments import FUTURE, OPTION_TYPES, Instrument, InstrumentDay, session_class
from trading_platform.market.sessions import SessionClass

MODE = "full"
"""Only full packets carry the exchange's time, so nothing else is ever subscribed."""

PER_SOCKET = 3000
SOCKETS = 3


@dataclass(frozen=True, slots=True)
class ChainRule:
    """Options of an underlying (as EXCHANGE:NAME, say NFO:NIFTY) in the nearest expiries around a reference price.

    `strikes_each_side` are taken below and above the strike nearest to the reference (the lower of two equally near).
    """

    underlying: str
    expiries: int
    strikes_each_side: int
    reference_price: float | None

    def __post_init__(self) -> None:
        if self.expiries < 1 or self.strikes_each_side < 0:
            raise UniverseError(f"chain {self.underlying}: needs at least one expiry and no negative number of strikes")


@dataclass(frozen=True, slots=True)
class UniverseRules:
    """What is wanted: indices and cash names by EXCHANGE:TRADINGSYMBOL, derivatives by EXCHANGE:NAME.

    `futures_of_cash` adds the futures of each NSE and BSE cash name that is selected.
    """

    indices: tuple[str, ...] = ()
    cash: tuple[str, ...] = ()
    all_fno_cash: bool = False
    futures_of: tuple[str, ...] = ()
    futures_of_cash: bool = False
    futures_expiries: int = 1
    chains: tuple[ChainRule, ...] = ()
    per_socket: int = PER_SOCKET
    sockets: int = SOCKETS

    def __post_init__(self) -> None:
        if self.futures_expiries < 1:
            raise UniverseError("futures_expiries must be at least 1; leave futures_of empty for none")
        if not (1 <= self.per_socket <= PER_SOCKET and 1 <= self.sockets <= SOCKETS):
            raise UniverseError(f"Kite carries at most {PER_SOCKET} instruments on each of {SOCKETS} sockets")


@dataclass(frozen=True, slots=True)
class Chosen:
    """A token to subscribe, what it is, and which part of the rules it belongs to."""

    token: int
    key: str
    reason: str
    session_class: SessionClass


@dataclass(frozen=True, slots=True)
class Missing:
    """A name that a rule wanted and that is not subscribed, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Universe:
    """The day's subscription in order, and what it lacks."""

    session: date
    chosen: tuple[Chosen, ...]
    missing: tuple[Missing, ...]
    per_socket: int
    mode: str = MODE

    @property
    def tokens(self) -> tuple[int, ...]:
        """Return the tokens in order."""
        return tuple(one.token for one in self.chosen)

    @property
    def by_socket(self) -> tuple[tuple[int, ...], ...]:
        """Return the tokens of each socket, filled one after the other."""
        tokens = self.tokens
        return tuple(tokens[at : at + self.per_socket] for at in range(0, len(tokens), self.per_socket))


@dataclass(slots=True)
class _Selection:
    day: InstrumentDay
    chosen: dict[int, Chosen] = field(default_factory=dict)
    missing: dict[str, Missing] = field(default_factory=dict)

    def take(self, instrument: Instrument, reason: str) -> None:
        try:
            hours = session_class(instrument, self.day.fno_names)
        except InstrumentError as error:
            self.miss(instrument.key, str(error))
            return
        self.chosen[instrument.token] = Chosen(instrument.token, instrument.key, reason, hours)

    def miss(self, name: str, reason: str) -> None:
        self.missing.setdefault(name + reason, Missing(name, reason))


def subscription_universe(day: InstrumentDay, rules: UniverseRules) -> Universe:
    """Choose what to subscribe on `day`; raise UniverseError when the sockets do not carry it.

    Order: indices, cash, futures, chains, each as the rules name them. An expired contract is never chosen.
    """
    selection = _Selection(day)
    for key in rules.indices:
        _take_named(selection, key, want_index=True)
    for key in rules.cash:
        _take_named(selection, key, want_index=False)
    if rules.all_fno_cash:
        _take_fno_cash(selection)
    for underlying in _futures_wanted(selection, rules):
        _take_futures(selection, underlying, rules.futures_expiries)
    for chain in rules.chains:
        _take_chain(selection, chain)
    chosen = tuple(selection.chosen.values())
    _refuse_too_many(chosen, rules)
    return Universe(day.session, chosen, tuple(selection.missing.values()), rules.per_socket)


def _take_named(selection: _Selection, key: str, *, want_index: bool) -> None:
    try:
        instrument = selection.day.with_key(key)
    except InstrumentError as error:
        selection.miss(key, str(error))
        return
    if instrument.is_index != want_index or instrument.is_derivative:
        wanted = "an index" if want_index else "a cash name"
        selection.miss(key, f"is {instrument.instrument_type} of segment {instrument.segment}, not {wanted}")
        return
    selection.take(instrument, "index" if want_index else "cash")


def _take_fno_cash(selection: _Selection) -> None:
    names = selection.day.fno_names
    found = [one for one in selection.day.instruments if one.segment == "NSE" and one.tradingsymbol in names]
    for instrument in found:
        selection.take(instrument, "cash")
    if not found:
        selection.miss("all F&O stocks", f"the dump of {selection.day.session} has no NSE name with a live derivative")


def _futures_wanted(selection: _Selection, rules: UniverseRules) -> tuple[str, ...]:
    wanted = list(rules.futures_of)
    if rules.futures_of_cash:
        markets = {"NSE": "NFO", "BSE": "BFO"}
        cash = [one for one in selection.chosen.values() if one.reason == "cash"]
        instruments = [selection.day.with_token(one.token) for one in cash]
        wanted += [f"{markets[one.exchange]}:{one.tradingsymbol}" for one in instruments]
    return tuple(dict.fromkeys(wanted))


def _take_futures(selection: _Selection, underlying: str, expiries: int) -> None:
    live = _live(selection, underlying, (FUTURE,))
    for expiry in _nearest_expiries(selection, live, (underlying, "future", expiries)):
        for instrument in live:
            if instrument.expiry == expiry:
                selection.take(instrument, f"future {underlying}")


def _take_chain(selection: _Selection, rule: ChainRule) -> None:
    price = rule.reference_price
    if price is None or not math.isfinite(price) or price <= 0:
        selection.miss(rule.underlying, f"chain refused: reference price is {price}; give today's price")
        return
    live = _live(selection, rule.underlying, OPTION_TYPES)
    for expiry in _nearest_expiries(selection, live, (rule.underlying, "option", rule.expiries)):
        options = [one for one in live if one.expiry == expiry]
        strikes = _strikes_around(selection, options, rule, price)
        for instrument in sorted(options, key=lambda one: (one.strike, one.instrument_type)):
            if instrument.strike in strikes:
                selection.take(instrument, f"chain {rule.underlying}")


def _live(selection: _Selection, underlying: str, kinds: tuple[str, ...]) -> list[Instrument]:
    day = selection.day
    derivatives = [one for one in day.by_underlying.get(underlying, ()) if one.instrument_type in kinds]
    for undated in (one for one in derivatives if one.expiry is None):
        selection.miss(undated.key, "the dump gives no expiry of this derivative")
    return [one for one in derivatives if one.is_live(day.session)]


def _nearest_expiries(selection: _Selection, live: list[Instrument], wanted: tuple[str, str, int]) -> list[date]:
    underlying, kind, count = wanted
    expiries = sorted({one.expiry for one in live if one.expiry is not None})[:count]
    if not expiries:
        nameless = len(selection.day.by_underlying.get(underlying.partition(":")[0] + ":", ()))
        hint = f" ({nameless} derivatives of that exchange have no name)" if nameless else ""
        selection.miss(underlying, f"the dump of {selection.day.session} has no live {kind} of it{hint}")
    elif len(expiries) < count:
        selection.miss(underlying, f"{len(expiries)} of {count} {kind} expiries are in the dump")
    return expiries


def _strikes_around(
    selection: _Selection, options: list[Instrument], rule: ChainRule, price: float
) -> frozenset[float]:
    strikes = sorted({one.strike for one in options})
    expiry = options[0].expiry
    if not strikes[0] <= price <= strikes[-1]:
        selection.miss(
            rule.underlying,
            f"chain of {expiry} refused: reference price {price} is outside its strikes {strikes[0]}..{strikes[-1]}",
        )
        return frozenset()
    middle = min(range(len(strikes)), key=lambda at: (abs(strikes[at] - price), strikes[at]))
    side = rule.strikes_each_side
    below, above = min(side, middle), min(side, len(strikes) - 1 - middle)
    if below < side or above < side:
        selection.miss(
            rule.underlying, f"chain of {expiry} has {below} strikes below and {above} above, {side} are wanted"
        )
    return frozenset(strikes[middle - below : middle + above + 1])


def _refuse_too_many(chosen: tuple[Chosen, ...], rules: UniverseRules) -> None:
    room = rules.per_socket * rules.sockets
    if len(chosen) <= room:
        return
    parts = Counter(one.reason for one in chosen).most_common()
    largest = ", ".join(f"{reason} {count}" for reason, count in parts[:5])
    raise UniverseError(
        f"{len(chosen)} instruments are {len(chosen) - room} more than {rules.sockets} sockets of {rules.per_socket} "
        f"carry; shrink {parts[0][0]} first (largest parts: {largest})"
    )
