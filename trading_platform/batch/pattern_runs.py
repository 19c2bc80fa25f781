"""Signals of a session, recomputed from its journal, and how live outputs compare with a replay, row for row."""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from trading_platform.batch.snapshots import version_text
from trading_platform.calc.pass_layout import BarFlag
from trading_platform.calc.patterns.catalogue import PATTERNS
from trading_platform.wire.records import BAR, INDICATOR, SIGNAL, Rows, Schema

_IN_SECONDS = ("start", "formed_at", "confirmed_at")


@dataclass(frozen=True, slots=True)
class Outputs:
    """Bars, indicators and signals of a session in comparable form: one column per stored field."""

    bars: pl.DataFrame
    indicators: pl.DataFrame
    signals: pl.DataFrame

    @property
    def families(self) -> Mapping[str, pl.DataFrame]:
        """Return the frames by name."""
        return {"bars": self.bars, "indicators": self.indicators, "signals": self.signals}

    def between(self, after: int, until: int) -> "Outputs":
        """Return the rows that records `after` + 1 to `until` made."""
        chosen = (pl.col("record") > after) & (pl.col("record") <= until)
        return Outputs(self.bars.filter(chosen), self.indicators.filter(chosen), self.signals.filter(chosen))


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs in one family of rows: counts, and the first row of either side."""

    family: str
    live: int
    replayed: int
    only_live: int
    only_replayed: int
    example: str

    @property
    def is_equal(self) -> bool:
        """Return whether every row of one side is on the other, as often."""
        return not (self.only_live or self.only_replayed)


def signals_of_replay(signals: pl.DataFrame, *, until: int | None = None) -> pl.DataFrame:
    """Return the rows of table `patterns`; `until` is the last record that counts."""
    kept = signals if until is None else signals.filter(pl.col("record") <= until)
    return kept.with_columns(version_text(pl.col("baseline_version")))


def live_outputs(bars: Rows, indicators: Rows, signals: Rows) -> Outputs:
    """Put rows as the engine wrote them into comparable form."""
    return Outputs(_of_rows(BAR, bars), _of_rows(INDICATOR, indicators), _of_rows(SIGNAL, signals))


def replay_outputs(bars: pl.DataFrame, indicators: pl.DataFrame, signals: pl.DataFrame) -> Outputs:
    """Put the frames of a replay into comparable form."""
    return Outputs(_of_frame(BAR, bars), _of_frame(INDICATOR, indicators), _of_frame(SIGNAL, _as_stored(signals)))


def compare(live: Outputs, replayed: Outputs) -> list[Difference]:
    """Compare every field of every row, to the bit; a null equals a null."""
    return [_difference(name, frame, replayed.families[name]) for name, frame in live.families.items()]


def revised_bars(outputs: Outputs) -> int:
    """Count bars that a packet changed after they had closed."""
    return outputs.bars.filter(pl.col("flags") & int(BarFlag.REVISED) != 0).height


def _as_stored(signals: pl.DataFrame) -> pl.DataFrame:
    """Undo what the edge does to a signal: the pattern's name to its number, moments to numbers."""
    numbers = {one.name: number for number, one in PATTERNS.items()}
    features = [name for name in signals.columns if name.startswith("feature_")]
    return signals.with_columns(
        pl.col("pattern").replace_strict(numbers, return_dtype=pl.Int64),
        (pl.col("known_at").dt.epoch("us") * 1000).alias("known_at_ns"),
        *(pl.col(name).cast(pl.Float64) for name in features),
    )


def _of_frame(schema: Schema, frame: pl.DataFrame) -> pl.DataFrame:
    columns = []
    for name in schema.dtype.names or ():
        column = pl.col(name)
        if name in _IN_SECONDS:
            column = column.dt.epoch("s")
        columns.append(column.cast(_comparable(schema, name)))
    return frame.select(columns).with_columns(pl.selectors.float().fill_nan(None))


def _of_rows(schema: Schema, rows: Rows) -> pl.DataFrame:
    names = schema.dtype.names or ()
    frame = pl.DataFrame({name: pl.Series(rows[name].copy()).cast(_comparable(schema, name)) for name in names})
    frame = frame.with_columns(pl.selectors.float().fill_nan(None))
    # frames hold moments in microseconds
    return frame if "known_at_ns" not in names else frame.with_columns(pl.col("known_at_ns") // 1000 * 1000)


def _comparable(schema: Schema, name: str) -> type[pl.DataType]:
    if schema.dtype[name].kind == "f":
        return pl.Float64
    return pl.UInt64 if schema.dtype[name].itemsize == 8 and schema.dtype[name].kind == "u" else pl.Int64


def _difference(family: str, live: pl.DataFrame, replayed: pl.DataFrame) -> Difference:
    counted = [_numbered(frame) for frame in (live, replayed)]
    only_live = counted[0].join(counted[1], on=counted[0].columns, how="anti", nulls_equal=True)
    only_replayed = counted[1].join(counted[0], on=counted[0].columns, how="anti", nulls_equal=True)
    first = [f"{side} {frame.row(0, named=True)}" for side, frame in _sides(only_live, only_replayed) if frame.height]
    return Difference(family, live.height, replayed.height, only_live.height, only_replayed.height, "; ".join(first))


def _sides(live: pl.DataFrame, replayed: pl.DataFrame) -> list[tuple[str, pl.DataFrame]]:
    return [("only live:", live), ("only replayed:", replayed)]


def _numbered(frame: pl.DataFrame) -> pl.DataFrame:
    """Give each row its number among its equals, so that a row held twice differs from one held once."""
    if not frame.height:
        return frame.with_columns(_again=pl.lit(0, pl.Int64))
    return frame.with_columns(_again=pl.int_range(pl.len()).over(frame.columns))
