"""What must hold of a session's baselines beside their soundness: who has one, from which past, and how good they were.

None of these is a fault of the rows: each warns, says what was seen, and what to do.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import polars as pl

from trading_platform.batch.baseline_scores import TARGET, complete
from trading_platform.batch.quality import NEEDED_SHARE, Fact, Finding
from trading_platform.market.corporate_actions import CorporateActions

CHECKED_MINUTES = 5
"""Length of the bars that drift, calibration and jumps are judged by: liquid enough, and many."""

BIAS_OF_SESSION, BIAS_OF_MEAN = 0.5, 0.25
"""Limits of the mean of ln(forecast / actual): a busy day moves all names, a week of them is a fault of the model."""

INSIDE, INSIDE_OF_SESSION, INSIDE_OF_MEAN = 0.8, 0.2, 0.1
"""Share of bars that q10 to q90 is made to hold, and how far a session and the mean of the last may be off."""
LEAST_BANDED = 500
"""Bars below which a share says nothing."""

JUMP_OF_MEDIAN, JUMP_OF_NAME = 1.5, 4.0
"""Factors by which the expected volume of the day may change between two sessions."""

_NAMED = 20
_WITHOUT_VOLUME = ("CE", "PE")

Figures = Mapping[str, Any]


def coverage_sound(baselines: pl.DataFrame, universe: pl.DataFrame, instruments: pl.DataFrame) -> Finding:
    """Refuse that too few of the subscribed shares and futures have a baseline; options and indices need none."""
    plain = ~pl.col("instrument_type").is_in(_WITHOUT_VOLUME) & (pl.col("segment") != "INDICES")
    wanted = universe.select("token").join(instruments.filter(plain), on="token").select("token", "symbol", "segment")
    rows = complete(baselines)
    known = rows.filter(pl.col(TARGET).is_not_null()).select("token").unique()
    lacking = wanted.join(known, on="token", how="anti")
    told = rows.drop_nulls("reason").select("token", "reason").unique("token", keep="first", maintain_order=True)
    reasons = lacking.join(told, on="token", how="left").with_columns(pl.col("reason").fill_null("no row at all"))
    share = 1 - lacking.height / wanted.height if wanted.height else 0.0
    facts: dict[str, Fact] = {
        "subscribed shares and futures": wanted.height,
        "with a baseline": wanted.height - lacking.height,
        "share": round(share, 4),
        "needed share": NEEDED_SHARE,
        "by segment": _by_segment(wanted, lacking),
        "reasons": _counted(reasons["reason"]),
        "without": _names(lacking["symbol"]),
    }
    if not wanted.height:
        return _warned("nothing is subscribed that could have a baseline", "materialise subscription_universe", facts)
    says = f"{wanted.height - lacking.height} of {wanted.height} subscribed shares and futures have a baseline"
    what = "backfill the sessions before (`trading-platform backfill`), then materialise volume_baselines again"
    return _judged(passed=share >= NEEDED_SHARE, says=says, what=what, facts=facts)


def bias_sound(scored: Mapping[date, Figures]) -> Finding:
    """Refuse forecasts that lay too high or too low: those of the last scored session, or the mean of the last few."""
    known = {day: float(one["bias"]) for day, one in sorted(scored.items()) if one["bias"] is not None}
    if not known:
        return _unscored()
    last, mean = max(known), sum(known.values()) / len(known)
    bias = known[last]
    facts: dict[str, Fact] = {
        "scored session": str(last),
        "bias": round(bias, 4),
        "limit of a session": BIAS_OF_SESSION,
        "mean bias": round(mean, 4),
        "sessions": len(known),
        "limit of the mean": BIAS_OF_MEAN,
    }
    within = abs(bias) <= BIAS_OF_SESSION and (abs(mean) <= BIAS_OF_MEAN or len(known) == 1)
    says = f"forecasts of {last} lay {_percent(bias)} what came, those of {len(known)} sessions {_percent(mean)} it"
    what = "one busy or quiet day passes; if it stays, look for missing bars or an unknown split, and fit anew"
    return _judged(passed=within, says=says, what=what, facts=facts)


def calibration_sound(scored: Mapping[date, Figures]) -> Finding:
    """Refuse a band from q10 to q90 that holds much more or much less than 80% of the bars."""
    held = {day: (float(one["inside_80"]), int(one["banded"])) for day, one in sorted(scored.items()) if one["banded"]}
    bars = sum(count for _, count in held.values())
    if not held:
        return _unscored("no scored session has baselines with a band, from q10 to q90")
    last = max(held)
    inside, mean = held[last][0], sum(share * count for share, count in held.values()) / bars
    facts: dict[str, Fact] = {
        "scored session": str(last),
        "share inside the band": round(inside, 4),
        "share inside over sessions": round(mean, 4),
        "sessions": len(held),
        "bars": bars,
        "needed bars": LEAST_BANDED,
        "wanted share": INSIDE,
        "limit of a session": INSIDE_OF_SESSION,
        "limit over sessions": INSIDE_OF_MEAN,
    }
    if bars < LEAST_BANDED:
        return _warned(f"{bars} bars are too few to judge a band by", "wait for a whole session with bars", facts)
    within = abs(inside - INSIDE) <= INSIDE_OF_SESSION and abs(mean - INSIDE) <= INSIDE_OF_MEAN
    says = f"q10 to q90 held {inside:.1%} of the bars of {last}, {mean:.1%} of those of {len(held)} sessions"
    what = "too little: the day or the model is off, see the bias; too much: fit anew, the band is too wide to warn"
    return _judged(passed=within, says=says, what=what, facts=facts)


def history_sound(
    baselines: pl.DataFrame, wanted: Mapping[str, Sequence[date]], used: Sequence[date] | None, count: int
) -> Finding:
    """Refuse baselines that miss the last comparable session of a class (name -> sessions) or have fewer than `count`.

    `used` are the sessions whose bars went in, None where that is not known.
    """
    per_name = baselines.group_by("token").agg(pl.col("sessions_used").max().fill_null(0))["sessions_used"]
    have = set(used or ())
    stale = {name: max(days) for name, days in wanted.items() if days and max(days) not in have}
    held = {name: len(have.intersection(days)) for name, days in wanted.items()}
    short = {name: sessions for name, sessions in held.items() if sessions < count}
    facts: dict[str, Fact] = {
        "names": len(per_name),
        "sessions wanted": count,
        "sessions used": ", ".join(f"{name}: {sessions}" for name, sessions in held.items()) or "none",
        "last session used": str(max(have)) if have else "unknown",
        "stale": ", ".join(f"{name} lacks {day}" for name, day in stale.items()) or "none",
        "names with fewer sessions": int((per_name < count).sum()),
    }
    again = "bring the missing bars (`trading-platform backfill`), then materialise volume_baselines again"
    if not len(per_name) or not wanted:
        return _warned("there are no baselines", again, facts)
    if used is None:
        return _warned("nothing says which sessions went in", "materialise volume_baselines again", facts)
    told = [f"{name}: the last comparable session, {day}, is not in it" for name, day in stale.items()]
    told += [f"{name}: {sessions} of {count} sessions" for name, sessions in short.items() if name not in stale]
    says = "; ".join(told) or f"{count} sessions up to the last one went in"
    return _judged(passed=not told, says=says, what=again, facts=facts)


def jump_sound(today: pl.DataFrame, before: pl.DataFrame | None, session: date, actions: CorporateActions) -> Finding:
    """Refuse that most names, or single ones, are expected to trade a multiple of what the baselines before said.

    Compared are the buckets that both know, those before in the measure of today: a split is no jump.
    """
    if before is None or before.is_empty():
        return _warned("there is no baseline of an earlier session of this kind", "none: the next one is compared")
    earlier = before["session"][0]
    both = _both(complete(today), complete(before))
    factors = [actions.factor(symbol, earlier, session) for symbol in both["symbol"]]
    jumps = both.with_columns(jump=pl.col("now") / (pl.col("then") * pl.Series(factors, dtype=pl.Float64)))
    jumps = jumps.with_columns(size=pl.col("jump").log().abs()).sort("size", "symbol", descending=[True, False])
    wild = jumps.filter(pl.col("size") > math.log(JUMP_OF_NAME))
    median = jumps["size"].median()
    facts: dict[str, Fact] = {
        "compared with": str(earlier),
        "names": jumps.height,
        "median factor": round(math.exp(median), 4) if isinstance(median, float) else "unknown",
        "limit of the median": JUMP_OF_MEDIAN,
        "names beyond their limit": wild.height,
        "limit of a name": JUMP_OF_NAME,
        "largest": ", ".join(f"{row['symbol']} x{row['jump']:.3g}" for row in jumps.head(_NAMED).iter_rows(named=True)),
    }
    if not isinstance(median, float):
        return _warned(f"no name has a baseline for today and for {earlier}", "see baseline_coverage", facts)
    says = f"against {earlier}, expected volume changed by a factor of {math.exp(median):.2f} in the median name"
    says += f"; {wild.height} names by more than {JUMP_OF_NAME:g}: {_names(wild['symbol'])}" if wild.height else ""
    what = "look for an unknown split or bonus of these names, and for bars of a day that are wrong"
    return _judged(passed=median <= math.log(JUMP_OF_MEDIAN) and wild.is_empty(), says=says, what=what, facts=facts)


def _both(today: pl.DataFrame, before: pl.DataFrame) -> pl.DataFrame:
    """Return token, symbol, and what both days expect of the buckets that both know, as `now` and `then`."""
    has_mean = all(frame["expected_mean"].count() for frame in (today, before))
    column = "expected_mean" if has_mean else TARGET
    parts = [
        frame.filter((pl.col("interval") == CHECKED_MINUTES) & (pl.col(column) > 0)).select(
            "token", "symbol", "bucket_start", pl.col(column).alias(name)
        )
        for frame, name in ((today, "now"), (before, "then"))
    ]
    joined = parts[0].join(parts[1].drop("symbol"), on=["token", "bucket_start"])
    return joined.group_by("token", "symbol").agg(pl.col("now", "then").sum()).sort("token")


def _judged(*, passed: bool, says: str, what: str, facts: Mapping[str, Fact]) -> Finding:
    return Finding(passed, {"says": says, "what to do": "nothing" if passed else what, **facts}, only_warns=True)


def _warned(says: str, what: str, facts: Mapping[str, Fact] | None = None) -> Finding:
    return _judged(passed=False, says=says, what=what, facts=facts or {})


def _unscored(says: str = "no session before has both baselines and bars") -> Finding:
    return _warned(f"{says}: nothing can be scored", "record or backfill a session that has baselines, or wait for one")


def _percent(bias: float) -> str:
    return f"{abs(math.expm1(bias)):.0%} {'above' if bias >= 0 else 'below'}"


def _by_segment(wanted: pl.DataFrame, lacking: pl.DataFrame) -> str:
    without = dict(lacking.group_by("segment").len().iter_rows())
    counts = sorted(wanted.group_by("segment").len().iter_rows())
    return ", ".join(f"{name}: {count - without.get(name, 0)} of {count}" for name, count in counts)


def _counted(values: pl.Series) -> str:
    counts = values.value_counts(sort=True).head(_NAMED).iter_rows()
    return ", ".join(f"{value}: {count}" for value, count in counts) or "none"


def _names(symbols: pl.Series) -> str:
    shown = symbols.sort().to_list()
    more = f" and {len(shown) - _NAMED} more" if len(shown) > _NAMED else ""
    return (", ".join(shown[:_NAMED]) or "none") + more
