import subprocess
import sys


def test_warmup_says_when_the_kernels_are_ready() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "trading_platform", "warmup"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert "kernels ready" in done.stdout
