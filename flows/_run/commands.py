"""Which commands there are: every public module of `flows`, with what its application says of itself."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

import typer
from typer.main import get_command

import flows
from flows._run.cli import application
from flows._run.help import first_sentence


@dataclass(frozen=True, slots=True)
class Command:
    """
    A command line's place: its one-line help, words that may stand there, and flags with the values each may have.

    `flags` maps a flag to its values: None where it takes none, empty where it may be anything. `lists` are those that
    take a comma list of them.
    """

    line: str
    words: tuple[str, ...]
    flags: Mapping[str, tuple[str, ...] | None]
    lists: frozenset[str]


def names() -> tuple[str, ...]:
    """Return the names of all commands, as in `python -m flows.NAME`."""
    modules = (module.name for module in pkgutil.iter_modules(flows.__path__))
    return tuple(sorted(name for name in modules if not name.startswith("_")))


def describe(name: str) -> dict[str, Command]:
    """Return a command under the empty word, and what follows its subcommands, if it has any, under theirs."""
    module: Any = importlib.import_module(f"{flows.__name__}.{name}")
    app: typer.Typer | None = getattr(module, "app", None)
    if app is None:
        app = application()
        app.command()(module.main)
    root: Any = get_command(app)
    subcommands: Mapping[str, Any] = getattr(root, "commands", {})
    return {"": _command(root, tuple(subcommands))} | {word: _command(sub) for word, sub in subcommands.items()}


def _command(command: Any, subcommands: tuple[str, ...] = ()) -> Command:
    flags: dict[str, tuple[str, ...] | None] = {"--help": None}
    lists: set[str] = set()
    words = list(subcommands)
    for parameter in command.params:
        values = _values(parameter.type_descriptor)
        if parameter.param_type_name == "argument":
            words += values
        else:
            flags |= dict.fromkeys(parameter.opts, None if parameter.is_flag else values)
            lists |= set(parameter.opts if parameter.multiple and values else ())
    return Command(first_sentence(command.help), tuple(words), flags, frozenset(lists))


def _values(described: Any) -> tuple[str, ...]:
    """Return the words a parameter may have: what it completes, or its type's; nothing for what may be anything."""
    complete = described.parameter_info.autocompletion
    return tuple(complete()) if complete else _words(described.annotation)


def _words(annotation: Any) -> tuple[str, ...]:
    """Return the words of a `Literal`, also of one that may be missing."""
    if get_origin(annotation) is Literal:
        return tuple(str(value) for value in get_args(annotation))
    return tuple(value for part in get_args(annotation) for value in _words(part))
