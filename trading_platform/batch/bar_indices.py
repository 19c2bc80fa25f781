"""Which symbols of bar files are indices, and why: by name, or because they move and never have a volume."""

from collections.abc import Sequence

import polars as pl

from trading_platform.errors import BadFileError
from trading_platform.market.index_names import begins_like_index, is_index_name

NAMED = "named by --index"
KNOWN = "known by name"
ALIKE = "begins with the name of a known index, without volume throughout"
MOVING = "moves, without volume throughout"

_MOVING_SHARE = 0.5
"""A share that never trades stands still; of an index at least this part of the minutes moves."""


def find_indices(rows: pl.DataFrame, named: Sequence[str]) -> dict[str, str]:
    """Return the symbols that are indices, sorted, and the reason for each.

    `rows` has symbol, high, low, volume and no_volume (the cell is empty). Names given or known always count, the
    other reasons only where no names are given. Raise BadFileError for a given name that no row bears.
    """
    symbols = rows["symbol"].drop_nulls().unique().sort().to_list()
    if unknown := sorted(set(named) - set(symbols)):
        raise BadFileError(f"no row of the files belongs to the index {', '.join(unknown)}; mend --index")
    silent = {} if named else _silent(rows)
    found = {}
    for symbol in symbols:
        if symbol in named:
            found[symbol] = NAMED
        elif is_index_name(symbol):
            found[symbol] = KNOWN
        elif symbol in silent and begins_like_index(symbol):
            found[symbol] = ALIKE
        elif silent.get(symbol, 0.0) >= _MOVING_SHARE:
            found[symbol] = MOVING
    return found


def _silent(rows: pl.DataFrame) -> dict[str, float]:
    """Return the part of readable minutes in which the price moves, for symbols that never have a volume."""
    none = pl.col("no_volume") | (pl.col("volume") == 0)
    readable = (pl.col("no_volume") | pl.col("volume").is_finite()) & (pl.col("high") >= pl.col("low"))
    by_symbol = rows.filter(pl.col("symbol").is_not_null() & readable.fill_null(value=False)).group_by("symbol")
    told = by_symbol.agg(never=none.all(), moving=(pl.col("high") > pl.col("low")).mean())
    return dict(told.filter("never").select("symbol", "moving").iter_rows())
