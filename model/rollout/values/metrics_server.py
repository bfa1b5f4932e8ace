"""What the templates of the metrics server need to know of the site: how many, where, and whose kubelets it leaves."""

from __future__ import annotations

from model.kubernetes.labels import ROLE
from model.rollout.placement import replicas, roles
from model.site.site import Site

SERVERS = 2


def values(site: Site) -> dict[str, object]:
    """Return the variables of the templates."""
    return {
        "servers": replicas(site, "application", SERVERS),
        "roles": roles(site, "application"),
        "node_selector": ",".join(f"{ROLE}{role}!=true" for role in unreached(site)),
    }


def unreached(site: Site) -> tuple[str, ...]:
    """Return the roles of nodes in isolated networks alone: no row leads from a pod to their kubelets."""
    isolated = [machine for machine in site.servers if machine.node and site.isolated(machine)]
    others = {role for machine in site.nodes for role in machine.roles}
    return tuple(dict.fromkeys(role for machine in isolated for role in machine.roles if role not in others))
