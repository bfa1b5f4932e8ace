"""Labels and taints of a node: those its roles give it, and those that are no longer its own."""

from __future__ import annotations

from collections.abc import Iterable

from model.kubernetes.cluster import Node, Taint
from model.kubernetes.nodepatch import NodePatch, patch
from model.site.hosts import Machine
from model.site.site import Site

ROLE = "matrix-fleet.io/role-"
CONTROL_PLANE = Taint("node-role.kubernetes.io/control-plane", "", "NoSchedule")


def plan(site: Site, nodes: Iterable[Node]) -> tuple[NodePatch, ...]:
    """
    Return what brings the nodes' labels and taints to what their roles say; nodes that the site does not know are left
    alone.

    Ours are the labels of roles and whatever `groups.yaml` gives to any role; nothing else is touched, save that a
    control plane which is a worker too must take pods.
    """
    known = ((node, site.by_name.get(node.name)) for node in nodes)
    patches = (_plan(site, node, machine) for node, machine in known if machine is not None)
    return tuple(change for change in patches if change is not None)


def labels(site: Site, machine: Machine) -> dict[str, str]:
    """Return the labels of a machine's roles."""
    wanted = {f"{ROLE}{role}": "true" for role in machine.roles}
    for role in machine.roles:
        wanted |= site.roles[role].labels
    return wanted


def taints(site: Site, machine: Machine) -> tuple[Taint, ...]:
    """Return the taints of a machine's roles."""
    return tuple(dict.fromkeys(_taint(text) for role in machine.roles for text in site.roles[role].taints))


def joining(site: Site, machine: Machine) -> tuple[Taint, ...]:
    """Return the taints that a node must have from its first moment on: whatever looks for a node then would stay."""
    kept = machine.node == "control_plane" and not _takes_pods(site, machine)
    return tuple(dict.fromkeys((*((CONTROL_PLANE,) if kept else ()), *taints(site, machine))))


def _plan(site: Site, node: Node, machine: Machine) -> NodePatch | None:
    wanted = labels(site, machine)
    given = {(key, value) for traits in site.roles.values() for key, value in traits.labels.items()}
    stale = [
        key
        for key, value in node.labels.items()
        if key not in wanted and (key.startswith(ROLE) or (key, value) in given)
    ]
    mine = taints(site, machine)
    ours = {_taint(text) for traits in site.roles.values() for text in traits.taints}
    theirs = tuple(taint for taint in node.taints if taint not in ours)
    if _takes_pods(site, machine):
        theirs = tuple(taint for taint in theirs if taint != CONTROL_PLANE)
    return patch(node, labels={**wanted, **dict.fromkeys(stale)}, taints=tuple(dict.fromkeys((*theirs, *mine))))


def _takes_pods(site: Site, machine: Machine) -> bool:
    """Return whether any of its roles is a worker's."""
    return any(site.roles[role].node == "worker" for role in machine.roles)


def _taint(text: str) -> Taint:
    """Read `key=value:Effect` or `key:Effect`."""
    pair, _, effect = text.rpartition(":")
    key, _, value = pair.partition("=")
    return Taint(key, value, effect)
