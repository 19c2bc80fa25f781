"""What the lake holds of one instrument and session, and how it compares with the journal's pass."""

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from trading_platform.batch.bars import TICKS, bars_of_replay
from trading_platform.batch.pattern_runs import signals_of_replay
from trading_platform.batch.replay import frame_of_rows
from trading_platform.batch.snapshots import snapshots_of_replay
from trading_platform.calc.volume_baseline import INTERVALS
from trading_platform.errors import LakeError, MissingInput
from trading_platform.inspection.differences import Compared, Difference, Values, compare_rows
from trading_platform.inspection.names import bar_name, bucket_name, signal_name
from trading_platform.inspection.trace import Trace
from trading_platform.ports import TableStore
from trading_platform.wire.lake_columns import Table
from trading_platform.wire.lake_tables import INDICATOR_SNAPSHOTS, MINUTE_BARS, PATTERNS, VOLUME_BASELINES
from trading_platform.wire.records import BAR, INDICATOR, SIGNAL, Schema

LAKE = "lake"
_BUCKET = ("interval", "bucket_start")


@dataclass(frozen=True, slots=True)
class _Family:
    """A table, the rows of the pass that it is made of, and how."""

    table: Table
    schema: Schema
    made: Callable[[pl.DataFrame], pl.DataFrame]
    key: tuple[str, ...]
    name: Callable[[Values], str]


_FAMILIES = (
    _Family(
        MINUTE_BARS,
        BAR,
        lambda rows: bars_of_replay(rows.with_columns(pl.col("volume").cast(pl.Int64))),
        ("start", "kind"),
        bar_name,
    ),
    _Family(INDICATOR_SNAPSHOTS, INDICATOR, snapshots_of_replay, ("interval", "start", "revision"), bar_name),
    _Family(PATTERNS, SIGNAL, signals_of_replay, ("pattern", "interval", "direction", "formed_at"), signal_name),
)


def compare_with_lake(lake: TableStore, found: Trace, symbol: str, version: str | None) -> list[Compared]:
    """Compare each table that holds the session: bars, indicators, signals, and the baseline that was used."""
    rows = [_compare_table(lake, family, found, symbol) for family in _FAMILIES]
    return [*rows, _compare_baseline(lake, found, version)]


def _compare_table(lake: TableStore, family: _Family, found: Trace, symbol: str) -> Compared:
    store = f"{LAKE} {family.table.name}"
    held = _read(lake, family.table, found)
    if isinstance(held, str):
        return Compared(store, held)
    sources = set(held["source"].unique()) - {TICKS} if "source" in held.columns else set()
    reach = held["record"].max()
    if sources or not isinstance(reach, int):
        made_from = ", ".join(sorted(sources)) or "bars"
        return Compared(store, f"not compared: this session's rows were made from {made_from}, not from its journal")
    until = min(reach, found.state.position)
    mine = _recomputed(family, found, symbol, reach)
    theirs = held.filter(pl.col("token") == found.token)
    # a row that a later record made, or revised, has nothing here to stand beside
    later = theirs.filter(pl.col("record") > until)
    mine = mine.join(later, on=list(family.key), how="anti", nulls_equal=True)
    theirs = theirs.filter(pl.col("record") <= until)
    differences = compare_rows(
        store, family.name, key=family.key, journal=_values(family, mine), stored=_values(family, theirs)
    )
    return Compared(store, f"rows up to record {until:,}", mine.height, tuple(differences))


def _recomputed(family: _Family, found: Trace, symbol: str, reach: int) -> pl.DataFrame:
    rows = found.of(family.schema)
    rows = rows[rows["record"] <= reach]
    frame = frame_of_rows(family.schema, rows, found.state.session, {found.token: symbol})
    return family.table.conform(family.made(frame))


def _compare_baseline(lake: TableStore, found: Trace, version: str | None) -> Compared:
    """Compare the version that the pass used, and where it is the same, each expected volume."""
    store = f"{LAKE} {VOLUME_BASELINES.name}"
    rows = _read(lake, VOLUME_BASELINES, found)
    if isinstance(rows, str):
        return Compared(store, rows)
    held = rows["baseline_version"].drop_nulls().unique().sort().to_list()
    if held != [version]:
        difference = Difference(store, "baseline version", version, ", ".join(held) or None)
        return Compared(store, "another version than the pass used", None, (difference,))
    followed = (pl.col("token") == found.token) & pl.col("interval").is_in(INTERVALS)
    theirs = rows.filter(followed).select(*_BUCKET, "expected_median").to_dicts()
    mine = [{**one, "expected_median": found.expected(one["interval"], one["bucket_start"])} for one in theirs]
    differences = compare_rows(store, bucket_name, key=_BUCKET, journal=mine, stored=theirs)
    return Compared(store, f"version {version}", len(theirs), tuple(differences))


def _read(lake: TableStore, table: Table, found: Trace) -> pl.DataFrame | str:
    """Return the session's rows, or why there are none to compare."""
    try:
        return lake.read_sessions(table.name, [found.state.session])
    except MissingInput:
        return "holds nothing of this session yet: not compared"
    except LakeError as error:
        return f"cannot be read, not compared: {error}"


def _values(family: _Family, rows: pl.DataFrame) -> list[Values]:
    return [{"family": family.schema.name, **row} for row in rows.iter_rows(named=True)]
