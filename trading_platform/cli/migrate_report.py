"""What `trading-platform migrate` prints for people."""

from collections.abc import Iterator

from trading_platform.migration.conversions import VIX_FAMILY
from trading_platform.migration.decisions import lifetime_seconds
from trading_platform.migration.reports import PlanReport, Tally, WorkReport
from trading_platform.migration.rules import Layout

_SHOWN = 240


def plan_text(report: PlanReport, layout: Layout) -> str:
    """Return the families with their rules, and what is set aside with samples."""
    lines = [f"layout {report.layout}: {report.source} -> {report.target}", ""]
    lines += _families(report, layout)
    for title, tally in (
        ("left where they are", report.left),
        ("unmatched", report.unmatched),
        ("collisions", report.collisions),
    ):
        lines += _tally(title, tally)
    for family, count in report.pickles.counts.items():
        lines.append(f"{count.keys:,} values of {family} are pickles: copied as bytes, never loaded")
    if report.expired_meanwhile:
        lines.append(f"{report.expired_meanwhile:,} keys expired while they were looked at")
    if report.already_written:
        lines.append(f"{report.already_written:,} are written already")
    lines += [f"warning: {warning}" for warning in report.warnings]
    aside = report.left.keys + report.unmatched.keys + report.collisions.keys
    lines += [
        "",
        f"{report.keys:,} keys = {report.families.keys:,} taken + {aside:,} set aside; the plan: {report.file}",
    ]
    return "\n".join(lines)


def work_text(report: WorkReport) -> str:
    """Return what was done and what is wrong, with samples."""
    done = [f"{count.keys:10,}  {name}" for name, count in report.done.counts.items()]
    notes = [f"note: {_visible(note)}" for note in report.notes]
    total = f"{report.what}: {report.done.keys:,} keys as they should be, {report.aside.keys:,} set aside"
    return "\n".join([*done, *_tally("set aside", report.aside), *notes, total])


def _families(report: PlanReport, layout: Layout) -> Iterator[str]:
    yield f"{'family':26} {'what':8} {'keys':>10} {'bytes':>14}  lifetime"
    for family, count in sorted(report.families.counts.items()):
        if family == VIX_FAMILY:
            action, lifetime = "convert", f"{lifetime_seconds(layout, family)} s from the plan on"
        else:
            rule = layout.by_family[family]
            action, lifetime = str(rule.action), rule.lifetime
        yield f"{family:26} {action:8} {count.keys:10,} {count.size:14,}  {lifetime}"


def _tally(title: str, tally: Tally) -> Iterator[str]:
    if tally.keys:
        yield f"{title}: {tally.keys:,}"
    for name, count in tally.counts.items():
        yield f"{count.keys:10,}  {_visible(name)}"
        yield from (f"{'':12}{_visible(sample)}" for sample in count.samples)


def _visible(text: str) -> str:
    """Return text that a terminal does not obey: keys of a legacy database may hold anything."""
    shown = "".join(one if one.isprintable() else f"\\x{ord(one):02x}" for one in text)
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."
