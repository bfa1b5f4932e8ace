"""Commands run as the controller, or as root on a host."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from lab import containers, leftovers, network, seccomp
from lab.errors import LabError
from lab.instance import VARIABLE, Instance

_NEW_NETWORK = 0x40000000  # CLONE_NEWNET of sched.h
ADMIN = "/etc/kubernetes/admin.conf"
_BOOTSTRAP = ".venv/bin/python -m flows.bootstrap"
_HOST_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def run(instance: Instance, argv: Sequence[str]) -> NoReturn:
    """Become the command, inside the lab's network; streams, folder, environment, signals and exit code are its own."""
    if not network.exists(instance.namespace()):
        raise LabError("no lab is up: `python -m lab up`")
    os.environ["MATRIX_FLEET_INVENTORY"] = str(instance.inventory)
    os.environ[VARIABLE] = instance.name
    _become(("nsenter", f"--net={instance.namespace_path()}", "--", *argv), dict(os.environ))


def shell(instance: Instance, host: str, argv: Sequence[str]) -> NoReturn:
    """
    Become the command, as root on a host, with no more power over the machine than its services have; without one, a
    shell.
    """
    command = entrance(instance, host, argv or ("/bin/bash", "-l"))
    seccomp.forbid()
    _become(command, on_a_host())


def on_a_host() -> dict[str, str]:
    """Return the environment of root on a host."""
    own = {name: os.environ[name] for name in ("TERM", "LANG") if name in os.environ}
    return {**own, "PATH": _HOST_PATH, "HOME": "/root", "USER": "root", "LOGNAME": "root", "SHELL": "/bin/bash"}


def kubectl(instance: Instance, planes: Sequence[str], argv: Sequence[str]) -> NoReturn:
    """
    Become kubectl with the administrator's credentials, on the first control plane that is up and in a cluster.

    Raises LabError when there is none.
    """
    alive = [host for host in planes if containers.leader(instance, host)]
    if not alive:
        raise LabError(f"no control plane is up ({', '.join(planes)}): `python -m lab poweron {planes[0]}`")
    for host in alive:
        look = entrance(instance, host, ("test", "-r", ADMIN))
        if not subprocess.run(look, stdin=subprocess.DEVNULL, check=False).returncode:
            shell(instance, host, ("kubectl", "--kubeconfig", ADMIN, *argv))
    raise LabError(f"no cluster yet: {', '.join(alive)} has no {ADMIN}; `python -m lab run -- {_BOOTSTRAP}` makes one")


def entrance(instance: Instance, host: str, argv: Sequence[str]) -> tuple[str, ...]:
    """
    Return the command that runs another one as root on a host.

    Raises LabError when the host is down.
    """
    init = containers.leader(instance, host)
    if not init:
        raise LabError(f"{host} is down: `python -m lab poweron {host}`")
    spaces = ("--mount", "--uts", "--ipc", "--net", "--pid")
    return ("nsenter", f"--target={init}", *spaces, "--", *argv)


def leave(instance: Instance) -> None:
    """
    Return to the machine's own network when a command that changes the lab was started inside it.

    Some of the machine's settings can only be seen from there.
    """
    inside = {path.stat().st_ino for path in leftovers.namespaces(instance)}
    if Path("/proc/self/ns/net").stat().st_ino not in inside:
        return
    descriptor = os.open("/proc/1/ns/net", os.O_RDONLY)
    try:
        if ctypes.CDLL(None, use_errno=True).setns(descriptor, _NEW_NETWORK):
            raise LabError(f"cannot leave the lab's network: {os.strerror(ctypes.get_errno())}")
    finally:
        os.close(descriptor)


def _become(argv: Sequence[str], environment: dict[str, str]) -> NoReturn:
    try:
        os.execvpe(argv[0], list(argv), environment)  # noqa: S606 - no shell is wanted
    except OSError as error:
        raise LabError(f"cannot start {argv[0]}: {error.strerror}") from error
