"""Judgements of size: a server has the processors and the memory that its roles need."""

from __future__ import annotations

from collections.abc import Iterator

from model.host.shared_facts import Capacity
from model.site.hosts import Machine
from model.site.site import Site
from model.site.sizing import needs

KIB_IN_MIB, KIB_IN_GIB = 2**10, 2**20
# The kernel keeps some of the memory that a server is sold with for itself.
USABLE = 0.9
# kubeadm refuses a control plane with less, whatever the site's size.
_PLANE_CPUS, _PLANE_MEMORY = 2, 1700 * KIB_IN_MIB


def needed(site: Site, machine: Machine) -> Capacity:
    """Return what the machine's roles need together, or kubeadm asks for, of what a kernel tells."""
    sizes, accepted = needs(site, machine), site.settings.kubernetes.accepted_errors
    cpus, memory = sum(size.cpus for size in sizes), int(sum(size.ram_gib for size in sizes) * KIB_IN_GIB * USABLE)
    if machine.node == "control_plane":
        cpus = cpus if "NumCPU" in accepted else max(cpus, _PLANE_CPUS)
        memory = memory if "Mem" in accepted else max(memory, _PLANE_MEMORY)
    return Capacity(cpus, memory)


def too_few_cpus(site: Site, machine: Machine, capacity: Capacity) -> Iterator[str]:
    """Say what is lacking where a server has fewer processors than it needs."""
    need = needed(site, machine).cpus
    if capacity.cpus < need:
        yield f"has {capacity.cpus} CPU; its roles ({', '.join(machine.roles)}) need {need}"


def too_little_memory(site: Site, machine: Machine, capacity: Capacity) -> Iterator[str]:
    """Say what is lacking where a server has less memory than it needs."""
    need, roles = needed(site, machine).memory, ", ".join(machine.roles)
    if capacity.memory < need:
        has = capacity.memory / KIB_IN_GIB
        yield f"has {has:.1f} GiB of memory; its roles ({roles}) need {need / KIB_IN_GIB:.1f}"
