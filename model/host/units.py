"""The systemd units that should run on a server, and from which stage of its life on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from model.site.hosts import Machine
from model.site.site import Site

Stage = Literal["firewall", "prepared", "member"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    A unit, the stage that brings it, and units that may stand for it. `once`: it has done its work at boot, if it was
    there by then.
    """

    name: str
    since: Stage
    instead: tuple[str, ...] = ()
    once: bool = False


def units(site: Site, machine: Machine) -> tuple[Wanted, ...]:
    """Return the units of one server."""
    if machine.kind != "server":
        return ()
    wanted = [
        Wanted("ufw.service", "firewall", once=True),
        Wanted("ssh.service", "firewall", ("ssh.socket",)),
        Wanted("ssh.socket", "firewall", ("ssh.service",)),
    ]
    if site.settings.ntp:
        wanted.append(Wanted("chrony.service", "prepared"))
    if machine.node:
        wanted += [Wanted("containerd.service", "member"), Wanted("kubelet.service", "member")]
    if machine.node == "control_plane" and site.settings.kubernetes.endpoint.provider == "keepalived":
        wanted += [Wanted("haproxy.service", "member"), Wanted("keepalived.service", "member")]
    return tuple(wanted)
