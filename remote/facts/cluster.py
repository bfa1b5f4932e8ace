"""What the cluster says of itself, in one look."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from model.kubernetes.cluster import (
    ClusterFacts,
    Node,
    read_node,
    read_service,
    read_storage_class,
    read_workload,
    system_pods,
)

if TYPE_CHECKING:
    from remote.kube import Cluster

NODES = "/api/v1/nodes"
_WORKLOADS = ("daemonsets", "deployments", "statefulsets")


def observe(cluster: Cluster) -> ClusterFacts:
    """Ask the API for everything at once; raises `KubernetesError`."""
    with ThreadPoolExecutor(max_workers=8, thread_name_prefix="api") as pool:
        version = pool.submit(cluster.get, "/version")
        nodes = pool.submit(observe_nodes, cluster)
        services = pool.submit(cluster.list, "/api/v1/services")
        classes = pool.submit(cluster.list, "/apis/storage.k8s.io/v1/storageclasses")
        pods = pool.submit(cluster.list, "/api/v1/namespaces/kube-system/pods")
        workloads = [pool.submit(cluster.list, f"/apis/apps/v1/{kind}") for kind in _WORKLOADS]
        return ClusterFacts(
            version=version.result()["gitVersion"],
            nodes=nodes.result(),
            workloads=tuple(read_workload(workload) for listed in workloads for workload in listed.result()),
            services=tuple(map(read_service, services.result())),
            storage_classes=tuple(map(read_storage_class, classes.result())),
            system=system_pods(pods.result()),
        )


def observe_nodes(cluster: Cluster) -> tuple[Node, ...]:
    """Ask for the nodes alone."""
    return tuple(map(read_node, cluster.list(NODES)))
