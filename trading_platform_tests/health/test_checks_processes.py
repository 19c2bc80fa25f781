from trading_platform.health.checks_processes import ProcessFacts, check_processes
from trading_platform.health.findings import Level
from trading_platform_tests.health.made import CLOSED, OPEN

GREEN, DEGRADED, RED = Level


def test_processes_that_are_there_are_green_and_counted() -> None:
    found = check_processes(
        ProcessFacts(asked=True, states={"feed": "RUNNING", "engine": "STARTING"}, restarts=3), OPEN
    )
    assert (found.level, found.figures["running"], found.figures["restarts_total"]) == (GREEN, 2, 3)


def test_where_no_supervisor_was_started_nothing_is_missed() -> None:
    assert check_processes(ProcessFacts(asked=False), OPEN).level is GREEN


def test_one_that_was_given_up_is_red_while_data_flows() -> None:
    facts = ProcessFacts(asked=True, states={"feed": "RUNNING", "daemon": "BACKOFF", "engine": "FATAL"})
    found = check_processes(facts, OPEN)
    assert (found.level, found.figures["given_up"]) == (RED, 1)
    assert "engine is given up" in found.says
    assert found.advice is not None
    assert "restart engine" in found.advice
    assert check_processes(facts, CLOSED).level is DEGRADED


def test_a_supervisor_that_is_gone_is_told_at_any_hour() -> None:
    facts = ProcessFacts(asked=True, problem="the supervisor is gone without a word")
    assert [check_processes(facts, hours).level for hours in (OPEN, CLOSED)] == [DEGRADED, DEGRADED]
