"""On which nodes a component's pods belong, and how many of them the site has room for."""

from __future__ import annotations

from model.errors import SiteError
from model.kubernetes.storage import Volume, volumes
from model.site.hosts import Machine, Purpose
from model.site.site import Site


def hosts(site: Site, purpose: Purpose) -> tuple[Machine, ...]:
    """Return the nodes for a purpose; where the site has none of their own, those for the application."""
    found = _workers(site, purpose) or _workers(site, "application")
    if not found:
        raise SiteError(
            f"hosts.yaml: no node is there for {purpose}, nor for the application",
            next_step="give a host a role with `node: worker` and this purpose in groups.yaml",
        )
    return found


def roles(site: Site, purpose: Purpose) -> tuple[str, ...]:
    """Return the names of the roles whose nodes `hosts` returns."""
    mine = {role for machine in hosts(site, purpose) for role in machine.roles}
    wanted = (purpose, "application") if not _workers(site, purpose) else (purpose,)
    return tuple(name for name, traits in site.roles.items() if name in mine and traits.purpose in wanted)


def replicas(site: Site, purpose: Purpose, wanted: int) -> int:
    """Return how many pods, each on a node of its own, the site has room for."""
    return min(wanted, len(hosts(site, purpose)))


def disks(site: Site, purpose: Purpose, word: str) -> tuple[tuple[Volume, ...], ...]:
    """Return the volumes called `word` of each node for a purpose; nothing where no node has one."""
    found = tuple(
        tuple(volume for volume in volumes(site, machine) if volume.purpose == word) for machine in hosts(site, purpose)
    )
    return found if any(found) else ()


def _workers(site: Site, purpose: Purpose) -> tuple[Machine, ...]:
    roles = {name for name, traits in site.roles.items() if traits.purpose == purpose and traits.node == "worker"}
    return tuple(machine for machine in site.with_purpose(purpose) if roles.intersection(machine.roles))
