"""Every command of the program with what its help says, and whether a line of shell is one that it would take."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import typer

from trading_platform.cli.main import app

PROGRAM = "trading-platform"
_EXAMPLE = re.compile(rf"^\s*(?:Examples?:\s*)?({PROGRAM} [^\n]+)$", re.MULTILINE)


@dataclass(frozen=True)
class Command:
    """A command that can be given, by its words after the program's name."""

    name: str
    parsed: Any
    """What typer made of it."""

    @property
    def help(self) -> str:
        """Return the help as written, without marks of layout."""
        return "\n".join(line.strip() for line in (self.parsed.help or "").replace("\b", "").splitlines()).strip()

    @property
    def examples(self) -> list[str]:
        """Return the lines of the help that call the program."""
        return [found.strip() for found in _EXAMPLE.findall(self.help)]

    @property
    def exit_codes(self) -> str | None:
        """Return the paragraph on exit codes, None without one."""
        return next((part for part in re.split(r"\n\s*\n", self.help) if part.startswith("Exit codes:")), None)

    @property
    def options(self) -> set[str]:
        """Return the names of its options."""
        return {name for parameter in self.parsed.params for name in parameter.opts}


def commands() -> dict[str, Command]:
    """Return all commands by name."""
    return {one.name: one for one in _below(typer.main.get_command(app), ())}


def _below(group: Any, path: tuple[str, ...]) -> Iterator[Command]:
    if path and (not hasattr(group, "commands") or group.invoke_without_command):
        yield Command(" ".join(path), group)
    for name, child in sorted(getattr(group, "commands", {}).items()):
        yield from _below(child, (*path, name))


def arguments_of(line: str) -> list[str] | None:
    """Return the words that a line of shell gives to the program, None when it does not call it."""
    words = shlex.split(line.split("|", maxsplit=1)[0], comments=True)
    at = next((place for place, word in enumerate(words) if word.rsplit("/", 1)[-1] == PROGRAM), None)
    return None if at is None else words[at + 1 :]


def parse(arguments: list[str]) -> None:
    """Parse as the program would, and run nothing; raise what the program's parser raises."""
    command: Any = typer.main.get_command(app)
    context = None
    path, rest = [PROGRAM], arguments
    while hasattr(command, "commands") and rest and rest[0] in command.commands:
        command = command.commands[rest[0]]
        path, rest = [*path, rest[0]], rest[1:]
    context = command.make_context(" ".join(path), list(rest), parent=context)
    context.close()
