import sys
from pathlib import Path

import pytest

from trading_platform.later import Later


def test_a_module_is_imported_when_it_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "seldom_used.py").write_text("ANSWER = 42\n")
    monkeypatch.syspath_prepend(tmp_path)
    module = Later("seldom_used")
    assert "seldom_used" not in sys.modules
    try:
        assert module.ANSWER == 42
        with pytest.raises(AttributeError, match="MISSING"):
            _ = module.MISSING
    finally:
        del sys.modules["seldom_used"]


def test_a_module_that_is_not_there_is_named_when_it_is_used() -> None:
    module = Later("trading_platform.no_such_module")
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        _ = module.anything
