"""Bars that gaps touched, as they were last written: what a candle that is fetched later is compared with."""

import numpy as np

from trading_platform.calc.pass_layout import BarFlag
from trading_platform.errors import BlockFormatError
from trading_platform.market.session_kinds import PhaseKind
from trading_platform.wire.records import BAR, Rows

_KEY = ("token", "interval", "start")
_CONTINUOUS, _GAP = int(PhaseKind.CONTINUOUS), int(BarFlag.GAP)


class GapBars:
    """The last row of each bar of continuous trading that is flagged as touched by a gap."""

    def __init__(self) -> None:
        self._rows: Rows = np.zeros(0, BAR.dtype)
        self._fresh: list[Rows] = []

    def keep(self, bars: Rows) -> None:
        """Take over what was written last of bars that a gap touched."""
        chosen = bars[(bars["flags"] & _GAP != 0) & (bars["kind"] == _CONTINUOUS)]
        if len(chosen):
            self._fresh.append(chosen)

    def rows(self) -> Rows:
        """Return all of them by token, interval and start."""
        if self._fresh:
            found = np.concatenate([self._rows, *self._fresh])
            order = np.lexsort([found[name] for name in reversed(_KEY)])  # stable: the row written last comes last
            found = found[order]
            keys = found[list(_KEY)]
            self._rows = found[np.append(keys[1:] != keys[:-1], True)]  # the last row of all
            self._fresh = []
        return self._rows

    def of(self, token: int) -> dict[tuple[int, int], np.void]:
        """Return those of one instrument by interval and start, as copies."""
        rows = self.rows()
        first, end = np.searchsorted(rows["token"], np.array([token, token + 1], dtype=np.int64))
        return {(int(row["interval"]), int(row["start"])): row.copy() for row in rows[first:end]}

    def pack(self) -> Rows:
        """Return what a state file keeps (bytes)."""
        return self.rows().view(np.uint8)

    @classmethod
    def unpack(cls, packed: Rows) -> "GapBars":
        """Read what a state file kept; raise BlockFormatError for anything else."""
        held = cls()
        if packed.dtype != np.uint8 or packed.ndim != 1 or len(packed) % BAR.dtype.itemsize:
            raise BlockFormatError(f"{len(packed)} bytes are no bars: another version wrote this state")
        held._rows = np.ascontiguousarray(packed).view(BAR.dtype).copy()
        return held
