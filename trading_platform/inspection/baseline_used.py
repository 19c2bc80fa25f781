"""The baseline that the pass used for one instrument: which version, from which sessions, or why there is none."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import numpy as np

from trading_platform.calc.volume_baseline import INTERVALS, BaselineBlock, expand_to_minutes
from trading_platform.inspection.trace import Trace
from trading_platform.market.instruments import Instrument
from trading_platform.wire.journal_records import ControlType

VERSION_DIGITS = 16


@dataclass(frozen=True, slots=True)
class BaselineUsed:
    """What relative volume is measured by; `known` counts the bars of a day with an expected volume, by length."""

    version: str | None
    sha256: str | None
    loaded_at_record: int | None
    sessions_used: int
    first_session: date | None
    last_session: date | None
    known: dict[int, int]
    none_because: str | None


def baseline_used(found: Trace, instrument: Instrument, blob: Callable[[str], bytes]) -> BaselineUsed:
    """Return the baseline that stands in the pass, by the control record that named it."""
    seen = found.last_content(ControlType.BASELINE)
    if seen is None:
        reason = (
            "the journal names no baseline: none was made before the session (asset volume_baselines)"
            if not instrument.is_index
            else "an index has no volume"
        )
        return BaselineUsed(None, None, None, 0, None, None, dict.fromkeys(INTERVALS, 0), reason)
    sha256 = str(seen.control.sha256)
    block = BaselineBlock.decode(blob(sha256))
    sessions = sorted(block.sessions_used)
    known = {n: int(np.isfinite(expand_to_minutes(block, n, [found.token])).sum()) for n in INTERVALS}
    return BaselineUsed(
        version=sha256[:VERSION_DIGITS],
        sha256=sha256,
        loaded_at_record=seen.record,
        sessions_used=len(sessions),
        first_session=sessions[0] if sessions else None,
        last_session=sessions[-1] if sessions else None,
        known=known,
        none_because=None if any(known.values()) else _why_none(instrument, block),
    )


def _why_none(instrument: Instrument, block: BaselineBlock) -> str:
    if instrument.is_index:
        return "an index has no volume"
    if instrument.token not in block.tokens:
        return "the baseline says nothing of this instrument: it had no bar with a volume in those sessions"
    return "too few of those sessions had a bar with a volume (setting baseline_min_sessions), or the median is 0"
