"""The engine's state files: three are kept for a session, so that one older than what Redis holds is always there."""

import os
from collections.abc import Callable
from pathlib import Path

from trading_platform.calc.session_pass import SessionPass
from trading_platform.errors import BlockFormatError, EngineError

KEPT = 3


class StateFiles:
    """State files of one shard and session, named by the position that they reach."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.unreadable: list[str] = []

    def save(self, state: SessionPass) -> Path:
        """Write the state durably, then drop all but the newest; raise EngineError when the disk refuses."""
        path = self._folder / f"{state.position:012d}.state"
        scratch = path.with_suffix(".writing")
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with scratch.open("wb") as file:
                file.write(state.save())
                file.flush()
                os.fsync(file.fileno())
            scratch.replace(path)
        except OSError as error:
            scratch.unlink(missing_ok=True)
            raise EngineError(f"the state file {path} was not written: {error.strerror}; make room there") from error
        for old in self._newest_first()[KEPT:]:
            old.unlink(missing_ok=True)
        return path

    def load(self, blob: Callable[[str], bytes], at_most: int | None) -> SessionPass | None:
        """Return the newest state whose position is at most `at_most` (None: the newest); None when there is none.

        A file that does not parse is named in `unreadable` and the next older one is taken.
        """
        for path in self._newest_first():
            if at_most is not None and int(path.stem) > at_most:
                continue
            try:
                return SessionPass.restore(path.read_bytes(), blob)
            except BlockFormatError as error:
                self.unreadable.append(f"{path}: {error}")
        return None

    def finished(self) -> bool:
        """Return whether the newest state that can be read says that the session is closed."""
        for path in self._newest_first():
            try:
                return SessionPass.is_closed(path.read_bytes())
            except BlockFormatError as error:
                self.unreadable.append(f"{path}: {error}")
        return False

    def drop(self) -> None:
        """Remove all state files of the session."""
        for path in self._newest_first():
            path.unlink(missing_ok=True)

    def _newest_first(self) -> list[Path]:
        return sorted(self._folder.glob("*.state"), reverse=True)
