from trading_platform.cli.migrate_report import plan_text, work_text
from trading_platform.migration.layouts import layout_named
from trading_platform.migration.reports import PlanReport, WorkReport


def test_a_plan_says_what_becomes_of_each_family_and_accounts_for_every_key() -> None:
    report = PlanReport("L4", "redis://old", "new database 0", "/folder/plan.jsonl", keys=1234)
    report.families.add("ticks_latest", "a", keys=1200, size=5000)
    report.families.add("vol_baseline", "b", keys=20)
    report.families.add("india_vix", "c", keys=8)
    report.left.add("broker_token: why", "broker_token:x in database 0")
    report.unmatched.add("no rule knows its shape", "what\x1b[31m:is\nthis in database 1", keys=4)
    report.collisions.add("the place is taken", "d -> e")
    report.pickles.add("edge_state", "edge_state:x")
    report.already_written, report.expired_meanwhile = 3, 2
    report.warnings.append("clocks")
    lines = plan_text(report, layout_named("L4")).splitlines()
    assert lines[0] == "layout L4: redis://old -> new database 0"
    rows = {line.split()[0]: line.split()[1:] for line in lines if line}
    assert rows["ticks_latest"] == ["rename", "1,200", "5,000", "as", "in", "the", "source"]
    assert rows["vol_baseline"] == ["convert", "20", "0", "does", "not", "expire"]
    assert rows["india_vix"][:2] == ["convert", "8"]
    assert "345600 s from the plan on" in next(line for line in lines if line.startswith("india_vix"))
    assert r"            what\x1b[31m:is\x0athis in database 1" in lines
    assert "1 values of edge_state are pickles: copied as bytes, never loaded" in lines
    assert "warning: clocks" in lines
    assert "3 are written already" in lines
    assert "2 keys expired while they were looked at" in lines
    assert lines[-1] == "1,234 keys = 1,228 taken + 6 set aside; the plan: /folder/plan.jsonl"


def test_work_says_what_was_done_and_what_is_wrong() -> None:
    report = WorkReport("verify", notes=["note\x07"])
    report.done.add("equal", "a", keys=1500)
    report.aside.add("they differ", "b" * 300)
    lines = work_text(report).splitlines()
    assert lines[0] == "     1,500  equal"
    assert lines[2] == "         1  they differ"
    assert lines[3] == " " * 12 + "b" * 240 + "..."
    assert lines[4] == r"note: note\x07"
    assert lines[-1] == "verify: 1,500 keys as they should be, 1 set aside"
