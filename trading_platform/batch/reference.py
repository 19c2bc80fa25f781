"""What can be traded and what is subscribed in a session: dump files to rows of the lake, and tokens for old bars."""

from datetime import date
from pathlib import Path

import polars as pl

from trading_platform.batch.instrument_dump import Dump, day_of
from trading_platform.errors import MissingInput
from trading_platform.market.instruments import FUTURE, OPTION_TYPES, SEGMENT_CODES, InstrumentDay
from trading_platform.market.sessions import SessionClass, SessionTable
from trading_platform.market.universe import ChainRule, Universe, UniverseRules, subscription_universe
from trading_platform.ports import TableStore
from trading_platform.wire.lake_tables import HISTORICAL_BARS, MINUTE_BARS

_RENAMED = {"instrument_token": "token", "tradingsymbol": "symbol"}

INDEX_OF_CHAIN = {
    "NFO:NIFTY": "NIFTY 50",
    "NFO:BANKNIFTY": "NIFTY BANK",
    "NFO:FINNIFTY": "NIFTY FIN SERVICE",
    "NFO:MIDCPNIFTY": "NIFTY MID SELECT",
    "BFO:SENSEX": "SENSEX",
}
"""Index whose price stands in the middle of a chain."""

CHAIN_EXPIRIES, CHAIN_STRIKES = 2, 25
"""How much of an index chain is subscribed when the whole dump is too large for the sockets."""


def dump_path(folder: Path, session: date) -> Path | None:
    """Return the file of that day's dump, None when there is none."""
    plain = folder / f"instruments_{session:%Y%m%d}.csv"
    packed = plain.with_suffix(".csv.gz")
    return next((path for path in (plain, packed) if path.is_file()), None)


def missing_dump(folder: Path, session: date) -> MissingInput:
    """Return the error that says how to get a dump."""
    return MissingInput(
        f"no instrument dump of {session}: put Kite's file at {folder}/instruments_{session:%Y%m%d}.csv (or .csv.gz); "
        "for today's set TP_KITE_API_KEY, then trading-platform login: job prepare_day fetches it within five minutes"
    )


def instrument_rows(dump: Dump, session: date) -> pl.DataFrame:
    """Return the rows of table `instruments`; raise InstrumentError when a token stands twice."""
    day_of(session, dump.rows)
    return dump.rows.rename(_RENAMED).with_columns(session=pl.lit(session))


def stored_day(rows: pl.DataFrame, session: date) -> InstrumentDay:
    """Return the instruments of a session from the rows of the lake."""
    return day_of(session, rows.rename({new: old for old, new in _RENAMED.items()}))


def choose_universe(day: InstrumentDay, closes: dict[str, float]) -> Universe:
    """Choose what to subscribe: the whole dump if the sockets carry it, else indices, F&O names and their derivatives.

    `closes` maps index symbols to their last known price; a chain without one is refused and named in `missing`.
    """
    rules = UniverseRules()
    indices = tuple(one.key for one in day.instruments if one.is_index)
    if len(day) <= rules.per_socket * rules.sockets:
        return subscription_universe(day, _everything(day, indices))
    index_names = tuple(key for key in INDEX_OF_CHAIN if key in day.by_underlying)
    chains = tuple(
        ChainRule(key, CHAIN_EXPIRIES, CHAIN_STRIKES, closes.get(INDEX_OF_CHAIN[key])) for key in index_names
    )
    wanted = UniverseRules(
        indices=indices, all_fno_cash=True, futures_of=index_names, futures_of_cash=True, chains=chains
    )
    return subscription_universe(day, wanted)


def universe_rows(universe: Universe, day: InstrumentDay) -> pl.DataFrame:
    """Return the rows of table `subscription_universe`."""
    rows = []
    for place, chosen in enumerate(universe.chosen):
        instrument = day.with_token(chosen.token)
        rows.append(
            {
                "session": universe.session,
                "token": chosen.token,
                "symbol": instrument.tradingsymbol,
                "exchange": instrument.exchange,
                "segment": instrument.segment,
                "reason": chosen.reason,
                "priority": place + 1,
                "socket": place // universe.per_socket + 1,
                "mode": universe.mode,
            }
        )
    return pl.DataFrame(rows)


def closes_before(lake: TableStore, table: SessionTable, session: date) -> dict[str, float]:
    """Return the last closes of the index session before, by symbol; none when the lake holds no bars of it."""
    before = table.previous_session(SessionClass.NSE_INDEX, session)
    held = next((name for name in (MINUTE_BARS.name, HISTORICAL_BARS.name) if before in lake.sessions(name)), None)
    if held is None:
        return {}
    last = lake.read_sessions(held, [before]).sort("start").group_by("symbol").agg(pl.col("close").last())
    return {str(symbol): float(close) for symbol, close in last.iter_rows() if close is not None}


def segment_of(token: pl.Expr) -> pl.Expr:
    """Return the segment that a token ends in, null for an unknown one."""
    codes = {code: name for name, code in SEGMENT_CODES.items()}
    return (token % 256).replace_strict(codes, default=None, return_dtype=pl.String)


def tokens_of_session(instruments: pl.DataFrame) -> pl.DataFrame:
    """Return symbol, segment_code (the segment by the token), token: how bars of other sessions find today's token."""
    return instruments.select("symbol", segment_of(pl.col("token")).alias("segment"), "token").unique(
        ["symbol", "segment"], keep="none"
    )


def with_tokens(bars: pl.DataFrame, instruments: pl.DataFrame) -> pl.DataFrame:
    """Give bars (symbol, segment, ...) the token that their instrument has in the session of `instruments`.

    Tokens are reused over time, so the join is by symbol and segment. Bars without a segment, as files give them,
    belong to the first segment of SEGMENT_CODES (indices first) that knows the symbol. Bars of instruments that the
    session does not list are left out.
    """
    known = tokens_of_session(instruments)
    order = ["INDICES", *(name for name in SEGMENT_CODES if name != "INDICES")]
    ranked = known.with_columns(rank=pl.col("segment").replace_strict(order, range(len(order)), default=len(order)))
    first = ranked.sort("rank").unique("symbol", keep="first").select("symbol", listed="token")
    joined = bars.drop("token", strict=False).join(known, on=["symbol", "segment"], how="left")
    joined = joined.join(first, on="symbol", how="left")
    by_symbol = pl.when(pl.col("segment").is_null()).then("listed")
    return joined.with_columns(token=pl.coalesce("token", by_symbol)).drop("listed").drop_nulls("token")


def _everything(day: InstrumentDay, indices: tuple[str, ...]) -> UniverseRules:
    plain = [one for one in day.instruments if not one.is_index and not one.is_derivative]
    options = sorted({one.underlying for one in day.instruments if one.instrument_type in OPTION_TYPES})
    futures = sorted({one.underlying for one in day.instruments if one.instrument_type == FUTURE})
    return UniverseRules(
        indices=indices,
        cash=tuple(one.key for one in plain),
        futures_of=tuple(futures),
        futures_expiries=max(1, len({one.expiry for one in day.instruments if one.instrument_type == FUTURE})),
        chains=tuple(_whole_chain(day, underlying) for underlying in options),
    )


def _whole_chain(day: InstrumentDay, underlying: str) -> ChainRule:
    options = [one for one in day.by_underlying[underlying] if one.instrument_type in OPTION_TYPES]
    strikes = sorted({one.strike for one in options})
    expiries = len({one.expiry for one in options})
    return ChainRule(underlying, expiries, len(strikes), strikes[len(strikes) // 2])
