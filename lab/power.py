"""How one host comes up and goes down."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

from lab import cgroups, containers, controller, disks, identity, network, node, processes, readiness, services
from lab.commands import call
from lab.errors import LabError
from lab.instance import Instance
from lab.plan import LabPlan
from lab.roots import Root, ensure
from lab.topology import ROUTER, LabHost
from model.site.load import load_site

# 2 cores boot a host in 0.15 s; the limit only catches what hangs.
_BOOT_SECONDS = 60.0
_SHUTDOWN_SECONDS = 20.0
# So many at once that the limit of one wave holds on a busy machine too.
_WAVE = 24


def boot(instance: Instance, plan: LabPlan, hosts: Sequence[LabHost], say: Callable[[str], None]) -> None:
    """
    Boot hosts that are down, the router first, many at once, and wait until every one of them is up.

    A host without a disk gets one. Raises LabError with the names of those that did not come up.
    """
    root = ensure(plan.recipe, say)
    order = sorted(hosts, key=lambda host: host.name != ROUTER)
    for start in range(0, len(order), _WAVE):
        wave = order[start : start + _WAVE]
        if start:
            say(f"  {start} of {len(order)} are up")
        boots = []
        for host in wave:
            clear(instance, host)
            boots.append(_boot_one(instance, plan, host, root))
        consoles = {host.name: disks.disk_of(instance, host.name).console for host in wave}
        readiness.await_ready(boots, consoles, _BOOT_SECONDS)


def _boot_one(instance: Instance, plan: LabPlan, host: LabHost, root: Root) -> readiness.BootProcess:
    identity.make(instance, (host.name,))
    network.attach(instance, host)
    if not disks.disk_of(instance, host.name).upper.exists():
        _new_disk(instance, plan, host)
    if host.name == ROUTER:
        site = load_site(instance.inventory)
        network.external(
            instance, [str(address) for entry in site.settings.external.values() for address in entry.addresses]
        )
    disks.mount(instance, host.name, root, plan.layer(host))
    return containers.start(instance, host)


def _new_disk(instance: Instance, plan: LabPlan, host: LabHost) -> None:
    if host.name == ROUTER:
        disks.create(instance, host, (plan.user,), services.files(load_site(instance.inventory)), services.links())
    elif host.serves_the_site:
        disks.create(instance, host, (plan.user,), node.files(), node.links())
    else:
        disks.create(instance, host, (plan.user,))


def inform_router(instance: Instance) -> None:
    """Let the router know the site as it is now. Faults made in its packet filter end with the old rules."""
    disk = disks.disk_of(instance, ROUTER)
    alive = bool(containers.leader(instance, ROUTER))
    for name, text in services.files(load_site(instance.inventory)).items():
        ((disk.root if alive else disk.upper) / name).write_text(text, "utf-8")
    if alive:
        call(controller.entrance(instance, ROUTER, ("nft", "-f", "/etc/nftables.conf")))
        call(controller.entrance(instance, ROUTER, ("systemctl", "restart", "names-main", "names-public", "names-li")))


def pull_the_plug(instance: Instance, host: LabHost) -> None:
    """End every process of a host with SIGKILL; its disk stays as it is at that moment."""
    _end(instance, host.name)
    clear(instance, host)


def shut_down(instance: Instance, host: LabHost) -> None:
    """Let a host's systemd stop its services; one that does not end in time loses its power."""
    init = containers.leader(instance, host.name)
    if init:
        with contextlib.suppress(LabError):
            processes.end((init,), signal.SIGRTMIN + 3, _SHUTDOWN_SECONDS)
    pull_the_plug(instance, host)


def clear(instance: Instance, host: LabHost) -> None:
    """Take away what a host that is down left on the machine, save its disk."""
    if cgroups.exists(instance.namespace(host.name)) or network.exists(instance.namespace(host.name)):
        _end(instance, host.name)
    disks.unmount(instance, host.name)
    network.detach(instance, host.name, len(host.legs))
    cgroups.remove(instance.namespace(host.name))


def _end(instance: Instance, host: str) -> None:
    processes.end(_of(instance, host) - processes.own_line(), groups=(instance.namespace(host),))


def _of(instance: Instance, host: str) -> frozenset[int]:
    """Return all processes of a host, found by its groups, its supervisor's argument and its network."""
    supervisors = processes.with_argument(containers.machine_argument(instance, host))
    grouped = cgroups.processes(instance.namespace(host))
    return supervisors | grouped | processes.in_namespaces((_network(instance, host),))


def _network(instance: Instance, host: str) -> Path:
    return instance.namespace_path(host)
