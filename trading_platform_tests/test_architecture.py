"""What the contracts of setup.cfg cannot say: sizes, mirrored tests, one home for keys and clocks."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "trading_platform"
TESTS = ROOT / "trading_platform_tests"
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")

MOST_LINES, MOST_FUNCTION_LINES = 300, 40

# modules whose behaviour stands in the tests of another: what they are proven by
PROVEN_ELSEWHERE = {
    "__main__.py": "cli/test_main.py",
    "_jit_cache.py": "test_jit_cache.py",
    "_version.py": "cli/test_main.py",
    "jit.py": "test_jit_cache.py",
    "ports.py": "streaming/test_engine.py",
    "errors.py": "test_architecture.py",
    "definitions.py": "test_definitions.py",
    "settings.py": "test_settings.py",
    "redaction.py": "test_settings.py",
    "calc/live_forecast.py": "calc/test_volume_baseline.py",
    # proven as the platform that they start, show and stop
    "cli/stop.py": "cli/test_start.py",
    "cli/status.py": "cli/test_start.py",
    "cli/stop_signal.py": "cli/test_engine.py",
    "streaming/private_folder.py": "streaming/test_checkpoint.py",
    # what other packages raise and offer, proven by who asks Kite
    "kite/official.py": "kite/test_rest.py",
    "supervision/heartbeats.py": "cli/test_dagster_daemons.py",
    "supervision/launch.py": "supervision/test_control.py",
    "supervision/orphans.py": "supervision/test_control.py",
    "supervision/processes.py": "supervision/test_control.py",
    "supervision/readiness.py": "cli/test_start.py",
    "storage/socket_paths.py": "supervision/test_places.py",
    # proven as the whole process that they are parts of
    "cli/feed_limits.py": "cli/test_feed.py",
    "cli/bench_feed.py": "cli/test_bench_load.py",
    "cli/bench_stack.py": "cli/test_bench_load.py",
    # the parts of a backup are proven by what it holds and gives back
    "storage/backup/check.py": "storage/backup/test_restore.py",
    "storage/backup/journal_part.py": "storage/backup/test_restore.py",
    "storage/backup/lake_part.py": "storage/backup/test_make.py",
    "storage/backup/layout.py": "storage/backup/test_make.py",
    "storage/backup/redis_import.py": "storage/backup/test_redis_export.py",
    "storage/backup/redis_snapshot.py": "storage/backup/test_redis_part.py",
    "storage/backup/sources.py": "storage/backup/test_make.py",
    "storage/lake_parts.py": "storage/test_lake.py",
    # profiles of bars are proven as the command writes them
    "batch/file_profiles.py": "cli/test_profile.py",
    "batch/profiles.py": "cli/test_profile.py",
    "batch/profile_ticks.py": "batch/test_session_profiles.py",
    "wire/lake_profiles.py": "wire/test_lake_tables.py",
    "wire/lake_columns.py": "wire/test_lake_tables.py",
    "wire/lake_history.py": "wire/test_lake_tables.py",
    "wire/lake_volume.py": "wire/test_lake_tables.py",
    # tables of rules are proven as the layouts that they make up
    "migration/analytics_families.py": "migration/test_layouts.py",
    "migration/layout_l3.py": "migration/test_layouts.py",
    "migration/layout_l4.py": "migration/test_layouts.py",
    "migration/market_families.py": "migration/test_layouts.py",
    "migration/user_families.py": "migration/test_layouts.py",
    "migration/volume_families.py": "migration/test_layouts.py",
    "storage/migration/context.py": "storage/migration/test_planning.py",
    "storage/migration/copies.py": "storage/migration/test_running.py",
    "storage/migration/settling.py": "storage/migration/test_undoing.py",
    # the parts of a look at one instrument are proven by what it shows and finds
    "inspection/baseline_used.py": "inspection/test_debug.py",
    "inspection/bars_seen.py": "inspection/test_debug.py",
    "inspection/events.py": "inspection/test_debug.py",
    "inspection/lake_side.py": "inspection/test_debug.py",
    "inspection/names.py": "inspection/test_debug.py",
    "inspection/pattern_page.py": "inspection/test_debug.py",
    "inspection/redis_side.py": "inspection/test_debug.py",
    "inspection/report.py": "inspection/test_debug.py",
    "inspection/standing.py": "inspection/test_debug.py",
    "inspection/steps.py": "inspection/test_debug.py",
    "inspection/trace.py": "inspection/test_debug.py",
    "inspection/page.py": "cli/test_debug.py",
    # what only the pass calls is compiled without an entry from Python, and proven through it
    "calc/kernel.py": "calc/test_averages.py",
    "calc/bars.py": "calc/test_session_reference.py",
    "calc/closing.py": "calc/test_session_reference.py",
    "calc/packets.py": "calc/test_session_bars.py",
    "calc/pulses.py": "calc/test_session_bars.py",
    "calc/closed_bar.py": "calc/test_session_pass.py",
    "calc/pipeline.py": "calc/test_session_pass.py",
    "calc/pass_entries.py": "calc/test_session_pass.py",
    "calc/pass_layout.py": "calc/test_session_pass.py",
    "calc/session_contents.py": "calc/test_session_pass.py",
    "calc/session_setup.py": "calc/test_session_pass.py",
    "calc/candle_judge.py": "calc/test_reconciliation.py",
    "calc/gap_slots.py": "calc/test_reconciliation.py",
    "calc/patterns/inputs.py": "calc/patterns/test_catalogue.py",
}


def _name(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def _functions(path: Path) -> list[tuple[str, int]]:
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        first = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
        found.append((node.name, (node.end_lineno or 0) - first.lineno + 1))
    return found


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_a_module_is_short_and_says_why_it_is_there(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= MOST_LINES
    assert ast.get_docstring(ast.parse(text))


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_a_function_is_short(path: Path) -> None:
    # a nested function counts with the one around it: jobs and sensors are built inside a function
    long = {name: lines for name, lines in _functions(path) if lines > MOST_FUNCTION_LINES}
    allowed = {"platform_jobs", "closed_bars_sensor"}
    assert not set(long) - allowed, long


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_a_module_has_its_mirrored_test(path: Path) -> None:
    relative = path.relative_to(PACKAGE)
    mirror = TESTS / PROVEN_ELSEWHERE.get(relative.as_posix(), f"{relative.parent}/test_{relative.name}")
    assert mirror.is_file(), f"write {mirror.relative_to(ROOT)}, or say in PROVEN_ELSEWHERE where it is proven"


def test_the_key_prefix_stands_in_one_module() -> None:
    holders = {_name(path) for path in MODULES if "{tp:" in path.read_text() or '"tp"' in path.read_text()}
    assert holders <= {"wire/redis_keys.py"}


def test_no_session_length_is_written_down() -> None:
    assert [_name(path) for path in MODULES if "375" in path.read_text()] == []


def test_every_error_is_one_of_ours_and_explains_itself() -> None:
    tree = ast.parse((PACKAGE / "errors.py").read_text())
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    names = {node.name for node in classes}
    for node in classes:
        assert ast.get_docstring(node)
        bases = {base.id for base in node.bases if isinstance(base, ast.Name)}
        assert bases <= names | {"Exception"}


def test_no_broad_except_anywhere() -> None:
    caught = []
    for path in [*MODULES, *TESTS.rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ExceptHandler) and (
                node.type is None
                or (isinstance(node.type, ast.Name) and node.type.id in {"Exception", "BaseException"})
            ):
                caught.append(f"{path}:{node.lineno}")
    assert caught == []
