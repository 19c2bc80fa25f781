"""How everything compiled is compiled: cached, one thread, no reordering of arithmetic, IEEE division by zero.

Here and not in calc/, because the codec in wire/ is compiled the same way and lies below calc/.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

_Function = TypeVar("_Function", bound=Callable[..., Any])


_HOW = {"cache": True, "error_model": "numpy", "fastmath": False, "parallel": False, "nogil": True}
_njit: Any = numba.njit


def kernel(function: _Function) -> _Function:
    """Compile a function of scalars and arrays."""
    return cast("_Function", _njit(**_HOW)(function))


def inner_kernel(function: _Function) -> _Function:
    """Compile a function that only other kernels call: without the entry from Python it compiles in half the time."""
    return cast("_Function", _njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, **_HOW)(function))
