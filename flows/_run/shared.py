"""The decorator that adds the shared flags to a command, which declares its own alone and is handed one `Options`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from functools import wraps
from inspect import Parameter
from typing import Any, Literal

from flows._run import options as flags
from flows._run import sudo

Flag = Literal[
    "inventory",
    "limit",
    "ask_sudo_password",
    "sudo_password_fd",
    "dry_run",
    "json",
    "events",
    "yes",
    "verbose",
    "quiet",
    "no_color",
]
Command = Callable[..., int]

# Each flag's declaration and default, in the order of `--help`.
_SITE: Mapping[str, tuple[object, object]] = {
    "inventory": (flags.Inventory, flags.DEFAULT_INVENTORY),
    "limit": (flags.Limit, None),
}
_RUN: Mapping[str, tuple[object, object]] = {
    "ask_sudo_password": (sudo.AskPassword, False),
    "sudo_password_fd": (sudo.PasswordDescriptor, None),
    "dry_run": (flags.DryRun, False),
    "json": (flags.Json, None),
    "events": (flags.Events, None),
    "yes": (flags.Yes, False),
    "verbose": (flags.Verbose, False),
    "quiet": (flags.Quiet, False),
    "no_color": (flags.NoColor, False),
}
_ALL = (*_SITE, *_RUN)
SUDO: tuple[Flag, ...] = ("ask_sudo_password", "sudo_password_fd")


def shared_flags(*only: Flag, without: tuple[Flag, ...] = ()) -> Callable[[Command], Command]:
    """
    Return a decorator that gives a command the shared flags, all or `only` these, but none of `without`.

    The command's keyword-only parameter `options` takes them. In `--help` its own parameters before `options` come
    first, then the site's flags, then its own behind `options`, then the flags of the run. Called from Python, it takes
    the shared flags by keyword. sudo's password is taken before the command begins.
    """
    taken = [flag for flag in only or _ALL if flag not in without]

    def decorate(command: Command) -> Command:
        @wraps(command)
        def with_options(*positional: object, **given: Any) -> int:
            values = {flag: given.pop(flag, _default(flag)) for flag in taken}
            sudo.take_password(values.pop(SUDO[0], False), values.pop(SUDO[1], None))
            return command(*positional, options=flags.Options(**values), **given)

        parameters = _parameters(command, taken)
        # typer reads a command's flags from its signature and annotations.
        with_options.__signature__ = inspect.Signature(parameters, return_annotation=int)  # type: ignore[attr-defined]
        with_options.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return with_options

    return decorate


def _parameters(command: Command, taken: Collection[str]) -> list[Parameter]:
    own = list(inspect.signature(command, eval_str=True).parameters.values())
    place = [parameter.name for parameter in own].index("options")
    site = [_parameter(flag) for flag in _SITE if flag in taken]
    run = [_parameter(flag) for flag in _RUN if flag in taken]
    return [*own[:place], *site, *own[place + 1 :], *run]


def _parameter(flag: str) -> Parameter:
    declaration = (_SITE.get(flag) or _RUN[flag])[0]
    return Parameter(flag, Parameter.KEYWORD_ONLY, default=_default(flag), annotation=declaration)


def _default(flag: str) -> Any:
    return (_SITE.get(flag) or _RUN[flag])[1]
