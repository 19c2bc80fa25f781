"""A live platform that is started while the market is open: the day's instruments at once, the feed waits for them."""

from collections.abc import Callable

from trading_platform.batch.reference import dump_path
from trading_platform.errors import PlatformError
from trading_platform.health.market_hours import Duty, market_hours
from trading_platform.intake.kite_access import KiteAccess, pace_file
from trading_platform.market.clock import Clock
from trading_platform.market.sessions import SessionClass, SessionTable
from trading_platform.settings import Settings


def fetch_instruments(settings: Settings, table: SessionTable, clock: Clock, say: Callable[[str], None]) -> None:
    """Fetch the dump of today when the feed should have it and does not; a failure is said, and is no fault of a start.

    Earlier in the day Kite may still give yesterday's: that is left to the job `prepare_day`, which tries again too.
    """
    hours = market_hours(table, tuple(SessionClass), clock.now_ns())
    if hours.duty is Duty.CLOSED or dump_path(settings.dumps_dir, hours.today) is not None:
        return
    try:
        KiteAccess(settings.dumps_dir, pace_file(settings), lambda: settings).dump(hours.today)
    except PlatformError as error:
        say(f"warning: the feed waits for the instruments of {hours.today}, which prepare_day tries again: {error}")
    else:
        say(f"fetched the instruments of {hours.today}")
