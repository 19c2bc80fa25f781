"""Become one process of the plan: `python -m trading_platform.supervision.launch FOLDER NAME`, run by the supervisor.

The supervisor's configuration thus holds two words for each process, and each start leaves a line that can be counted.
"""

import json
import os
import sys
from pathlib import Path


def main(arguments: list[str]) -> None:
    """Note the start, and become the command that the plan names."""
    folder, name = Path(arguments[0]), arguments[1]
    plan = json.loads((folder / "plan.json").read_bytes())
    command = next(one["command"] for one in plan["services"] if one["name"] == name)
    with (folder / "starts" / name).open("a") as file:
        file.write(f"{os.getpid()}\n")
    os.execv(command[0], command)  # noqa: S606  # the point of it


if __name__ == "__main__":
    main(sys.argv[1:])
