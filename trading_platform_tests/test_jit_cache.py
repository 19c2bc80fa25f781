import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from trading_platform.jit import kernel

ASK = "import trading_platform, os; print(os.environ['NUMBA_CACHE_DIR'])"


def _cache(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", ASK],
        env={**os.environ, "TP_JIT_CACHE": str(folder), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_cache_folder_follows_the_bounds_check_switch(tmp_path: Path) -> None:
    plain, checked = _cache(tmp_path, NUMBA_BOUNDSCHECK="0"), _cache(tmp_path, NUMBA_BOUNDSCHECK="1")
    assert plain.returncode == checked.returncode == 0
    assert plain.stdout != checked.stdout
    assert _cache(tmp_path, NUMBA_BOUNDSCHECK="0").stdout == plain.stdout


BEYOND = """
import numpy as np
from trading_platform.wire.kite_packets import _u16
_u16(np.zeros(3, np.uint8)[:2], 1)
"""


def test_the_switch_makes_the_decoder_itself_refuse_what_lies_beyond() -> None:
    # a view of three bytes: without the checks the third is read and nothing happens
    def run(switch: str) -> str:
        environment = {**os.environ, "NUMBA_BOUNDSCHECK": switch}
        return subprocess.run(
            [sys.executable, "-c", BEYOND], env=environment, capture_output=True, text=True, check=False
        ).stderr

    assert "IndexError" in run("1")
    assert run("0") == ""


def test_the_cache_folder_is_private(tmp_path: Path) -> None:
    folder = Path(_cache(tmp_path).stdout.strip())
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_cache_folder_that_others_can_write_is_refused(tmp_path: Path) -> None:
    folder = Path(_cache(tmp_path).stdout.strip())
    folder.chmod(0o777)
    again = _cache(tmp_path)
    assert again.returncode != 0
    assert "written by others" in again.stderr


def test_an_edit_of_a_kernel_source_moves_the_cache(tmp_path: Path) -> None:
    package = Path(__file__).resolve().parent.parent / "trading_platform"
    copy = tmp_path / "copy" / "trading_platform"
    for source in [*package.glob("*.py"), *(package / "calc").rglob("*.py"), *(package / "wire").rglob("*.py")]:
        target = copy / source.relative_to(package)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes())
    environment = {**os.environ, "TP_JIT_CACHE": str(tmp_path / "jit"), "PYTHONPATH": str(copy.parent)}

    def asked() -> str:
        command = [sys.executable, "-c", ASK]
        return subprocess.run(
            command, env=environment, cwd=copy.parent, capture_output=True, text=True, check=True
        ).stdout

    before = asked()
    edited = copy / "calc" / "averages.py"
    edited.write_text(edited.read_text() + "\n# an edit\n")
    assert asked() != before


def test_a_kernel_divides_as_ieee_says() -> None:
    @kernel
    def ratio(left: float, right: float) -> float:
        return left / right

    assert np.isnan(ratio(0.0, 0.0))
    assert ratio(1.0, 0.0) == np.inf


def test_a_kernel_adds_in_the_written_order() -> None:
    @kernel
    def total(values: np.ndarray) -> float:
        result = 0.0
        for value in values:
            result += value
        return result

    # left to right the small terms vanish beside the large one; any regrouping would keep them
    assert total(np.array([1e16] + [1.0] * 64 + [-1e16])) == 0.0
