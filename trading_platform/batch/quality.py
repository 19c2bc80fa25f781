"""What must hold of each table, as rules that count what breaks them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import polars as pl

from trading_platform.batch.reference import segment_of
from trading_platform.calc.volume_profile import PARTS_PER_SHARE, VALUE_AREA_SHARE
from trading_platform.errors import NoSessionError, UnknownSessionDate
from trading_platform.market.sessions import Phase, SessionClass, SessionTable
from trading_platform.market.universe import PER_SOCKET, SOCKETS
from trading_platform.wire.lake_tables import MOMENT

NEEDED_SHARE = 0.8
"""Part of the rows of baselines and seeds that must be known; below it the session starts half blind."""

RSI_RANGE = (0.0, 100.0)

CLASSES_OF_SEGMENT: dict[str | None, tuple[SessionClass, ...]] = {
    "NSE": (SessionClass.NSE_CASH_FNO, SessionClass.NSE_CASH),
    "NFO": (SessionClass.NSE_DERIVATIVES,),
    "CDS": (SessionClass.NSE_CURRENCY,),
    "BSE": (SessionClass.BSE_CASH_FNO, SessionClass.BSE_CASH),
    "BFO": (SessionClass.BSE_DERIVATIVES,),
    "BCD": (SessionClass.BSE_CURRENCY,),
    "MCX": (SessionClass.MCX,),
    "INDICES": (SessionClass.NSE_INDEX, SessionClass.BSE_INDEX, SessionClass.MCX),
    None: tuple(SessionClass),
}

Fact = int | float | str


@dataclass(frozen=True, slots=True)
class Finding:
    """Whether a table is sound, the counts that say so, and whether a failure only warns: too little, not wrong."""

    passed: bool
    facts: Mapping[str, Fact]
    only_warns: bool = False


def instruments_sound(rows: pl.DataFrame, session: date) -> Finding:
    """Refuse tokens that stand twice or contradict their segment, contracts that are over, steps of zero."""
    token_segment = segment_of(pl.col("token"))
    known = token_segment.is_not_null() & (pl.col("token") // 256 == pl.col("exchange_token"))
    return _faults(
        rows,
        {
            "duplicate tokens": pl.col("token").is_duplicated(),
            "token contradicts segment": known & (token_segment != pl.col("segment").str.split("-").list.first()),
            "expired contracts": (pl.col("expiry") < session).fill_null(value=False),
            "lot size below 1": pl.col("lot_size") < 1,
        },
    )


def universe_sound(rows: pl.DataFrame, instruments: pl.DataFrame) -> Finding:
    """Refuse what the day's dump does not list, what stands twice, and more than the sockets carry."""
    listed = instruments["token"].implode()
    finding = _faults(
        rows,
        {
            "not in the dump": ~pl.col("token").is_in(listed),
            "duplicate tokens": pl.col("token").is_duplicated(),
            "sockets over their limit": (pl.len().over("socket") > PER_SOCKET) | (pl.col("socket") > SOCKETS),
        },
    )
    return Finding(finding.passed and rows.height > 0, finding.facts)


def bars_sound(rows: pl.DataFrame, table: SessionTable, session: date) -> Finding:
    """Refuse prices out of order, bars that stand twice, and bars outside the hours of their segment."""
    low, high = pl.col("low"), pl.col("high")
    prices = [pl.col(name) for name in ("open", "high", "low", "close")]
    ordered = pl.all_horizontal((price >= low) & (price <= high) for price in prices)
    placed = rows.join(opening_hours(table, session), on="segment", how="left", nulls_equal=True)
    inside = (pl.col("start") >= pl.col("opens")) & (pl.col("start") < pl.col("closes"))
    return _faults(
        placed,
        {
            "prices out of order or unknown": ~ordered.fill_null(value=False),
            "duplicate bars": pl.struct("symbol", "segment", "start", "kind").is_duplicated(),
            "outside opening hours": ~inside.fill_null(value=False),
            "negative volume": (pl.col("volume") < 0).fill_null(value=False),
        },
    )


def opening_hours(table: SessionTable, session: date) -> pl.DataFrame:
    """Return segment, opens, closes: first and one past the last moment of its phases; null is any segment."""
    rows = []
    for segment, classes in CLASSES_OF_SEGMENT.items():
        phases = [phase for one in classes for phase in _phases(table, one, session)]
        if phases:
            rows.append((segment, min(phase.start for phase in phases), max(phase.end for phase in phases)))
    return pl.DataFrame(rows, schema={"segment": pl.String, "opens": MOMENT, "closes": MOMENT}, orient="row")


def _phases(table: SessionTable, session_class: SessionClass, session: date) -> tuple[Phase, ...]:
    try:
        return table.session(session_class, session).phases
    except (NoSessionError, UnknownSessionDate):
        return ()


def baselines_sound(rows: pl.DataFrame) -> Finding:
    """Refuse baselines that are not positive, or of which too few are known (a warning).

    Only instruments with at least half of the longest history count: a new contract cannot have a baseline yet. Nor do
    those of which rows say that they have none (options): how many of the universe lack one another check tells.
    """
    longest = pl.col("sessions_used").max()
    served = pl.col("model").is_null() | (pl.col("model") != "none")
    established = rows.filter((longest.over("token") * 2 >= longest) & served)
    share = established["expected_median"].count() / established.height if established.height else 0.0
    wrong = rows.filter(pl.col("expected_median") <= 0).height
    facts: dict[str, Fact] = {
        "rows": rows.height,
        "known share": round(share, 4),
        "needed share": NEEDED_SHARE,
        "not positive": wrong,
    }
    return Finding(share >= NEEDED_SHARE and not wrong, facts, only_warns=not wrong)


def seeds_sound(rows: pl.DataFrame) -> Finding:
    """Refuse seeds whose RSI or ATR cannot be, or of which too few are warm (a warning)."""
    warm = rows.drop_nulls(["ema_20", "rsi_14", "atr_14"])
    share = warm.height / rows.height if rows.height else 0.0
    impossible = warm.filter(~pl.col("rsi_14").is_between(*RSI_RANGE) | (pl.col("atr_14") < 0)).height
    facts: dict[str, Fact] = {
        "rows": rows.height,
        "warm share": round(share, 4),
        "needed share": NEEDED_SHARE,
        "impossible values": impossible,
    }
    return Finding(share >= NEEDED_SHARE and not impossible, facts, only_warns=not impossible)


def snapshots_sound(rows: pl.DataFrame, bars: pl.DataFrame) -> Finding:
    """Refuse values that cannot be, rows without their minute bar, and minute bars without a row.

    A bar that only a candle made, after a gap, has no row: indicators keep what they saw.
    """
    key = ["token", "start"]
    was_seen = pl.col("ticks").fill_null(1) > 0
    continuous = bars.drop_nulls("token").filter((pl.col("kind") == 0) & was_seen).select(key)
    minutes = rows.filter((pl.col("interval") == 1) & (pl.col("revision") == 0)).select(key)
    finding = _faults(
        rows,
        {
            "RSI outside 0 to 100": ~pl.col("rsi_14").is_between(*RSI_RANGE).fill_null(value=True),
            "negative ATR": (pl.col("atr_14") < 0).fill_null(value=False),
            "negative relative volume": (pl.col("rvol_bar") < 0).fill_null(value=False),
            "duplicate rows": pl.struct("token", "interval", "start", "revision").is_duplicated(),
        },
    )
    without_bar = minutes.join(continuous, on=key, how="anti").height
    without_row = continuous.join(minutes, on=key, how="anti").height
    facts = {**finding.facts, "rows without a bar": without_bar, "bars without a row": without_row}
    return Finding(finding.passed and not without_bar and not without_row, facts)


def signals_sound(rows: pl.DataFrame) -> Finding:
    """Refuse signals that were known before their bar ended, or whose stop and target lie on the wrong side."""
    entry, stop, target = pl.col("entry_ref"), pl.col("stop"), pl.col("target")
    wrong_side = (pl.col("direction") * (entry - stop) < 0) | (pl.col("direction") * (target - entry) < 0)
    length = (pl.col("confirmed_at") - pl.col("formed_at")).dt.total_minutes()
    return _faults(
        rows,
        {
            "known before the bar ended": pl.col("known_at") < pl.col("confirmed_at"),
            "length is not the interval": length != pl.col("interval"),
            "stop or target on the wrong side": wrong_side.fill_null(value=False),
            "duplicate signals": pl.struct("token", "pattern", "interval", "formed_at", "direction").is_duplicated(),
        },
    )


def profiles_sound(rows: pl.DataFrame, bars: pl.DataFrame) -> Finding:
    """Refuse profiles that lost volume or whose value area breaks its rule; ticks that tell other than bars warn."""
    traded = bars.filter(pl.col("kind") == 0).group_by("symbol", "segment").agg(pl.col("volume").sum().alias("of_bars"))
    joined = rows.join(traded, on=["symbol", "segment"], how="full", nulls_equal=True, coalesce=True)
    known = pl.col("poc").is_not_null()
    # a part of a share that a row is rounded by
    lost = (pl.col("histogram").list.sum() - pl.col("volume")).abs() > pl.col("histogram").list.len() / PARTS_PER_SHARE
    differs = known & (pl.col("volume") != pl.col("of_bars"))
    finding = _faults(
        joined,
        {
            "histogram differs from volume": known & lost,
            "value area too small": known & (pl.col("value_area_share") < VALUE_AREA_SHARE),
            "POC outside the value area": known & ~pl.col("poc").is_between("val", "vah"),
            "volume differs from bars": differs & (pl.col("method") == "bars"),
            "traded without a profile": ~known & (pl.col("of_bars") > 0),
            "duplicate rows": pl.struct("symbol", "segment").is_duplicated(),
        },
    )
    elsewhere = joined.filter(differs & (pl.col("method") == "ticks")).height
    facts = {**finding.facts, "ticks differ from bars": elsewhere}
    return Finding(finding.passed and not elsewhere, facts, only_warns=finding.passed)


def straddles_sound(rows: pl.DataFrame) -> Finding:
    """Refuse totals that fall, are negative or stand twice; a session in which no strike traded has none."""
    by = ["exchange", "underlying"]
    step = pl.col("underlying_straddle_volume").diff().over([*by, "expiry"], order_by="start")
    return _faults(
        rows,
        {
            "totals that fall": (step < 0).fill_null(value=False),
            "negative or unknown totals": ~(pl.col("underlying_straddle_volume") >= 0).fill_null(value=False),
            "duplicate rows": pl.struct(*by, "start").is_duplicated(),
        },
    )


def _faults(rows: pl.DataFrame, rules: Mapping[str, pl.Expr]) -> Finding:
    counts = rows.select(broken.sum().alias(name) for name, broken in rules.items()).row(0, named=True)
    facts: dict[str, Fact] = {"rows": rows.height, **{name: int(count or 0) for name, count in counts.items()}}
    return Finding(not any(counts.values()), facts)
