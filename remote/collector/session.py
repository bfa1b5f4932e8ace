"""The controller's side of the collector: one command, wishes in, facts out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from model.errors import CommandFailed, HostError, ProtocolError
from model.host.host_facts import HostFacts, Unseen
from model.host.server import INSTALL_PYTHON3
from model.host.shared_facts import Names
from remote.collector.bundle import argv, script
from remote.collector.reading import read

if TYPE_CHECKING:
    from nornir.core.inventory import Host

_SECONDS = 45.0
# A shell says so of a program that is not there.
_NOT_FOUND = 127


def collect(host: Host, wishes: dict[str, Any]) -> HostFacts:
    """
    Look at a host in one round trip, as root; python3 is needed there, and nothing is changed. As the scheduled
    identity, by the program that lies there.

    Raises `ProtocolError` for an answer that is cut short, and what running a command raises.
    """
    return read(host.name, ask(host, wishes))


def ask_names(host: Host, servers: Sequence[str], names: Sequence[str], prefix: Sequence[str] = ()) -> Names:
    """
    Have a host ask name servers, its own where none is named, for the addresses of names, both families.

    `prefix` are words before the program, which then runs as root: those that enter a pod's network. Raises
    `ProtocolError` where the answer cannot be understood, and what running a command raises.
    """
    from remote.installed import is_scheduled
    from remote.shell import run

    questions = [{"server": server, "names": list(names)} for server in servers or (None,)]
    wishes = {"sections": ["names"], "dns": questions}
    if not prefix and is_scheduled(host):
        answer = ask(host, wishes)
    else:
        asked = json.dumps(wishes, separators=(",", ":")).encode()
        command = (*prefix, *argv())
        answer = run(host, command, stdin=script() + asked, root=bool(prefix), timeout=_SECONDS).check(host).stdout
    try:
        return read(host.name, answer).of(Names)
    except Unseen as error:
        raise ProtocolError(host.name, f"the answers of its name servers cannot be read: {error}") from error


def ask(host: Host, wishes: dict[str, Any]) -> bytes:
    """Return the host's document as it came; raises what running a command raises."""
    from remote.installed import program
    from remote.shell import run

    asked = json.dumps(wishes, separators=(",", ":")).encode()
    lies_there = program(host, "collector")
    if lies_there is None:
        done = run(host, argv(), stdin=script() + asked, root=True, timeout=_SECONDS)
        if done.exit_code == _NOT_FOUND:
            raise HostError(host.name, "python3 missing: the collector cannot run", INSTALL_PYTHON3)
        return done.check(host).stdout
    try:
        return run(host, lies_there, stdin=asked, root=True, timeout=_SECONDS).check(host).stdout
    except CommandFailed as error:
        error.next_step = "python -m flows.schedule hosts: it puts the programs there anew, as sudo's rule names them"
        raise
