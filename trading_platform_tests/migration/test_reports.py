import orjson

from trading_platform.migration.reports import SAMPLES, PlanReport, Tally, WorkReport


def test_counts_are_whole_and_samples_few() -> None:
    tally = Tally()
    for number in range(20):
        tally.add("odd" if number % 2 else "even", f"key {number}", keys=2, size=10)
    assert tally.keys == 40
    assert list(tally.counts) == ["even", "odd"]
    assert tally.counts["odd"].facts() == {
        "keys": 20,
        "bytes": 100,
        "samples": [f"key {number}" for number in (1, 3, 5, 7, 9)],
    }
    assert SAMPLES == 5


def test_a_plan_is_whole_when_every_key_is_taken() -> None:
    report = PlanReport("L4", "s", "t", "f")
    report.families.add("ticks", "a")
    assert report.is_whole
    for tally in (report.left, report.unmatched, report.collisions):
        tally.add("why", "b")
        assert not report.is_whole
        tally.counts.clear()
    assert orjson.loads(orjson.dumps(report.facts()))["families"]["ticks"]["keys"] == 1


def test_work_is_whole_when_nothing_is_aside() -> None:
    report = WorkReport("run")
    report.done.add("written", "a")
    assert report.is_whole
    report.aside.add("differs", "b")
    assert not report.is_whole
    assert report.facts()["aside"]["differs"]["samples"] == ["b"]
