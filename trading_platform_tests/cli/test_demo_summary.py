import dataclasses
from datetime import date
from typing import Any

from rich.console import Console

from trading_platform.cli.demo_account import FeedAccount
from trading_platform.cli.demo_summary import ASSETS, HISTORY, JOBS, problems, summary_table

DAY = date(2026, 7, 31)
ACCOUNT = FeedAccount(
    sent=22_500, kept=22_500, same_bytes=True, packets=1_234_567, sockets=1, reconnects=0, gaps=0, lost=0,
    p50=1.0, p99=9.0, speed=600.0,
)  # fmt: skip


def _report() -> dict[str, Any]:
    return {
        "runs": [{"job": name, "status": "SUCCESS", "tags": {}, "id": f"r{n}"} for n, name in enumerate(JOBS)],
        "assets": {
            HISTORY: {"partitions": {"None": 3_375}},
            **{name: {"partitions": {DAY.isoformat(): 10}} for name in ASSETS},
        },
        "checks": {"patterns:live_equals_replay": {"passed": True, "severity": "ERROR", "facts": {}}},
    }


def _replayed() -> dict[str, Any]:
    return {
        "last_record": 22_578,
        "bars": 100,
        "indicators": 100,
        "signals": 5,
        "counters": {"packets": 1_234_567},
        "ticks_per_second": 200_000,
        "digest": "ab" * 32,
        "closed": True,
    }


def test_nothing_wrong_is_no_problem() -> None:
    assert problems(DAY, ACCOUNT, _report(), _replayed()) == []


def test_an_asset_without_rows_is_a_problem() -> None:
    report = _report()
    report["assets"]["patterns"]["partitions"] = {"2026-07-30": 10}
    assert problems(DAY, ACCOUNT, report, _replayed()) == ["asset patterns has no rows of 2026-07-31"]
    del report["assets"]["patterns"]
    assert problems(DAY, ACCOUNT, report, _replayed()) == ["asset patterns has no rows of 2026-07-31"]


def test_a_failed_check_is_a_problem_and_so_is_one_that_was_never_made() -> None:
    report = _report()
    report["checks"]["patterns:live_equals_replay"]["passed"] = False
    assert len(problems(DAY, ACCOUNT, report, _replayed())) == 1
    report["checks"] = {}
    assert problems(DAY, ACCOUNT, report, _replayed()) == ["check live_equals_replay was never made"]


def test_checks_that_need_a_past_may_warn_on_a_first_day() -> None:
    report = _report()
    young = {"passed": False, "severity": "WARN", "facts": {"says": "no session before"}}
    report["checks"]["volume_baselines:baseline_jump"] = young
    assert problems(DAY, ACCOUNT, report, _replayed()) == []
    report["checks"]["volume_baselines:baseline_jump"] = young | {"severity": "ERROR"}
    assert len(problems(DAY, ACCOUNT, report, _replayed())) == 1
    for needs_none in ("volume_baselines:baselines_are_known", "volume_baselines:baseline_coverage"):
        report = _report()
        report["checks"] |= {"volume_baselines:baseline_jump": young, needs_none: young}
        assert len(problems(DAY, ACCOUNT, report, _replayed())) == 1


def test_what_is_wrong_with_the_feed_comes_first() -> None:
    account = dataclasses.replace(ACCOUNT, gaps=1)
    assert problems(DAY, account, _report(), _replayed()) == ["the feed had 1 gaps; its log says why"]


def test_a_failed_run_an_open_journal_and_an_empty_replay_are_problems() -> None:
    report, replayed = _report(), _replayed()
    report["runs"][1]["status"] = "FAILURE"
    replayed |= {"closed": False, "signals": 0}
    assert problems(DAY, ACCOUNT, report, replayed) == [
        "job run_patterns has not succeeded",
        "run r1 of run_patterns failed",
        "replay gave no signals",
        "the journal was not closed",
    ]


def test_a_job_that_never_ran_and_a_backfill_without_candles_are_problems() -> None:
    report = _report()
    del report["runs"][0], report["assets"][HISTORY]
    assert problems(DAY, ACCOUNT, report, _replayed()) == [
        "asset historical_bars has no rows: nothing was fetched from the exchange",
        "job prepare_day has not succeeded",
    ]


def test_the_table_shows_numbers_assets_and_checks() -> None:
    console = Console(record=True, width=120)
    console.print(summary_table(DAY, ACCOUNT, _report(), _replayed()))
    shown = console.export_text()
    for wanted in ("22,500", "22,578", "1,234,567", "3,375", *ASSETS, "live_equals_replay", "passed"):
        assert wanted in shown
