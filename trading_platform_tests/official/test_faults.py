"""What the official client does wrong, our feed does right, on the same exchange at the same moment."""

from pathlib import Path

from trading_platform_tests.official import faults


def test_a_silent_socket(tmp_path: Path) -> None:
    found = faults.silence(tmp_path)
    assert found.official_is_connected
    assert found.official_said == []
    assert found.ours_found_seconds < 5.0
    assert found.watched_seconds > found.ours_found_seconds
    assert found.ours_gaps == 1


def test_a_truncated_frame(tmp_path: Path) -> None:
    found = faults.truncation(tmp_path)
    assert found.whole_packets > 0
    assert (found.official_ticks_of_it, found.official_close) == (0, "1006")
    assert found.ours_ticks_of_it == found.whole_packets
    assert found.ours_is_what_was_sent
    assert found.ours_disconnections == 0


def test_a_slow_consumer(tmp_path: Path) -> None:
    found = faults.slow_consumer(tmp_path)
    assert found.official_handled < found.official_sent / 2
    assert found.official_said == []
    assert found.ours_journalled == found.ours_sent > 20
    assert found.ours_worst_seconds < found.official_stale_seconds / 2


def test_a_refused_token(tmp_path: Path) -> None:
    found = faults.refusal(tmp_path, attempts=2)
    assert found.official_attempts >= 2
    assert found.ours_attempts == 1
    assert "log in again" in found.ours_message


def test_messages_after_a_reconnect(tmp_path: Path) -> None:
    found = faults.reconnection(tmp_path)
    assert len(found.official_asked) == 6
    assert found.ours_asked == ["subscribe 6", "mode full 6"]
    assert found.official_poor_ticks > found.ours_poor_ticks
