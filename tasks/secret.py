"""Secrets that are made on one host and handed to others: never in argv, never on the controller's disk."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import SecretStr

from model.errors import CommandFailed, HostError
from remote.command import first_lines

if TYPE_CHECKING:
    from nornir.core.inventory import Host

FOLDER = "/var/lib/matrix-fleet/secrets"


def read(host: Host, name: str) -> SecretStr | None:
    """Return a secret that a host keeps; None where it has none of the name."""
    from remote.shell import run

    path = shlex.quote(f"{FOLDER}/{name}")
    done = run(host, ("sh", "-c", f"if [ -s {path} ]; then cat {path}; fi"), root=True).check(host)
    return SecretStr(done.stdout.decode().strip()) if done.stdout.strip() else None


def keep(host: Host, name: str, value: SecretStr) -> None:
    """Lay a secret down on a host, readable by root alone."""
    from remote.shell import run

    path = shlex.quote(f"{FOLDER}/{name}")
    script = f"umask 077 && mkdir -p {FOLDER} && cat >{path}.new && mv -f {path}.new {path}"
    done = run(host, ("sh", "-c", script), stdin=f"{value.get_secret_value()}\n".encode(), root=True)
    if done.exit_code:
        raise CommandFailed(host.name, ("keep a secret",), done.exit_code, first_lines(done.stderr), "look at its disk")


def make(host: Host, name: str, size: int) -> SecretStr:
    """Let a host draw `size` random bytes from its kernel, keep them as base64 text, and return that."""
    from remote.shell import run

    path = shlex.quote(f"{FOLDER}/{name}")
    script = (
        f"umask 077 && mkdir -p {FOLDER} && head -c {size} /dev/urandom | base64 -w 0 >{path}.new && "
        f"mv -f {path}.new {path} && cat {path}"
    )
    done = run(host, ("sh", "-c", script), root=True).check(host)
    return SecretStr(done.stdout.decode().strip())


def shared(hosts: Sequence[Host], name: str, size: int) -> SecretStr:
    """
    Return the secret that these hosts share: the one that any of them keeps, else a new one made on the first.

    Every host keeps it afterwards. Raises `HostError` where two hosts keep different ones.
    """
    kept = {host.name: read(host, name) for host in hosts}
    values = {value.get_secret_value() for value in kept.values() if value is not None}
    if len(values) > 1:
        holders = ", ".join(host for host, value in kept.items() if value is not None)
        raise HostError(
            hosts[0].name,
            f"{holders} keep different secrets named {name}",
            f"remove {FOLDER}/{name} on those that do not work",
        )
    secret = SecretStr(values.pop()) if values else make(hosts[0], name, size)
    for host in hosts:
        if kept[host.name] is None:
            keep(host, name, secret)
    return secret
