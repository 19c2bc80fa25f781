"""How everything compiled is compiled: cached, one thread, no reordering of arithmetic, IEEE division by zero.

Here and not in calc/, because the codec in wire/ is compiled the same way and lies below calc/.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

_Function = TypeVar("_Function", bound=Callable[..., Any])


def kernel(function: _Function) -> _Function:
    """Compile a function of scalars and arrays."""
    compiled = numba.njit(cache=True, error_model="numpy", fastmath=False, parallel=False, nogil=True)(function)
    return cast(_Function, compiled)
