import pytest

from trading_platform.cli.console import say


def test_results_and_errors_go_to_their_own_streams(capsys: pytest.CaptureFixture[str]) -> None:
    say("a result")
    say("a fault", error=True)
    assert tuple(capsys.readouterr()) == ("a result\n", "a fault\n")
