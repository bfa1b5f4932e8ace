"""Whether the lab's hosts answer the controller over the network, router included."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from lab.commands import call
from lab.errors import LabError
from lab.instance import Instance
from lab.topology import LabHost

_PROGRAM = Path(__file__).with_name("banner.py")


def await_ssh(instance: Instance, hosts: Sequence[LabHost], seconds: float) -> None:
    """
    Wait until sshd of every host has greeted the controller at the address of the site's inventory.

    Raises LabError with the hosts that stay silent.
    """
    targets = json.dumps({host.name: host.hostname for host in hosts})
    argv = (
        "nsenter",
        f"--net={instance.namespace_path()}",
        "--",
        sys.executable,
        "-I",
        "-S",
        str(_PROGRAM),
        str(seconds),
    )
    silent = json.loads(call(argv, stdin=targets, seconds=seconds + 10))
    if silent:
        raise LabError(
            f"sshd did not answer within {seconds:.0f} s on {', '.join(silent)}; see `python -m lab shell HOST`"
        )
