"""How a whole lab comes up, grows and goes."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from lab import (
    answering,
    containers,
    emission,
    identity,
    leftovers,
    network,
    plan,
    power,
    prerequisites,
    resolving,
    room,
    roots,
    tuning,
)
from lab.errors import LabError
from lab.instance import RUN, STATE, Instance
from lab.plan import LabPlan
from lab.topology import LabHost, added_host
from model.site.load import load_site

Say = Callable[[str], None]

_ANSWER_SECONDS = 30.0
_DISKS_AT_ONCE = 6


def up(instance: Instance, wanted: LabPlan, say: Say) -> None:
    """
    Bring the lab up, or what is missing of it.

    A lab of another profile, kind or suite is taken down first. A host that died boots again with its disk as it was.
    """
    prerequisites.check()
    with lock(instance, say):
        present = plan.load(instance)
        if present and not present.same_kind(wanted):
            say(f"a lab of another kind is up ({present}): taking it down first")
            tear_down(instance)
            present = None
        if present and not network.exists(instance.namespace()):
            say("the lab's network is gone: starting anew")
            tear_down(instance)
            present = None
        current = present or _begin(instance, wanted, say)
        _complete(instance, current, say)


def _begin(instance: Instance, wanted: LabPlan, say: Say) -> LabPlan:
    tear_down(instance)
    warning = room.check(wanted, STATE)
    if warning:
        say(f"warning: {warning}")
    roots.ensure(wanted.recipe, say)
    before = plan.emitted(instance)
    if before and not before.same_kind(wanted):
        say(f"replacing the site of the former lab ({before}) in {instance.inventory}, its reports and keys too")
        emission.forget(instance)
    identity.make(instance, [host.name for host in wanted.hosts])
    for file in emission.emit(instance, wanted):
        say(f"{file} in {instance.inventory} was changed by hand: kept as it is")
    plan.mark_emitted(instance, wanted)
    tuning.raise_limits(instance.name)
    network.build(instance)
    resolving.lead_to_router(instance)
    plan.save(instance, wanted)
    return wanted


def _complete(instance: Instance, current: LabPlan, say: Say) -> None:
    alive = containers.leaders(instance, [host.name for host in current.hosts])
    missing = [host for host in current.hosts if host.name not in alive]
    if missing:
        say(f"booting {len(missing)} host{'s' if len(missing) > 1 else ''} ({current})")
        power.boot(instance, current, missing, say)
    answering.await_ssh(instance, current.hosts, _ANSWER_SECONDS)


def down(instance: Instance, say: Say) -> bool:
    """Take the lab away completely, also after a crash, and tell whether there was any; its site and reports stay."""
    with lock(instance, say):
        anything = (instance.home / "lab.json").exists() or bool(leftovers.describe(instance))
        tear_down(instance)
    return anything


def tear_down(instance: Instance) -> None:
    """Remove everything of the lab from the machine, found by its names; the emitted site and its keys stay."""
    leftovers.remove(instance)
    plan.remove(instance)
    # A disk has a hundred thousand files, and the machine's own disk takes its time with each of them.
    with ThreadPoolExecutor(_DISKS_AT_ONCE, "disk") as pool:
        for disk in instance.hosts.glob("*"):
            pool.submit(shutil.rmtree, disk, ignore_errors=True)
    for folder in (instance.hosts, instance.faults):
        shutil.rmtree(folder, ignore_errors=True)
    tuning.restore_limits(instance.name)


def add(instance: Instance, name: str, role: str, say: Say) -> LabHost:
    """Boot one more host of a role and add it to the emitted site."""
    with lock(instance, say):
        current = plan.required(instance)
        roles = load_site(instance.inventory).roles
        if role not in roles or roles[role].kind != "server":
            servers = sorted(name for name, traits in roles.items() if traits.kind == "server")
            raise LabError(f"role {role!r}: one of {', '.join(servers)}")
        host = added_host(name, role, roles[role].network, current.hosts)
        plan.save(instance, current.with_host(host))
        identity.make(instance, (name,))
        emission.append(instance, host)
        power.inform_router(instance)
        power.boot(instance, current, (host,), say)
        answering.await_ssh(instance, (host,), _ANSWER_SECONDS)
        return host


def power_on(instance: Instance, name: str, say: Say) -> None:
    """Boot a host that is down, its disk as it was; one that is up stays as it is."""
    with lock(instance, say):
        current = plan.required(instance)
        host = current.host(name)
        if not containers.leader(instance, name):
            power.boot(instance, current, (host,), say)
        answering.await_ssh(instance, (host,), _ANSWER_SECONDS)


def reboot(instance: Instance, name: str, say: Say) -> None:
    """Shut a host down cleanly and boot it again, its disk as it was, its kernel's rules gone."""
    with lock(instance, say):
        current = plan.required(instance)
        host = current.host(name)
        power.shut_down(instance, host)
        power.boot(instance, current, (host,), say)
        answering.await_ssh(instance, (host,), _ANSWER_SECONDS)


@contextmanager
def lock(instance: Instance, say: Say) -> Iterator[None]:
    """Hold the lab against every other command that changes it; one that was killed holds it no more."""
    RUN.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(RUN / f"{instance.name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another command is changing this lab; waiting for it")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
