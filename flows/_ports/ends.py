"""The ends that agents stand at: hosts, and pods in a network of their own on a host."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from flows._fleet.failure import HostFailure
from flows._fleet.hosts import run_on_hosts
from model.host.hostview import HostView
from model.site.site import Site
from model.verify.address_faults import AddressFaults
from model.verify.pods import ProbePod, node_of

if TYPE_CHECKING:
    from nornir.core import Nornir
    from nornir.core.inventory import Host

T = TypeVar("T")
_WORKERS = 256


@dataclass(frozen=True, slots=True)
class End:
    """
    Where two agents stand: `addresses` are the end's own, `container` has the pod's network (empty: the host's),
    `watched` are TCP ports whose plain connections are looked for.
    """

    name: str
    addresses: frozenset[str]
    container: str = ""
    watched: tuple[int, ...] = ()

    @property
    def host(self) -> str:
        """The host it is on."""
        return node_of(self.name)


def ends(site: Site, hosts: Mapping[str, HostView], pods: Iterable[ProbePod]) -> dict[str, End]:
    """Return hosts and the probe pods on them as ends; the API's own addresses may be at any control plane."""
    standing, faults = {}, AddressFaults(site, hosts)
    for name, view in hosts.items():
        machine = site.by_name[name]
        own = (*(address for _, address in machine.every), *site.endpoint_addresses(machine))
        # What is another host's surfaces here as well.
        mine = frozenset(map(str, own)) | faults.foreign(name)
        standing[name] = End(name, mine, watched=(view.sshd_port,))
    for pod in pods:
        if pod.node in standing:
            standing[pod.end] = End(pod.end, frozenset(map(str, pod.addresses)), pod.container)
    return standing


def each_end(
    nr: Nornir, step: Callable[[Host, str], T], names: Collection[str], deadline: float
) -> dict[str, T | HostFailure]:
    """Run a step for every named end, all ends of a host at once; what fails on a host fails for all of its ends."""
    by_host: dict[str, list[str]] = {}
    for name in names:
        by_host.setdefault(node_of(name), []).append(name)

    def on_host(host: Host) -> list[T]:
        mine = by_host[host.name]
        if len(mine) == 1:
            return [step(host, mine[0])]
        with ThreadPoolExecutor(len(mine), thread_name_prefix=host.name) as pool:
            return list(pool.map(lambda name: step(host, name), mine))

    answers = run_on_hosts(nr, on_host, names=tuple(by_host), workers=_WORKERS, deadline=deadline)
    by_end: dict[str, T | HostFailure] = {}
    for host, answer in answers.items():
        shares = [answer] * len(by_host[host]) if isinstance(answer, HostFailure) else answer
        by_end.update(zip(by_host[host], shares, strict=True))
    return by_end
