"""Layout L3, late November 2025: database 1 holds everything live, database 2 analytics.

Writers were moved one by one, so keys of both names stand side by side, and database 2 still has what it had before.
"""

from trading_platform.migration.analytics_families import ANALYTICS
from trading_platform.migration.market_families import MARKET, TICKS
from trading_platform.migration.rules import Layout, suffixed
from trading_platform.migration.volume_families import BUCKETS, FIRST_NAMES, LATER_NAMES

_REALTIME = tuple(rule for rule in TICKS if rule.family == "realtime")

L3 = Layout(
    "L3",
    {
        1: (*MARKET, *FIRST_NAMES, *LATER_NAMES, *BUCKETS),
        2: (*ANALYTICS, *suffixed((*FIRST_NAMES, *_REALTIME), "db2")),
    },
)
