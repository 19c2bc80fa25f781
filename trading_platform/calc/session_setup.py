"""What control records do to the memory of a pass: hours, instruments, settings, seeds, baselines, sockets, gaps."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from trading_platform.calc.bar_indicators import INDICATOR_FIELDS
from trading_platform.calc.indicator_seeds import SeedBlock
from trading_platform.calc.pass_layout import (
    AFTER_GAP,
    BASELINE_VERSION,
    BREAKOUT_BARS,
    BREAKOUT_MARGIN,
    COOLDOWN,
    CROSS_CLOSES,
    CROSS_RVOL,
    FIVE_AT,
    FROM_ZERO,
    GAP_FROM,
    GAP_UNTIL,
    INDICATORS_AT,
    LONG_MINUTES,
    MAX_PHASES,
    MIDNIGHT,
    MINUTE_AT,
    NEXT_MINUTE,
    NO_PHASES,
    PHASES,
    RUN_1,
    RUN_5,
    SPIKE_RVOL,
    SPIKE_VALUE,
    empty_memory,
)
from trading_platform.calc.volume_baseline import BaselineBlock, baseline_version, expand_to_minutes
from trading_platform.errors import EngineError, InstrumentError
from trading_platform.market.clock import IST, NS_PER_SECOND
from trading_platform.market.instruments import InstrumentDay, session_class
from trading_platform.market.sessions import PhaseKind, SessionClass
from trading_platform.wire.instrument_block import from_block
from trading_platform.wire.journal_records import Control, ControlType
from trading_platform.wire.session_block import SessionHours, decode_hours

_CLASSES = list(SessionClass)
_SETTINGS = {
    SPIKE_RVOL: "spike_min_rvol",
    SPIKE_VALUE: "spike_min_value_inr",
    BREAKOUT_BARS: "breakout_bars",
    BREAKOUT_MARGIN: "breakout_margin_atr",
    CROSS_CLOSES: "cross_min_closes",
    CROSS_RVOL: "cross_min_rvol",
    COOLDOWN: "cooldown_bars",
}
_FOREVER = float(2**62)


@dataclass(slots=True)
class Contents:
    """Which contents the session's control records have named so far; a restored pass reads them again."""

    named: dict[str, str] = field(default_factory=dict)  # control type -> sha256
    sockets: dict[int, list[int]] = field(default_factory=dict)  # socket -> its tokens

    def as_meta(self) -> dict[str, Any]:
        """Return what a state file keeps."""
        return {"named": dict(self.named), "sockets": {str(k): v for k, v in self.sockets.items()}}

    @classmethod
    def from_meta(cls, meta: Mapping[str, Any]) -> "Contents":
        """Read what a state file kept."""
        return cls(named=dict(meta["named"]), sockets={int(k): list(v) for k, v in meta["sockets"].items()})


class SessionSetup:
    """Holds the memory of a pass and changes it as control records say."""

    def __init__(self, session: date, blob: Callable[[str], bytes]) -> None:
        self.session = session
        self.memory = empty_memory(np.zeros(0, dtype=np.uint32), len(_CLASSES))
        self.contents = Contents()
        self.unplaced: dict[int, str] = {}
        self._blob = blob
        self._hours: SessionHours | None = None
        self.day: InstrumentDay | None = None
        self._seeds: SeedBlock | None = None
        self._baseline: BaselineBlock | None = None
        midnight = int(datetime.combine(session, time(), IST).timestamp())
        self.memory.scalars[MIDNIGHT] = midnight
        self.memory.scalars[NEXT_MINUTE] = midnight // 60

    def apply(self, control: Control, received_ns: int) -> None:
        """Let one control record take effect; raise EngineError when it contradicts the session."""
        if control.sha256 is not None and control.type is not ControlType.SUBSCRIBED:
            self.load(control.type, control.sha256)
        elif control.type is ControlType.SUBSCRIBED:
            self._subscribe(control, received_ns)
        elif control.type is ControlType.DISCONNECTED:
            tokens = self.contents.sockets.get(int(control.fields.get("socket", 0)), [])
            self._open_gap(tokens, received_ns / NS_PER_SECOND, _FOREVER)
        elif control.type is ControlType.GAP:
            tokens = control.fields.get("tokens") or self.memory.tokens.tolist()
            self._open_gap(
                tokens, control.fields["from_ns"] / NS_PER_SECOND, control.fields["until_ns"] / NS_PER_SECOND
            )

    def load(self, kind: ControlType, sha256: str) -> None:
        """Read the content of one kind and put it to use."""
        loaders: dict[ControlType, Callable[[bytes], None]] = {
            ControlType.SETTINGS: self._load_settings,
            ControlType.SESSION_TABLE: self._load_hours,
            ControlType.INSTRUMENTS: self._load_instruments,
            ControlType.SEEDS: self._load_seeds,
            ControlType.BASELINE: self._load_baseline,
        }
        if kind in loaders:
            loaders[kind](self._blob(sha256))
            self.contents.named[kind.value] = sha256

    def take_over(self, arrays: Mapping[str, NDArray[Any]], contents: Contents) -> None:
        """Become what a state file holds; what its contents named is read again."""
        tokens = arrays["tokens"].astype(np.uint32)
        self.memory = empty_memory(tokens, len(_CLASSES))
        for name in ("state", "dirty", "latest_dirty", "scalars", "counters"):
            getattr(self.memory, name)[:] = arrays[name]
        self.memory.latest[:] = arrays["latest"].view(self.memory.latest.dtype)
        for kind, sha256 in contents.named.items():
            self.load(ControlType(kind), sha256)
        self.contents = contents

    def _load_settings(self, content: bytes) -> None:
        settings = orjson.loads(content)
        missing = [name for name in (*_SETTINGS.values(), "pattern_intervals") if name not in settings]
        if missing:
            raise EngineError(f"the journal's settings lack {', '.join(missing)}: they come from another version")
        for at, name in _SETTINGS.items():
            self.memory.parameters[at] = float(settings[name])
        self.memory.parameters[RUN_1] = float(1 in settings["pattern_intervals"])
        self.memory.parameters[RUN_5] = float(LONG_MINUTES in settings["pattern_intervals"])

    def _load_hours(self, content: bytes) -> None:
        hours = decode_hours(content)
        if hours.session != self.session:
            raise EngineError(f"the journal of {self.session} names opening hours of {hours.session}")
        self._hours = hours
        self.memory.phases[:] = 0
        for name, phases in hours.phases.items():
            if len(phases) > MAX_PHASES:
                raise EngineError(f"{name} has {len(phases)} phases on {self.session}; {MAX_PHASES} fit")
            for k, phase in enumerate(phases):
                self.memory.phases[_CLASSES.index(name), k] = (int(phase.kind), phase.start, phase.end)

    def _load_instruments(self, content: bytes) -> None:
        self.day = from_block(content)

    def _load_seeds(self, content: bytes) -> None:
        self._seeds = SeedBlock.decode(content)
        self._refuse_other_session("seeds", self._seeds.session)

    def _load_baseline(self, content: bytes) -> None:
        self._baseline = BaselineBlock.decode(content)
        self._refuse_other_session("baseline", self._baseline.session)
        self.memory.scalars[BASELINE_VERSION] = np.uint64(baseline_version(content)).astype(np.int64)
        self._fill_expected(0)

    def _refuse_other_session(self, what: str, session: date) -> None:
        if session != self.session:
            raise EngineError(f"the journal of {self.session} names a {what} block of {session}")

    def _subscribe(self, control: Control, received_ns: int) -> None:
        sha256 = control.sha256
        if sha256 is None:
            raise EngineError("a subscribed record names no content: it must list the tokens")
        tokens = [int(token) for token in orjson.loads(self._blob(sha256))]
        socket = int(control.fields.get("socket", 0))
        self.contents.sockets[socket] = tokens
        known = set(self.memory.tokens.tolist())
        fresh = [token for token in dict.fromkeys(tokens) if token not in known]
        self._end_gap([token for token in tokens if token in known], received_ns / NS_PER_SECOND)
        if fresh:
            self._add_rows(np.array(fresh, dtype=np.uint32), received_ns // NS_PER_SECOND)

    def _add_rows(self, fresh: NDArray[np.uint32], received: int) -> None:
        old = self.memory
        first = len(old.tokens)
        grown = empty_memory(np.concatenate([old.tokens, fresh]), len(_CLASSES))
        for name in ("state", "latest", "dirty", "latest_dirty", "expected_1", "expected_5"):
            getattr(grown, name)[:first] = getattr(old, name)
        for name in ("scalars", "counters", "phases", "parameters"):
            getattr(grown, name)[:] = getattr(old, name)
        self.memory = grown
        for row in range(first, len(grown.tokens)):
            self._place(row, received)
        self._seed(first)
        self._fill_expected(first)

    def _place(self, row: int, received: int) -> None:
        token = int(self.memory.tokens[row])
        state = self.memory.state[row]
        state[PHASES] = NO_PHASES
        if self.day is None or self._hours is None:
            raise EngineError("a socket was subscribed before the journal named instruments and opening hours")
        try:
            found = session_class(self.day.with_token(token), self.day.fno_names)
        except InstrumentError as error:
            self.unplaced[token] = str(error)
            return
        phases = self._hours.phases.get(found)
        if phases is None:
            self.unplaced[token] = f"{found} is closed or not covered on {self.session}"
            return
        state[PHASES] = _CLASSES.index(found)
        opens = min(phase.start for phase in phases if phase.kind is PhaseKind.CONTINUOUS)
        state[FROM_ZERO] = float(received < opens)

    def _seed(self, first: int) -> None:
        if self._seeds is None:
            return
        rows = {int(token): k for k, token in enumerate(self._seeds.tokens)}
        for row in range(first, len(self.memory.tokens)):
            k = rows.get(int(self.memory.tokens[row]))
            if k is None:
                continue
            for part, base in enumerate((MINUTE_AT, FIVE_AT)):
                at = base + INDICATORS_AT
                self.memory.state[row, at : at + INDICATOR_FIELDS] = self._seeds.states[k, part]

    def _fill_expected(self, first: int) -> None:
        if self._baseline is None:
            return
        tokens = self.memory.tokens[first:]
        self.memory.expected_1[first:] = expand_to_minutes(self._baseline, 1, tokens)
        self.memory.expected_5[first:] = expand_to_minutes(self._baseline, LONG_MINUTES, tokens)

    def _open_gap(self, tokens: list[int], start: float, end: float) -> None:
        rows = self._rows_of(tokens)
        state = self.memory.state
        # a gap that still touches a bar not closed yet is joined with the new one, not forgotten
        touching = state[rows, GAP_UNTIL] > self.memory.scalars[NEXT_MINUTE] * 60
        state[rows, GAP_FROM] = np.where(touching, np.minimum(state[rows, GAP_FROM], start), start)
        state[rows, GAP_UNTIL] = end
        state[rows, AFTER_GAP] = 1.0

    def _end_gap(self, tokens: list[int], end: float) -> None:
        rows = self._rows_of(tokens)
        until = self.memory.state[rows, GAP_UNTIL]
        self.memory.state[rows, GAP_UNTIL] = np.where(until == _FOREVER, end, until)

    def _rows_of(self, tokens: list[int]) -> list[int]:
        rows = {int(token): row for row, token in enumerate(self.memory.tokens)}
        return [rows[int(token)] for token in tokens if int(token) in rows]
