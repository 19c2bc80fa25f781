"""Coverage-guided fuzzing of everything that parses what comes from a socket or a file.

    python -m trading_platform_tests.torture.coverage_fuzz [--runs 50000]      every target, a summary as JSON
    python -m trading_platform_tests.torture.coverage_fuzz TARGET [libFuzzer options]      one of them

The compiled kernels run as plain Python here, so that the fuzzer sees their branches; each index is checked by that.
Needs atheris: pip install -e .[fuzz]
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import orjson

_DONE = re.compile(rb"Done (\d+) runs in (\d+) second")
_COVERED = re.compile(rb"cov: (\d+)")
RUNS = 50_000


def run_all(runs: int) -> int:
    """Fuzz every target in a process of its own; print how many inputs each saw; return 1 when one failed."""
    summary, failed = {}, False
    for target in TARGET_NAMES:
        with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
            command = [sys.executable, "-m", __spec__.name, target, f"-runs={runs}", "-max_len=4096", "-seed=1"]
            done = subprocess.run(command, cwd=folder, env=_environment(), capture_output=True, check=False)
            found = [path.read_bytes().hex() for path in Path(folder).glob("crash-*")]
        ran, covered = _DONE.search(done.stderr), _COVERED.findall(done.stderr)
        summary[target] = {
            "runs": int(ran.group(1)) if ran else None,
            "seconds": int(ran.group(2)) if ran else None,
            "covered": int(covered[-1]) if covered else None,
        }
        if done.returncode != 0 or ran is None:
            failed = True
            summary[target] |= {"crashes": found, "end": done.stderr[-3000:].decode(errors="replace")}
        print(target, summary[target], file=sys.stderr, flush=True)  # noqa: T201
    print(orjson.dumps(summary).decode())  # noqa: T201
    return 1 if failed else 0


def _environment() -> dict[str, str]:
    return {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])}


ROOT = Path(__file__).resolve().parents[2]
TARGET_NAMES = ("frame", "journal", "control", "block", "rows", "hours", "dump", "universe_file")


def run_one(target: str, options: list[str]) -> None:
    """Fuzz one target in this process until libFuzzer ends it; inputs of note are kept below ./corpus."""
    import atheris  # noqa: PLC0415  # only who fuzzes has it

    with atheris.instrument_imports(include=["trading_platform", "trading_platform_tests.torture.fuzz_targets"]):
        from trading_platform_tests.torture import fuzz_targets  # noqa: PLC0415  # instrumented as it is imported

    corpus = Path("corpus") / target
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(fuzz_targets.SEEDS[target]):
        (corpus / f"seed-{number}").write_bytes(seed)
    atheris.Setup([target, *options, str(corpus)], fuzz_targets.TARGETS[target])
    atheris.Fuzz()  # which ends the process


def main() -> int:
    """Choose what to do."""
    if len(sys.argv) > 1 and sys.argv[1] in TARGET_NAMES:
        run_one(sys.argv[1], sys.argv[2:])
        return 0
    runs = int(sys.argv[sys.argv.index("--runs") + 1]) if "--runs" in sys.argv else RUNS
    return run_all(runs)


if __name__ == "__main__":
    sys.exit(main())
