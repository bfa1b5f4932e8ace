"""How a command becomes root's, with or without a password, and where that password is kept."""

from __future__ import annotations

import os
import secrets
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import SecretStr

ENVIRONMENT = "MATRIX_FLEET_SUDO_PASSWORD"
_LONGEST = 4096
# Another locale would translate what commands print; a non-login shell of a user lacks the sbin folders.
_SURROUNDINGS = ("env", "LC_ALL=C.UTF-8", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")


class Holder:
    """The process's one sudo password."""

    _password: SecretStr | None = None

    def put(self, password: str) -> None:
        """Keep a password; an empty one means that sudo asks for none."""
        self._password = SecretStr(password) if password else None

    def get(self) -> SecretStr | None:
        """Return the password that was put, or the environment's, or None."""
        if self._password is None and os.environ.get(ENVIRONMENT):
            return SecretStr(os.environ[ENVIRONMENT])
        return self._password


PASSWORD = Holder()


def read_descriptor(number: int) -> str:
    """
    Read a password from an inherited file descriptor, up to its first line's end.

    Raises `OSError` where there is no such descriptor.
    """
    with os.fdopen(number, "rb") as file:
        return file.readline(_LONGEST).decode().rstrip("\r\n")


@dataclass(frozen=True, slots=True)
class Elevation:
    """
    A command line as the host's login shell gets it, and the dialogue with sudo that comes before it.

    The command's shell writes `starts` to both streams just before the command: what came before it are words of the
    login shell's start files or of sudo. Empty: nobody writes it. Where `password` is set, sudo writes `asks` to
    standard error when it wants it: the password is sent to sudo alone, never to a command whose user needs none.
    """

    line: str
    starts: bytes = b""
    by_sudo: bool = False
    password: SecretStr | None = None
    asks: bytes = b""


def elevate(
    argv: Sequence[str], *, user: str, root: bool, password: SecretStr | None = None, lies_there: bool = False
) -> Elevation:
    """
    Write `argv` as one line for the login shell of `user`; root does not need sudo. `lies_there`: the user's key starts
    nothing but programs that lie on the host.

    Raises `ValueError` for an empty command and for a NUL byte in it.
    """
    if not argv or any("\0" in word for word in argv):
        raise ValueError(f"no command: {argv!r}")
    by_sudo = root and user != "root"
    if lies_there:
        return Elevation(shlex.join((*_SURROUNDINGS, *(("sudo", "-n", "--") if by_sudo else ()), *argv)), b"", by_sudo)
    nonce = secrets.token_hex(8)
    starts = f"{nonce}-starts"
    command = ("sh", "-c", f'printf %s {starts}; printf %s {starts} >&2; exec "$@"', "sh", *argv)
    if not by_sudo:
        return Elevation(shlex.join((*_SURROUNDINGS, *command)), starts.encode())
    if password is None:
        return Elevation(shlex.join((*_SURROUNDINGS, "sudo", "-n", "--", *command)), starts.encode(), by_sudo)
    # -k: a cached credential is not used, so whether sudo asks depends on the sudoers file alone.
    line = (*_SURROUNDINGS, "sudo", "-k", "-S", "-p", f"{nonce}-asks", "--", *command)
    return Elevation(shlex.join(line), starts.encode(), by_sudo, password, f"{nonce}-asks".encode())
