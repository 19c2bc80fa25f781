"""Seeds and baselines that become current while a session is recorded: looked for in a thread, Redis may hang."""

import threading
from collections.abc import Callable, Mapping
from datetime import date

from redis.exceptions import RedisError

from trading_platform.cli.session_opening import Say, current_block, current_hash
from trading_platform.errors import StoreUnavailable
from trading_platform.storage.redis_manager import RedisManager
from trading_platform.wire.journal_records import ControlType

FAMILIES = {"seeds": ControlType.SEEDS, "baseline": ControlType.BASELINE}

_JOIN_SECONDS = 0.5


class BlockWatch:
    """Announces each block of the session that was not current before."""

    def __init__(
        self,
        manager: RedisManager,
        shard: str,
        session: date,
        *,
        known: Mapping[str, str | None],
        announce: Callable[[ControlType, bytes], None],
        say: Say,
        every_seconds: float,
    ) -> None:
        self._manager, self._shard, self._session = manager, shard, session
        self._known, self._announce, self._say = dict(known), announce, say
        self._every_seconds = every_seconds
        self._trouble: str | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="feed-blocks", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Announce nothing more; a server that hangs is not waited for."""
        self._stopping.set()
        self._thread.join(_JOIN_SECONDS)

    def look(self) -> None:
        """Announce what is new; a server that is away is asked again the next time."""
        try:
            client = self._manager.connect()
            for family, control in FAMILIES.items():
                named = current_hash(client, self._shard, family)
                if named == self._known.get(family):
                    continue
                block = current_block(client, self._shard, family, self._session, self._say)
                self._known[family] = named
                if block is not None and not self._stopping.is_set():
                    self._announce(control, block)
        except (RedisError, StoreUnavailable) as error:
            self._tell(f"recording without Redis for now: {error}")
        else:
            self._tell(None)

    def _tell(self, trouble: str | None) -> None:
        if trouble and trouble != self._trouble:
            self._say(trouble)
        if self._trouble and not trouble:
            self._say("Redis is back")
        self._trouble = trouble

    def _run(self) -> None:
        while not self._stopping.wait(self._every_seconds):
            self.look()
