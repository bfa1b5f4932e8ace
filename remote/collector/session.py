"""The controller's side of the collector: one command, wishes in, facts out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from model.errors import CommandFailed
from model.host.host_facts import HostFacts
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
