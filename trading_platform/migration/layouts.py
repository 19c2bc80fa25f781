"""The legacy layouts that can be migrated, by name."""

from trading_platform.errors import MigrationRefused
from trading_platform.migration.layout_l3 import L3
from trading_platform.migration.layout_l4 import L4
from trading_platform.migration.rules import Layout

LAYOUTS = {layout.name: layout for layout in (L3, L4)}


def layout_named(name: str) -> Layout:
    """Return a layout; raise MigrationRefused for one that has no rules."""
    found = LAYOUTS.get(name.upper())
    if found is None:
        raise MigrationRefused(f"there are no rules for layout {name!r}; known are {', '.join(LAYOUTS)}")
    return found
