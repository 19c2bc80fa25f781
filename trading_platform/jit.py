"""How everything compiled is compiled: cached, one thread, no reordering of arithmetic, IEEE division by zero.

Here and not in calc/, because the codec in wire/ is compiled the same way and lies below calc/.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

_Function = TypeVar("_Function", bound=Callable[..., Any])


_HOW = {"cache": True, "error_model": "numpy", "fastmath": False, "parallel": False, "nogil": True}
_INNER = {**_HOW, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
# each kind says both `_nrt` and `forceinline`: what is left out is taken from whichever kernel happens to call it first
_njit: Any = numba.njit


def kernel(function: _Function) -> _Function:
    """Compile a function of scalars and arrays."""
    return cast("_Function", _njit(_nrt=True, forceinline=False, **_HOW)(function))


def inner_kernel(function: _Function) -> _Function:
    """Compile a function that only other kernels call: without the entry from Python it compiles in half the time."""
    return cast("_Function", _njit(_nrt=True, forceinline=False, **_INNER)(function))


def borrowing_kernel(function: _Function) -> _Function:
    """Compile an inner kernel that neither allocates nor returns an array: it counts no references to those it gets.

    Counting takes longer than the arithmetic. numba refuses to compile what would need it; who calls holds the arrays.
    """
    return cast("_Function", _njit(_nrt=False, forceinline=False, **_INNER)(function))


def inlined_kernel(function: _Function) -> _Function:
    """Compile a borrowing kernel into its callers: what runs for each packet must not copy many arrays as arguments."""
    return cast("_Function", _njit(_nrt=False, forceinline=True, **_INNER)(function))
