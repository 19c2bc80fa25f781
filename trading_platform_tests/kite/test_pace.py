"""Turns are apart by at least the pace, whichever process asks; a file that is stale or odd delays nobody for long."""

import multiprocessing
from pathlib import Path

import pytest

from trading_platform.errors import BrokerError
from trading_platform.kite.pace import RequestPace
from trading_platform.market.clock import NS_PER_SECOND, elapsed_ns

APART = 0.02


def take_turns(path: Path, count: int, turns: "multiprocessing.Queue[list[int]]") -> None:
    pace, taken = RequestPace(path, APART), []
    for _ in range(count):
        pace.wait()
        taken.append(elapsed_ns())
    turns.put(taken)


def test_processes_share_one_pace(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    turns: multiprocessing.Queue[list[int]] = context.Queue()
    path = tmp_path / "new" / "pace"
    workers = [context.Process(target=take_turns, args=(path, 5, turns)) for _ in range(3)]
    begun = elapsed_ns()
    for worker in workers:
        worker.start()
    taken = sorted(at for _ in workers for at in turns.get(timeout=30))
    for worker in workers:
        worker.join()
    assert len(taken) == 15
    # each turn is noted a moment after it was given, so neighbours may look nearer; all of them cannot
    assert taken[-1] - begun >= 14 * APART * NS_PER_SECOND
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [b"", b"nonsense", b"%020d" % (1 << 62)])
def test_a_file_that_tells_no_past_turn_delays_nobody(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "pace"
    path.write_bytes(content)
    RequestPace(path, 3600.0).wait()
    assert path.read_bytes().isdigit()


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BrokerError, match="limit cannot be kept"):
        RequestPace(tmp_path / "file" / "pace").wait()
