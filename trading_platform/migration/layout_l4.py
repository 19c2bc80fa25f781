"""Layout L4, December 2025: database 0 holds users, database 1 market data, database 2 analytics and validation."""

from trading_platform.migration.analytics_families import ANALYTICS
from trading_platform.migration.market_families import MARKET
from trading_platform.migration.rules import Layout
from trading_platform.migration.user_families import USERS
from trading_platform.migration.volume_families import BUCKETS, FIRST_NAMES, LATER_NAMES, SESSION_VOLUME

L4 = Layout(
    "L4",
    {
        0: USERS,
        1: (*MARKET, *FIRST_NAMES, *LATER_NAMES, *BUCKETS, *SESSION_VOLUME),
        2: ANALYTICS,
    },
)
