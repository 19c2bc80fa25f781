from trading_platform.health.findings import Finding, Level, worst


def test_the_whole_is_as_bad_as_its_worst_part() -> None:
    levels = (Level.GREEN, Level.RED, Level.DEGRADED)
    assert worst(Finding(level.word, level, "") for level in levels) is Level.RED
    assert worst([Finding("a", Level.GREEN, "")]) is Level.GREEN


def test_a_level_is_the_exit_code_and_has_a_word() -> None:
    assert [(int(level), level.word) for level in Level] == [(0, "green"), (1, "degraded"), (2, "red")]
