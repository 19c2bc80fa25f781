from trading_platform.cli.backup_report import comparison_text, listing_text
from trading_platform.storage.backup.restore import Comparison


def test_a_difference_stands_beside_what_is_the_same() -> None:
    lines = comparison_text([Comparison("Redis", "3 keys", "3 keys", True), Comparison("dumps", "2", "1", False)])
    assert lines == [
        "part   backup  restored",
        "Redis  3 keys  3 keys    same",
        "dumps  2       1         DIFFERS",
    ]


def test_no_backup_is_said() -> None:
    assert listing_text([]) == ["there is no backup"]
