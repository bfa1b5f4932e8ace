"""The controller's side of the collector: one command, wishes in, facts out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from model.host_facts import HostFacts
from remote.collector.bundle import argv, script
from remote.collector.reading import read

if TYPE_CHECKING:
    from nornir.core.inventory import Host

_SECONDS = 45.0


def collect(host: Host, wishes: dict[str, Any]) -> HostFacts:
    """
    Look at a host in one round trip, as root; python3 is needed there, and nothing is changed.

    Raises `ProtocolError` for an answer that is cut short, and what running a command raises.
    """
    from remote.shell import run

    stdin = script() + json.dumps(wishes, separators=(",", ":")).encode()
    done = run(host, argv(), stdin=stdin, root=True, timeout=_SECONDS).check(host)
    return read(host.name, done.stdout)
