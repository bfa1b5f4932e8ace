"""The selected hosts that a flow works on, and who it is that works there."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Iterable
from datetime import UTC, datetime

from flows._run.context import Context
from model.errors import SelectionError
from model.site.hosts import Machine
from model.site.site import Site


def who() -> str:
    """Return what another run reads that finds a host locked by this one."""
    now = datetime.now(UTC)
    return f"{getpass.getuser()}@{socket.gethostname()}, process {os.getpid()}, since {now:%Y-%m-%d %H:%M:%S} UTC"


def servers(context: Context) -> tuple[str, ...]:
    """Return the selected hosts whose firewall is ours; raises `SelectionError` where none is."""
    return _selected(context, context.site.servers, "a server of the site")


def roles(site: Site) -> dict[str, object]:
    """Return the report's own key that says which roles each host has."""
    return {"roles": {machine.name: list(machine.roles) for machine in site.machines}}


def planes(context: Context) -> tuple[str, ...]:
    """Return the selected control planes; raises `SelectionError` where none is."""
    return _selected(context, context.site.control_planes, "a control plane")


def _selected(context: Context, machines: Iterable[Machine], what: str) -> tuple[str, ...]:
    fitting = {machine.name for machine in machines}
    names = tuple(name for name in context.hosts if name in fitting)
    if not names:
        raise SelectionError(f"--limit {context.options.limit}: none of these is {what}")
    return names
