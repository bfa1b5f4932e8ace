"""Which of the selected hosts a flow works on, and who it is that works there."""

from __future__ import annotations

import getpass
import os
import socket
from datetime import UTC, datetime

from flows._run.context import Context
from model.errors import SelectionError
from model.site.site import Site


def who() -> str:
    """Return what another run reads that finds a host locked by this one."""
    now = datetime.now(UTC)
    return f"{getpass.getuser()}@{socket.gethostname()}, process {os.getpid()}, since {now:%Y-%m-%d %H:%M:%S} UTC"


def servers(context: Context) -> tuple[str, ...]:
    """Return the selected hosts whose firewall is ours; raises `SelectionError` where none is."""
    ours = {machine.name for machine in context.site.servers}
    names = tuple(name for name in context.hosts if name in ours)
    if not names:
        raise SelectionError(f"--limit {context.options.limit}: none of these is a server of the site")
    return names


def roles(site: Site) -> dict[str, object]:
    """Return the report's own key that says which roles each host has."""
    return {"roles": {machine.name: list(machine.roles) for machine in site.machines}}


def planes(context: Context) -> tuple[str, ...]:
    """Return the selected control planes; raises `SelectionError` where none is."""
    every = {machine.name for machine in context.site.control_planes}
    names = tuple(name for name in context.hosts if name in every)
    if not names:
        raise SelectionError(f"--limit {context.options.limit}: none of these is a control plane")
    return names
