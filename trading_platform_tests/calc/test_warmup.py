import orjson

from trading_platform.calc.warmup import warm_up
from trading_platform_tests.calc.feeding import SETTINGS


def test_it_folds_its_session_into_bars() -> None:
    # packets at 0, 40, 80 and 120 seconds: three minutes, and one bar of five
    assert warm_up(orjson.dumps(SETTINGS)) == 4
