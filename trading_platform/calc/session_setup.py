"""What control records do to the memory of a pass: hours, instruments, settings, seeds, baselines, sockets, gaps."""

from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trading_platform.calc.bar_indicators import INDICATOR_FIELDS
from trading_platform.calc.baseline_memory import fill_expected
from trading_platform.calc.gap_bars import GapBars
from trading_platform.calc.gap_marks import Indices, begin_gap, end_gap, name_gap, pack_marks, unpack_marks
from trading_platform.calc.indicator_seeds import SeedBlock
from trading_platform.calc.pass_layout import (
    BARS_CLOSED_AT,
    BASELINE_FLAGS,
    BASELINE_VERSION,
    FINISHING,
    FIVE_AT,
    FROM_ZERO,
    INDICATORS_AT,
    LAST_RECEIVED,
    MAX_PHASES,
    MIDNIGHT,
    MINUTE_AT,
    NEXT_MINUTE,
    PHASES,
    RECORD,
    Counter,
    empty_memory,
)
from trading_platform.calc.reconciliation import reconcile
from trading_platform.calc.session_contents import Contents, checked_tokens, parameters_of, tokens_of
from trading_platform.calc.volume_baseline import BaselineBlock, baseline_version, block_flags
from trading_platform.calc.volume_companions import note_companions
from trading_platform.errors import BlockFormatError, EngineError, InstrumentError
from trading_platform.market.clock import IST, NS_PER_SECOND
from trading_platform.market.instruments import InstrumentDay, session_class
from trading_platform.market.sessions import PhaseKind, SessionClass
from trading_platform.wire.candle_block import CandleBlock
from trading_platform.wire.instrument_block import from_block
from trading_platform.wire.journal_records import CONTENT_TYPES, Control, ControlType
from trading_platform.wire.records import BAR, Rows
from trading_platform.wire.session_block import SessionHours, decode_hours

_CLASSES = list(SessionClass)
REMEMBERED = ("state", "dirty", "latest_dirty", "scalars", "counters", "latest")
"""Arrays of the memory that a state file holds; the rest is read again from what the journal names."""

_BY_ROW = ("state", "latest", "dirty", "latest_dirty", "by_minute", "by_five", "usual", "touched")

STORED = ("tokens", *REMEMBERED, "touched", "gap_bars")
"""All arrays of a state file; which minutes gaps touched takes two bits each there."""


class SessionSetup:
    """Holds the memory of a pass and changes it as control records say."""

    def __init__(self, session: date, blob: Callable[[str], bytes]) -> None:
        self.session = session
        self.memory = empty_memory(np.zeros(0, dtype=np.uint32), len(_CLASSES))
        self.contents = Contents()
        self.unplaced: dict[int, str] = {}
        self.gap_bars = GapBars()
        self._blob = blob
        self._hours: SessionHours | None = None
        self.day: InstrumentDay | None = None
        self._seeds: SeedBlock | None = None
        self._baseline: BaselineBlock | None = None
        midnight = int(datetime.combine(session, time(), IST).timestamp())
        self.memory.scalars[MIDNIGHT] = midnight
        self.memory.scalars[NEXT_MINUTE] = midnight // 60

    def apply(self, control: Control, received_ns: int, socket: int) -> Rows:
        """Let one control record of a socket take effect; raise EngineError when it contradicts the session.

        Return the bars, closed before, that it revises.
        """
        revised = self._revising(control, received_ns, socket)
        if revised is not None:
            revised["record"] = self.memory.scalars[RECORD]
            self.gap_bars.keep(revised)
            return revised
        if control.type in CONTENT_TYPES and control.sha256 is not None:
            self.load(control.type, control.sha256)
        elif control.type is ControlType.CLOCK_STEP:
            self.memory.counters[Counter.CLOCK_STEPS] += 1
        elif control.type is ControlType.SESSION_CLOSED:
            self.memory.scalars[FINISHING] = 1
        return np.zeros(0, BAR.dtype)

    def _revising(self, control: Control, received_ns: int, socket: int) -> Rows | None:
        """Apply what may revise bars; None: it is of another kind."""
        if control.type is ControlType.SUBSCRIBED:
            return self._subscribe(control, received_ns, socket)
        if control.type is ControlType.DISCONNECTED:
            # a silent socket is noticed seconds after its last payload: what it missed before that counts too
            last_ns = control.fields.get("last_ns")
            since_ns = last_ns if isinstance(last_ns, int) else received_ns
            return begin_gap(self.memory, self._rows_of(self.contents.sockets.get(socket, [])), since_ns)
        if control.type is ControlType.GAP:
            return self._name_gap(control)
        if control.type is ControlType.CANDLES and control.sha256 is not None:
            return self._reconcile(control.sha256)
        return None

    def note_missing(self, records: int, until_ns: int) -> None:
        """Count records that are lost from the journal; whatever was traded meanwhile, every instrument may lack it."""
        self.memory.counters[Counter.MISSING_RECORDS] += records
        # nothing that could be revised: no bar closes beyond the last record
        name_gap(self.memory, np.arange(len(self.memory.tokens)), int(self.memory.scalars[LAST_RECEIVED]), until_ns)

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
        if missing := set(STORED) - arrays.keys():
            raise BlockFormatError(f"this state lacks {', '.join(sorted(missing))}: another version wrote it")
        self.memory = empty_memory(arrays["tokens"].astype(np.uint32), len(_CLASSES))
        for name in REMEMBERED:
            mine = getattr(self.memory, name)
            if name == "latest":
                mine = mine.view(np.uint8)
            if arrays[name].shape != mine.shape:
                raise BlockFormatError(f"{name} of this state has another layout: another version wrote it")
            mine[:] = arrays[name]
        self.memory.touched[:] = unpack_marks(arrays["touched"], self.memory.touched.shape)
        self.gap_bars = GapBars.unpack(arrays["gap_bars"])
        for kind, sha256 in contents.named.items():
            self.load(ControlType(kind), sha256)
        # a baseline set its filters to the open: these have gone on since
        self.memory.state[:] = arrays["state"]
        self.contents = contents

    def _load_settings(self, content: bytes) -> None:
        self.memory.parameters[:] = parameters_of(content)

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
        self._seed(0)

    def _load_baseline(self, content: bytes) -> None:
        self._baseline = BaselineBlock.decode(content)
        if (flags := block_flags(self._baseline, self.session)) is None:
            self._refuse_other_session("baseline", self._baseline.session)
        self.memory.scalars[BASELINE_FLAGS] = flags or 0
        self.memory.scalars[BASELINE_VERSION] = np.uint64(baseline_version(content)).astype(np.int64)
        self._fill_expected(0)

    def _refuse_other_session(self, what: str, session: date) -> None:
        if session != self.session:
            raise EngineError(f"the journal of {self.session} names {what} of {session}: record that session again")

    def stored(self) -> dict[str, NDArray[Any]]:
        """Return the arrays of a state file."""
        arrays: dict[str, NDArray[Any]] = {name: getattr(self.memory, name) for name in ("tokens", *REMEMBERED)}
        arrays["latest"] = self.memory.latest.view(np.uint8)
        return {**arrays, "touched": pack_marks(self.memory.touched), "gap_bars": self.gap_bars.pack()}

    def _subscribe(self, control: Control, received_ns: int, socket: int) -> Rows:
        sha256 = control.sha256
        if sha256 is None:
            raise EngineError("a subscribed record names no content: it must list the tokens")
        tokens = tokens_of(self._blob(sha256))
        taken = set(tokens)
        sockets = {
            each: [token for token in held if token not in taken] for each, held in self.contents.sockets.items()
        }
        self.contents.sockets = {**sockets, socket: [*sockets.get(socket, []), *tokens]}
        known = set(self.memory.tokens.tolist())
        fresh = [token for token in tokens if token not in known]
        revised = end_gap(self.memory, self._rows_of(tokens), received_ns)
        if fresh:
            self._refuse_unready()
            self._add_rows(np.array(fresh, dtype=np.uint32), received_ns // NS_PER_SECOND)
        return revised

    def _add_rows(self, fresh: NDArray[np.uint32], received: int) -> None:
        old = self.memory
        first = len(old.tokens)
        grown = empty_memory(np.concatenate([old.tokens, fresh]), len(_CLASSES))
        for name in _BY_ROW:
            getattr(grown, name)[:first] = getattr(old, name)
        for name in ("scalars", "counters", "phases", "parameters"):
            getattr(grown, name)[:] = getattr(old, name)
        self.memory = grown
        for row in range(first, len(grown.tokens)):
            self._place(row, received)
        if self.day is not None:
            note_companions(self.memory, self.day, first)
        self._seed(first)
        self._fill_expected(first)

    def _refuse_unready(self) -> None:
        lacks = {ControlType.SETTINGS, ControlType.SESSION_TABLE, ControlType.INSTRUMENTS} - self.contents.named.keys()
        if lacks:
            raise EngineError(f"a socket was subscribed before the journal named its {', '.join(sorted(lacks))}")

    def _place(self, row: int, received: int) -> None:
        token = int(self.memory.tokens[row])
        state = self.memory.state[row]
        try:
            found = self._class_of(token)
        except InstrumentError as error:
            self.unplaced[token] = str(error)
            return
        phases = None if self._hours is None else self._hours.phases.get(found)
        if phases is None:
            self.unplaced[token] = f"{found} is closed or not covered on {self.session}"
            return
        state[PHASES] = _CLASSES.index(found)
        opens = min(phase.start for phase in phases if phase.kind is PhaseKind.CONTINUOUS)
        state[FROM_ZERO] = float(received < opens)

    def _class_of(self, token: int) -> SessionClass:
        if self.day is None:
            raise InstrumentError(f"no dump of {self.session} is named")
        return session_class(self.day.with_token(token), self.day.fno_names)

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
                # seeds that come after the first bar are too late for this instrument: its state is under way
                if self.memory.state[row, base + BARS_CLOSED_AT] == 0.0:
                    self.memory.state[row, at : at + INDICATOR_FIELDS] = self._seeds.states[k, part]

    def _fill_expected(self, first: int) -> None:
        if self._baseline is not None:
            fill_expected(self.memory, self._baseline, first)

    def _name_gap(self, control: Control) -> Rows:
        start, end = control.fields.get("from_ns"), control.fields.get("until_ns")
        if not isinstance(start, int) or not isinstance(end, int) or start > end:
            raise EngineError(f"a gap record says from_ns {start!r} until_ns {end!r}: two times in order are needed")
        named = control.fields.get("tokens")
        tokens = self.memory.tokens.tolist() if named is None else checked_tokens(named)
        return name_gap(self.memory, self._rows_of(tokens), start, end)

    def _reconcile(self, sha256: str) -> Rows:
        block = CandleBlock.decode(self._blob(sha256))
        self._refuse_other_session("candles", block.session)
        return reconcile(self.memory, self.gap_bars, block)

    def _rows_of(self, tokens: list[int]) -> Indices:
        rows = {int(token): row for row, token in enumerate(self.memory.tokens)}
        return np.array([rows[token] for token in tokens if token in rows], dtype=np.int64)
