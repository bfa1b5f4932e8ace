"""What the cluster, where there is one, says of the ports and pods that a verification must reckon with."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flows._ports.endpoint import holders_of
from model.base import Address
from model.errors import KubernetesError, PlanRefused
from model.host.hostview import HostView, is_named
from model.report.outcome import Outcome, Status
from model.site.site import Site
from model.verify.exposure import ExposedPort, undeclared
from model.verify.pods import ProbePod

if TYPE_CHECKING:
    from nornir.core import Nornir

    from remote.facts.probe_ports import ClusterPorts

# Where one of them runs there is a cluster, or what is left of one.
_SIGNS = ("kubelet", "kube-apiserver")
_PODS_STEP = "look at `kubectl -n matrix-fleet get pods -o wide`, then run `python -m flows.bootstrap --only verify`"


@dataclass(frozen=True, slots=True)
class ClusterView:
    """
    Services' ports, probe pods and those of components, who holds the API's own addresses, and what is wrong with any
    of it.

    `absent` says why pods cannot be asked; empty where they can.
    """

    exposed: tuple[ExposedPort, ...] = ()
    pods: tuple[ProbePod, ...] = ()
    holders: Mapping[Address, str] | None = None
    outcomes: tuple[Outcome, ...] = ()
    absent: str = ""
    components: tuple[ProbePod, ...] = ()

    @property
    def every_pod(self) -> tuple[ProbePod, ...]:
        """Probe pods and those of components."""
        return (*self.pods, *self.components)


def look(site: Site, views: Mapping[str, HostView], api: Callable[[], ClusterPorts]) -> ClusterView:
    """
    Ask the cluster's API by `api`; a site without a cluster has none to ask, one whose API gives no answer is a failure
    of its own.
    """
    holders, findings = holders_of(site, views)
    if not any(is_named(listener.process, _SIGNS) for view in views.values() for listener in view.listeners):
        return ClusterView(holders=holders, absent="no cluster yet")
    try:
        ports = api()
    except (KubernetesError, PlanRefused) as error:
        message = f"Services and pods are not known: {error}"
        failed = Outcome("controller", "cluster", Status.FAILED, message, next=error.next_step)
        return ClusterView(holders=holders, outcomes=(*findings, failed), absent="the Kubernetes API gave no answer")
    pods = tuple(pod for pod in ports.pods if pod.node in site.by_name and pod.node in ports.nodes)
    return ClusterView(
        ports.exposed,
        tuple(pod for pod in pods if pod.node in views),
        holders,
        (*findings, *undeclared(site, ports.exposed), *(_podless(pods, ports.nodes, views) if pods else ())),
        "" if pods else "no probe pods run in the cluster",
        tuple(pod for pod in ports.components if pod.node in views and pod.node in ports.nodes),
    )


def ask(nr: Nornir, site: Site) -> ClusterPorts:
    """Ask the API as its administrator; raises `KubernetesError` and `PlanRefused`."""
    from remote.facts.probe_ports import observe
    from remote.kube import open_cluster

    with open_cluster(nr, site) as cluster:
        return observe(cluster, site)


def as_collected(answers: Mapping[str, ClusterPorts | str]) -> ClusterPorts:
    """Return what one of the control planes said of its own accord; raises `PlanRefused` where none did."""
    for answer in answers.values():
        if not isinstance(answer, str):
            return answer
    why = "; ".join(f"{name}: {answer}" for name, answer in answers.items())
    raise PlanRefused(why or "no control plane was looked at", next_step="is any control plane up and joined?")


def _podless(pods: Collection[ProbePod], nodes: Collection[str], views: Mapping[str, HostView]) -> list[Outcome]:
    """Name the nodes that answer and have no probe pod: of their pods nothing is proven."""
    having = {pod.node for pod in pods}
    return [
        Outcome(
            name, "probe-pod", Status.UNPROVEN, "no probe pod runs here: nothing is proven of its pods", next=_PODS_STEP
        )
        for name in views
        if name in nodes and name not in having
    ]
