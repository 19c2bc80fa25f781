"""What was traded between two packets: the change of the day's cumulative volume, and nothing else."""

from trading_platform.calc.kernel import Row, kernel
from trading_platform.calc.pass_layout import (
    CLOSED_VOLUME,
    DAY_VOLUME,
    EVENT_TIME,
    FROM_ZERO,
    HAS_VOLUME,
)

NEWER, SAME, REORDERED, FELL, FIRST_SNAPSHOT = range(5)


@kernel
def traded_volume_step(row: Row, day_volume: float, time: float) -> tuple[float, int]:
    """Fold a cumulative day volume into `row`; return (traded since the packet before, what kind of change).

    The highest volume seen stands: a lower one that is not newer came late, a lower one that is newer is a fault of
    the source; neither is traded, and neither makes a later packet count twice. The first volume counts from zero
    only if the socket was subscribed before the open; else it is a snapshot from which counting starts.
    """
    first = row[HAS_VOLUME] == 0.0
    row[HAS_VOLUME] = 1.0
    before = row[DAY_VOLUME]
    if first and row[FROM_ZERO] == 0.0:
        row[DAY_VOLUME] = day_volume
        row[CLOSED_VOLUME] = day_volume
        return 0.0, FIRST_SNAPSHOT
    if day_volume > before:
        row[DAY_VOLUME] = day_volume
        return day_volume - before, NEWER
    if day_volume == before:
        return 0.0, SAME
    return 0.0, REORDERED if time <= row[EVENT_TIME] else FELL
