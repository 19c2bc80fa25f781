"""A market-data platform for Indian markets: every frame kept, every number computed once."""

from trading_platform._jit_cache import point_numba_at_cache
from trading_platform._version import __version__

__all__ = ["__version__"]

# before anything imports numba
point_numba_at_cache()
