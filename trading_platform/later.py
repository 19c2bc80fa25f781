"""Modules that are slow to import and that most processes never use: imported when something of them is asked for."""

from importlib import import_module
from typing import Any


class Later:
    """Stands for a module until one of its names is used; safe among threads, as an import is.

    Only for what takes a tenth of a second or more to import: all else is imported at the top of a file.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        """Import the module and return what it calls `name`."""
        return getattr(import_module(self._name), name)
