"""Processes that a supervisor left behind, because it was killed itself: known by the socket in their environment."""

import os
from pathlib import Path

from trading_platform.supervision.places import Places

_VARIABLE = b"SUPERVISOR_SERVER_URL=unix://"
_NAME = b"SUPERVISOR_PROCESS_NAME="


def orphans(places: Places) -> dict[int, str]:
    """Return process numbers and names of all that runs under the supervisor of this folder, which is not there.

    Linux tells; elsewhere nothing is found.
    """
    wanted = _VARIABLE + os.fsencode(places.control)
    found: dict[int, str] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            variables = (folder / "environ").read_bytes().split(b"\0")
        except OSError:  # gone meanwhile, or another user's
            continue
        if wanted in variables:
            names = [one[len(_NAME) :] for one in variables if one.startswith(_NAME)]
            found[int(folder.name)] = names[0].decode(errors="replace") if names else "?"
    return found
