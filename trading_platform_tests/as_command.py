"""A command as the shell sees it, exit code and both streams, without a new interpreter: that takes seconds each."""

import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from unittest.mock import patch

from trading_platform.cli.main import main


def as_command(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run `trading-platform ARGUMENTS` in this process."""
    out, errors, code = StringIO(), StringIO(), 0
    with patch.object(sys, "argv", ["trading-platform", *arguments]), redirect_stdout(out), redirect_stderr(errors):
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), errors.getvalue())
