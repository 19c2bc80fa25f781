"""The page of commands, made from what each command says of itself."""

import re
from typing import Any

from trading_platform_tests.command_tree import Command, commands

_HEAD = """# Commands

Made from the commands themselves (`make pages`); `trading-platform COMMAND --help` says the same at the terminal.

Every command says in its exit code how it went; where it does not say otherwise, 0 is that all was used, 2 that it
could not run and says why, 3 that something was set aside and is named.
"""


def commands_page() -> str:
    """Return the page: an overview, then each command."""
    every = list(commands().values())
    rows = [f"| [`{one.name}`](#{_anchor(one.name)}) | {_first_sentence(one)} |" for one in every]
    overview = "\n".join(["| command | what it does |", "|---|---|", *rows])
    return "\n".join([_HEAD, overview, "", *map(_section, every)])


def _section(one: Command) -> str:
    parts = [f"## {one.name}", "", *(f"{_prose(part)}\n" for part in _paragraphs(one))]
    if one.examples:
        parts += ["```text", *one.examples, "```", ""]
    if one.exit_codes:
        parts += [_prose(one.exit_codes), ""]
    shown = [_parameter(each) for each in one.parsed.params if each.name not in {"help"}]
    if shown:
        parts += ["| option | meaning | default |", "|---|---|---|", *shown, ""]
    return "\n".join(parts)


def _paragraphs(one: Command) -> list[str]:
    """Return what the help says before examples and exit codes."""
    parts = [part.strip() for part in re.split(r"\n\s*\n", one.help)]
    return [part for part in parts if part and not part.startswith(("Example", "Exit codes:", "trading-platform"))]


def _first_sentence(one: Command) -> str:
    return _cell(re.split(r"(?<=[.;:])\s", _prose(one.help.split("\n\n")[0]), maxsplit=1)[0].rstrip(";:"))


def _prose(text: str) -> str:
    return " ".join(text.split()).replace("<", "&lt;")


def _parameter(one: Any) -> str:
    names = (
        ", ".join(f"`{name}`" for name in one.opts)
        if one.param_type_name == "option"
        else f"`{one.metavar or one.name.upper()}`"
    )
    given = "" if one.default is None or callable(one.default) or one.default in ((), [], False) else f"`{one.default}`"
    default = "required" if one.required else given
    return f"| {names} | {_cell(getattr(one, 'help', None) or '')} | {_cell(default)} |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def _anchor(name: str) -> str:
    return name.replace(" ", "-")
