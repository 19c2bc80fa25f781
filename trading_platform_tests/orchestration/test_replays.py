"""A run replays a session once; another run sees what was written since."""

from datetime import date
from pathlib import Path

import pytest

from trading_platform.errors import MissingInput
from trading_platform.orchestration import replays
from trading_platform.orchestration.resources import JournalsResource

SESSION = date(2026, 7, 30)


def test_one_replay_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[date] = []
    monkeypatch.setattr(replays, "replay_session", lambda _, session: asked.append(session) or len(asked))
    replays._replay.cache_clear()
    journals = JournalsResource(root=str(tmp_path), shard="k1")
    found = [replays.replay_of_run(journals, SESSION, run) for run in ("run-1", "run-1", "run-2")]
    assert found == [1, 1, 2]
    replays._replay.cache_clear()


def test_a_session_without_a_journal_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match="2026-07-30"):
        replays.replay_of_run(JournalsResource(root=str(tmp_path), shard="k1"), SESSION, "run-3")
