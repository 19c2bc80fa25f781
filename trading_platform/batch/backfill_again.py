"""Since when answers count for a backfill that asks for what is there already: one that was killed goes on.

Candles are adjusted as of the day of asking, so one that was begun on another day begins anew.
"""

import hashlib
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path

import orjson

from trading_platform.errors import LakeError
from trading_platform.market.clock import IST


class Again:
    """The moment at which a wish was begun, in a file until its end; another wish has another file."""

    def __init__(self, folder: Path, sessions: Sequence[date], names: Sequence[str]) -> None:
        wish = orjson.dumps([sorted(sessions), sorted(set(names))])
        self._path = folder / f"again-{hashlib.sha256(wish).hexdigest()[:16]}.json"

    def begin(self, now: datetime) -> datetime:
        """Return the moment from which on answers count: that of the same day that was not ended, else now."""
        held = self._held()
        if held is not None and held.astimezone(IST).date() == now.astimezone(IST).date() and held <= now:
            return held
        unfinished = self._path.with_suffix(".part")
        try:
            unfinished.touch(mode=0o600)
            unfinished.write_bytes(orjson.dumps({"since": now.isoformat()}))
            unfinished.replace(self._path)
        except OSError as error:
            raise LakeError(f"{self._path} cannot be written: {error.strerror or error}; mend that") from error
        return now

    def end(self) -> None:
        """Forget it: all was asked for."""
        self._path.unlink(missing_ok=True)

    def _held(self) -> datetime | None:
        try:
            since = datetime.fromisoformat(orjson.loads(self._path.read_bytes())["since"])
        except (OSError, ValueError, LookupError, TypeError):
            return None
        return since if since.tzinfo is not None else None
