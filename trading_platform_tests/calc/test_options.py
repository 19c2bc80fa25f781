import math
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_platform.calc.options import black76_price, normal_cdf

# Published values: Haug, The Complete Guide to Option Pricing Formulas, 2nd ed., sections 1.1.4 and 1.1.1:
# the futures option of its Black-76 example, and its Black-Scholes call written on the forward 60 * exp(0.08 * 0.25)
HAUG_PUT = (False, 19.0, 19.0, 0.75, 0.28, 0.10)
HAUG_CALL = (True, 60.0 * math.exp(0.08 * 0.25), 65.0, 0.25, 0.30, 0.08)


@pytest.mark.parametrize(("option", "price"), [(HAUG_PUT, 1.7011), (HAUG_CALL, 2.1334)])
def test_prices_equal_published_ones(option: tuple[bool, float, float, float, float, float], price: float) -> None:
    assert black76_price(*option) == pytest.approx(price, abs=5e-5)


@pytest.mark.parametrize("x", [-6.0, -1.96, -0.5, 0.0, 0.3, 2.5])
def test_normal_cdf_equals_the_standard_library(x: float) -> None:
    assert normal_cdf(x) == pytest.approx(NormalDist().cdf(x), rel=1e-9, abs=1e-15)


forwards = st.floats(50.0, 50_000.0)
vols = st.floats(0.01, 2.0)
years = st.floats(1e-4, 3.0)
rates = st.floats(0.0, 0.2)
ratios = st.floats(0.5, 2.0)


@given(forwards, ratios, years, vols, rates)
def test_put_call_parity(forward: float, ratio: float, time: float, vol: float, rate: float) -> None:
    strike = forward * ratio
    difference = black76_price(True, forward, strike, time, vol, rate) - black76_price(
        False, forward, strike, time, vol, rate
    )
    assert difference == pytest.approx(math.exp(-rate * time) * (forward - strike), abs=1e-9 * forward)


@given(forwards, ratios, years, vols, rates)
def test_price_lies_between_intrinsic_value_and_the_forward(
    forward: float, ratio: float, time: float, vol: float, rate: float
) -> None:
    discount = math.exp(-rate * time)
    price = black76_price(True, forward, forward * ratio, time, vol, rate)
    slack = 1e-9 * forward
    assert discount * max(forward - forward * ratio, 0.0) - slack <= price <= discount * forward + slack


def test_the_limit_is_intrinsic_value() -> None:
    assert black76_price(True, 110.0, 100.0, 0.0, 0.2, 0.05) == 10.0
    assert black76_price(False, 110.0, 100.0, 0.0, 0.2, 0.05) == 0.0
    assert black76_price(False, 90.0, 100.0, 1.0, 0.0, 0.0) == 10.0


@pytest.mark.parametrize(
    "bad",
    [
        (True, -1.0, 1.0, 1.0, 0.2, 0.0),
        (True, 1.0, 0.0, 1.0, 0.2, 0.0),
        (True, 1.0, 1.0, -1.0, 0.2, 0.0),
        (True, math.nan, 1.0, 1.0, 0.2, 0.0),
    ],
)
def test_what_cannot_be_is_unknown(bad: tuple[bool, float, float, float, float, float]) -> None:
    assert math.isnan(black76_price(*bad))
