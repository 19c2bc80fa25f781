"""How patterns stand on the page of `debug`: which condition held, which did not, and by how much."""

import math
from collections.abc import Iterable
from datetime import timedelta

from trading_platform.inspection.bars_seen import BarSeen
from trading_platform.inspection.columns import UNKNOWN, short, table, under
from trading_platform.inspection.steps import ConditionSeen, PatternSeen, StepSeen

_SHOWN_STEPS, _SHOWN_LACKS = 4, 2
_DIGITS = 6


def summary_lines(steps: Iterable[StepSeen]) -> list[str]:
    """Return a line for each pattern and side at the last bar of each length: whether it fired, and what it lacks."""
    lines: list[str] = []
    for step in steps:
        lines.append(_heading(step))
        rows = [(one.pattern, one.direction, _verdict(one), _lacks(one)) for one in step.patterns]
        lines += [f"  {line}" for line in table(("", "", "", ""), rows, left=frozenset(range(4)))[1:]]
    return lines


def step_lines(step: StepSeen, bars: Iterable[BarSeen]) -> list[str]:
    """Return every condition of the patterns at one bar."""
    known = [bar for bar in bars if (bar.interval, bar.start, bar.revision) == (step.interval, step.start, 0)]
    after = f", known {known[0].known_after_seconds:.1f} s after its end" if known else ""
    lines = [f"{_heading(step)}{after}"]
    for one in step.patterns:
        lines.append(f"  {one.pattern} {one.direction}: {_verdict(one)}")
        rows = [_condition(condition) for condition in one.conditions]
        lines += [f"    {line}" for line in table(("", "", "", "", "", ""), rows, left=frozenset({0, 1, 5}))[1:]]
    return lines


def history_lines(history: Iterable[StepSeen]) -> list[str]:
    """Return a line for each bar and side before the last of each length: how many conditions held, what lacked."""
    by_length: dict[int, list[StepSeen]] = {}
    for step in history:
        by_length.setdefault(step.interval, []).append(step)
    rows = [
        (f"{step.start:%H:%M}", f"{step.interval} min", one.direction, _verdict(one), _lacks(one))
        for steps in by_length.values()
        for step in steps[-1 - _SHOWN_STEPS : -1]
        for one in step.patterns
    ]
    return under("before", table(("", "", "", "", ""), rows, left=frozenset({2, 3, 4}))[1:])


def _heading(step: StepSeen) -> str:
    end = step.start + timedelta(minutes=step.interval)
    return f"bar {step.start:%H:%M} to {end:%H:%M} ({step.interval} min)"


def _verdict(one: PatternSeen) -> str:
    return f"{'FIRED' if one.fires else 'no'}, {one.held} of {len(one.conditions)} hold"


def _lacks(one: PatternSeen) -> str:
    lacking = [_short_of(each) for each in one.conditions if each.holds is not True]
    more = [f"{len(lacking) - _SHOWN_LACKS} more"] if len(lacking) > _SHOWN_LACKS else []
    return "; ".join(lacking[:_SHOWN_LACKS] + more)


def _short_of(one: ConditionSeen) -> str:
    if one.holds is None:
        return f"{_name(one)} not known"
    return f"{_name(one)} {_value(one.value)}, not {one.relation} {_value(one.threshold)} {one.unit}".rstrip()


def _condition(one: ConditionSeen) -> tuple[str, ...]:
    holds = {True: "yes", False: "NO", None: "?"}[one.holds]
    wanted = f"{one.relation} {_value(one.threshold)}"
    return holds, _name(one), _value(one.value), wanted, one.unit, _margin(one)


def _name(one: ConditionSeen) -> str:
    return one.name.replace("_", " ")


def _margin(one: ConditionSeen) -> str:
    if one.holds is None or math.isnan(one.margin):
        return "not known" if one.holds is None else ""
    if math.isinf(one.margin):
        return ""
    return f"{'by' if one.holds else 'short by'} {_value(abs(one.margin))}"


def _value(value: float) -> str:
    if math.isinf(value):
        return "never"
    return UNKNOWN if math.isnan(value) else short(float(f"{value:.{_DIGITS}g}"))
