"""The ports that Services take and the probe pods, by the cluster's own account."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from model.site.site import Site
from model.verify.component_pods import read_component_pods
from model.verify.exposure import ExposedPort, exposed
from model.verify.pods import ProbePod, read_pods
from remote.facts.probe_pod import NAMESPACE

if TYPE_CHECKING:
    from remote.kube import Cluster


@dataclass(frozen=True, slots=True)
class ClusterPorts:
    """
    Ports that Services take, the probe pods that run, the names of the cluster's nodes, and pods that stand for the
    words of rows.
    """

    exposed: tuple[ExposedPort, ...]
    pods: tuple[ProbePod, ...]
    nodes: frozenset[str]
    components: tuple[ProbePod, ...] = ()


def observe(cluster: Cluster, site: Site) -> ClusterPorts:
    """Ask the API; raises `KubernetesError`."""
    with ThreadPoolExecutor(max_workers=4, thread_name_prefix="api") as pool:
        services = pool.submit(cluster.list, "/api/v1/services")
        slices = pool.submit(cluster.list, "/apis/discovery.k8s.io/v1/endpointslices")
        pods = pool.submit(cluster.list, "/api/v1/pods")
        nodes = pool.submit(cluster.list, "/api/v1/nodes")
        return ClusterPorts(
            exposed(services.result(), slices.result()),
            read_pods(pod for pod in pods.result() if pod["metadata"].get("namespace") == NAMESPACE),
            frozenset(node["metadata"]["name"] for node in nodes.result()),
            read_component_pods(site, pods.result()),
        )
