"""The contract of every calculation: parameters + state + step.

- A *step* is a compiled scalar function `step(state, parameter..., input...) -> output` that folds one input into
  `state`, a row of float64 that it owns, and returns what is known now. NaN inside means unknown, null at the edge.
- The *layout* of the row stands beside the step as integer constants, the last of which, `*_FIELDS`, is its width.
- A *scan* is the step in a loop over history. The engine and the batch assets call the same step, so live and batch
  agree to the bit. There is never a second formula.
- A fresh row is all zeros, unless the module offers `*_reset`.
- State is only this row: saving it and restoring it half-way changes nothing.
- What only other kernels call, on the memory of the whole pass, is a `borrowing_kernel`, and an `inlined_kernel` if it
  runs for each packet: neither can be called from Python, allocates or returns an array. An `inner_kernel` may do both.
"""

import numpy as np
from numpy.typing import NDArray

from trading_platform.jit import borrowing_kernel, inlined_kernel, inner_kernel, kernel

__all__ = ["Matrix", "Row", "borrowing_kernel", "inlined_kernel", "inner_kernel", "kernel"]

Row = NDArray[np.float64]
"""State of one calculation for one instrument, shape (fields,)."""

Matrix = NDArray[np.float64]
"""State of all instruments, shape (instruments, fields), row-major."""
