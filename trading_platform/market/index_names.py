"""Which symbols are known to be indices, from a dated table with a source per row."""

import csv
import functools
from importlib.resources import files


@functools.cache
def load_index_names() -> frozenset[str]:
    """Read the names that are shipped with the package, as data vendors and Kite write them."""
    text = files("trading_platform").joinpath("reference", "indices.csv").read_text(encoding="utf-8")
    return frozenset(row["name"] for row in csv.DictReader(text.splitlines()))


def is_index_name(symbol: str) -> bool:
    """Tell whether a symbol is the name of a known index, letter by letter."""
    return symbol in load_index_names()


def begins_like_index(symbol: str) -> bool:
    """Tell whether a symbol begins with the name of a known index; so do the funds that follow one."""
    return symbol.startswith(tuple(load_index_names()))
