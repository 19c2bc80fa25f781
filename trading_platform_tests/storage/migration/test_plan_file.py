from pathlib import Path

import pytest

from trading_platform.errors import MigrationFileDamaged, MigrationRefused
from trading_platform.migration.decisions import PlannedKey, Status
from trading_platform.migration.plan_records import PlanHeader
from trading_platform.storage.migration.plan_file import PLAN, Plan, write_plan

HEADER = PlanHeader("L4", "rules", "s", "t", 1_764_570_000_000)


def lines(count: int) -> list[PlannedKey]:
    return [PlannedKey(1, (f"k{n}",), "hash", n, None, Status.TAKE, "f", f"t{n}") for n in range(count)]


@pytest.mark.parametrize("count", [0, 1, 50])
def test_a_plan_comes_back(tmp_path: Path, count: int) -> None:
    path = write_plan(tmp_path, HEADER, lines(count))
    plan = Plan(tmp_path)
    assert (plan.header, plan.count, list(plan.entries())) == (HEADER, count, lines(count))
    assert path == tmp_path / PLAN
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in tmp_path.iterdir()] == [PLAN]


def test_a_plan_that_is_cut_or_changed_is_refused(tmp_path: Path) -> None:
    path = write_plan(tmp_path, HEADER, lines(5))
    whole = path.read_bytes()
    split = whole.splitlines(keepends=True)
    for damaged in (whole[:-1], b"".join(split[:-1]), b"".join(split[:3] + split[4:]), whole.replace(b"t3", b"t4", 1)):
        path.write_bytes(damaged)
        with pytest.raises(MigrationFileDamaged, match="plan again"):
            Plan(tmp_path)


def test_no_plan_is_named(tmp_path: Path) -> None:
    with pytest.raises(MigrationRefused, match="migrate plan"):
        Plan(tmp_path)


def test_a_plan_that_fails_half_way_leaves_the_one_before(tmp_path: Path) -> None:
    write_plan(tmp_path, HEADER, lines(5))

    def broken() -> object:
        yield lines(1)[0]
        raise MigrationRefused("the source went away")

    with pytest.raises(MigrationRefused):
        write_plan(tmp_path, HEADER, broken())  # type: ignore[arg-type]
    assert Plan(tmp_path).count == 5
    assert [one.name for one in tmp_path.iterdir()] == [PLAN]
