"""Load the platform and its compiled kernels once, so that a process forked from here works at once."""

import trading_platform.cli.main  # noqa: F401  # all commands
import trading_platform_tests.torture.exchange  # noqa: F401
from trading_platform.calc.session_pass import SessionPass
from trading_platform_tests.session_data import make_session

_data = make_session(0, minutes=6)
SessionPass(_data.session, _data.contents.__getitem__).feed(_data.batch)
