"""Where commands write for people: standard output for results, standard error for what went wrong."""

import sys


def say(text: str, *, error: bool = False) -> None:
    """Print one message."""
    print(text, file=sys.stderr if error else sys.stdout, flush=True)
