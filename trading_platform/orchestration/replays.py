"""The replay of a session, done once for all assets of a run."""

from datetime import date
from functools import lru_cache
from pathlib import Path

from trading_platform.batch.replay import ReplayResult, replay_session
from trading_platform.orchestration.resources import JournalsResource
from trading_platform.storage.record_source import JournalRecords


def replay_of_run(journals: JournalsResource, session: date, run_id: str) -> ReplayResult:
    """Return the replay of what the journal held when the run first asked: all its assets see the same records."""
    return _replay(journals.root, journals.shard, session, run_id)


@lru_cache(maxsize=1)
def _replay(root: str, shard: str, session: date, run_id: str) -> ReplayResult:
    del run_id  # part of the key only
    source = JournalRecords(Path(root), shard, session)
    try:
        return replay_session(source, session)
    finally:
        source.reader.close()
