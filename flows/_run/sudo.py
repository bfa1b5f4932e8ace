"""Where sudo's password comes from, if hosts ask for one: the flags of every flow that becomes root."""

from __future__ import annotations

import getpass
import sys
from typing import Annotated

import typer

from model.errors import SiteError
from remote.sudo import ENVIRONMENT, PASSWORD, read_descriptor

AskPassword = Annotated[
    bool,
    typer.Option("--ask-sudo-password", help=f"Ask on the terminal for sudo's password (else: {ENVIRONMENT})."),
]
PasswordDescriptor = Annotated[
    int | None,
    typer.Option("--sudo-password-fd", metavar="N", min=0, help="Read sudo's password from this file descriptor."),
]


def take_password(ask: bool, descriptor: int | None) -> None:
    """
    Keep the password the flags name, for the whole run; without them the environment's counts, if it is set.

    Raises `SiteError` when there is no terminal to ask on, nothing to read, or both flags are given.
    """
    if ask and descriptor is not None:
        raise SiteError("--ask-sudo-password and --sudo-password-fd exclude each other; give one of them")
    if descriptor is not None:
        PASSWORD.put(_from(descriptor))
    elif ask:
        if not sys.stdin.isatty():
            raise SiteError(
                f"--ask-sudo-password needs a terminal; use {ENVIRONMENT} or --sudo-password-fd without one"
            )
        PASSWORD.put(getpass.getpass("sudo password: "))


def _from(descriptor: int) -> str:
    try:
        password = read_descriptor(descriptor)
    except (OSError, UnicodeDecodeError) as error:
        raise SiteError(f"--sudo-password-fd {descriptor}: cannot be read: {error}; open it, as in `3<file`") from None
    if not password:
        raise SiteError(f"--sudo-password-fd {descriptor}: its first line is empty; write the password there")
    return password
