"""The controller's side of the collector: one command, wishes in, facts out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from model.errors import CommandFailed, ProtocolError
from model.host.host_facts import HostFacts, Unseen
from model.host.shared_facts import Names
from remote.collector.bundle import argv, script
from remote.collector.reading import read

if TYPE_CHECKING:
    from nornir.core.inventory import Host

_SECONDS = 45.0


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
    from remote.shell import run

    questions = [{"server": server, "names": list(names)} for server in servers or (None,)]
    asked = json.dumps({"sections": ["names"], "dns": questions}, separators=(",", ":")).encode()
    done = run(host, (*prefix, *argv()), stdin=script() + asked, root=bool(prefix), timeout=_SECONDS).check(host)
    try:
        return read(host.name, done.stdout).of(Names)
    except Unseen as error:
        raise ProtocolError(host.name, f"the answers of its name servers cannot be read: {error}") from error


def ask(host: Host, wishes: dict[str, Any]) -> bytes:
    """Return the host's document as it came; raises what running a command raises."""
    from remote.installed import program
    from remote.shell import run

    asked = json.dumps(wishes, separators=(",", ":")).encode()
    lies_there = program(host, "collector")
    if lies_there is None:
        return run(host, argv(), stdin=script() + asked, root=True, timeout=_SECONDS).check(host).stdout
    try:
        return run(host, lies_there, stdin=asked, root=True, timeout=_SECONDS).check(host).stdout
    except CommandFailed as error:
        error.next_step = "python -m flows.schedule hosts: it puts the programs there anew, as sudo's rule names them"
        raise
