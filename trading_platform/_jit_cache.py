"""Give compiled kernels a cache directory that changes with every source they are compiled from.

numba notices an edit of the file that holds a kernel, but not of a callee in another file, and a warm cache ignores a
changed bounds-check switch. A directory named by a hash of all of that is never stale. This is the one stated
exception to the rule that only settings.py reads the environment: it has to happen before numba is imported.
"""

import hashlib
import os
import stat
import sys
from importlib.metadata import version
from pathlib import Path

_KERNEL_ROOMS = ("calc", "wire")


def point_numba_at_cache() -> None:
    """Set NUMBA_CACHE_DIR for this process and its children, unless numba is already loaded with one of ours."""
    base = os.environ.get("TP_JIT_CACHE") or str(Path.home() / ".cache" / "trading_platform" / "jit")
    folder = Path(base) / _fingerprint(os.environ.get("NUMBA_BOUNDSCHECK", "0"))
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.getuid() or stat.S_IMODE(folder.stat().st_mode) & 0o022:
        raise PermissionError(f"{folder} can be written by others; compiled code is loaded from it: remove it")
    os.environ["NUMBA_CACHE_DIR"] = str(folder)
    if "numba" in sys.modules:
        sys.modules["numba"].config.reload_config()


def code_fingerprint() -> str:
    """Return what names the code of all kernels: state that other code left behind must not be continued."""
    return _fingerprint("")


def _fingerprint(bounds_check: str) -> str:
    digest = hashlib.sha256(f"{version('numba')}|{version('numpy')}|{sys.version}|{bounds_check}".encode())
    root = Path(__file__).parent
    digest.update((root / "jit.py").read_bytes())
    for room in _KERNEL_ROOMS:
        for source in sorted((root / room).rglob("*.py")):
            digest.update(source.relative_to(root).as_posix().encode())
            digest.update(source.read_bytes())
    return digest.hexdigest()[:20]
