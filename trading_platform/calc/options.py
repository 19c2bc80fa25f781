"""Prices of European options on a forward."""

import math

from trading_platform.calc.kernel import kernel


@kernel
def normal_cdf(x: float) -> float:
    """Return the standard normal distribution function; the complement keeps its precision in the left tail."""
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


@kernel
def black76_price(is_call: bool, forward: float, strike: float, years: float, vol: float, rate: float) -> float:  # noqa: FBT001
    """Return the price of a European option on a forward, discounted (Black 1976).

    `vol` and `rate` are per year, `rate` continuously compounded. Without time or volatility left it is the discounted
    intrinsic value; a forward, strike, time or volatility that cannot be gives NaN.
    """
    if not (forward > 0.0 and strike > 0.0 and years >= 0.0 and vol >= 0.0):
        return math.nan
    discount = math.exp(-rate * years)
    sign = 1.0 if is_call else -1.0
    deviation = vol * math.sqrt(years)
    if deviation == 0.0:
        return discount * max(sign * (forward - strike), 0.0)
    d1 = math.log(forward / strike) / deviation + 0.5 * deviation
    d2 = d1 - deviation
    return discount * sign * (forward * normal_cdf(sign * d1) - strike * normal_cdf(sign * d2))
