from pathlib import Path

import orjson
import pytest

from trading_platform.storage.journal import JournalWriter
from trading_platform_tests.as_command import as_command
from trading_platform_tests.session_data import SESSION, SHARD, make_session

DATA = make_session(3, minutes=6)


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    with JournalWriter.open(tmp_path / "journal", SHARD, SESSION) as writer:
        DATA.write_to(writer)
    return tmp_path / "journal" / SHARD / f"{SESSION:%Y%m%d}"


def verify(journal: Path) -> tuple[int, dict[str, object], str]:
    done = as_command("verify", str(journal), "--json")
    return done.returncode, orjson.loads(done.stdout), done.stderr


def test_a_whole_journal_is_said_to_be_whole(journal: Path) -> None:
    code, facts, errors = verify(journal)
    assert (code, facts["whole"], facts["records"], facts["faults"], errors) == (0, True, len(DATA), [], "")


def test_damage_is_named_and_exits_3(journal: Path) -> None:
    segment = next(journal.glob("*.zst"))
    content = bytearray(segment.read_bytes())
    content[len(content) // 2] ^= 1
    segment.write_bytes(content)
    code, facts, errors = verify(journal)
    assert (code, facts["whole"]) == (3, False)
    assert "segment 000001" in errors


def test_missing_content_is_named(journal: Path) -> None:
    gone = sorted((journal / "blobs").iterdir())[0]
    gone.unlink()
    code, _, errors = verify(journal)
    assert code == 3
    assert gone.name in errors


def test_a_second_session_in_one_journal_is_named_and_exits_3(journal: Path) -> None:
    with JournalWriter.open(journal.parent.parent, SHARD, SESSION) as writer:
        for item in DATA.items[:20]:
            writer.append(item.kind, item.body, item.received_ns)
    code, _, errors = verify(journal)
    assert code == 3
    assert f"record {len(DATA) + 1} opens the session" in errors
    assert f"behind record {len(DATA)}, which closes the session" in errors
