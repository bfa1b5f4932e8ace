"""Nodes, workloads, Services and storage classes, read from the cluster's own objects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from model.base import Address, Network
from model.kubernetes.condition import NodeCondition, read_conditions
from model.kubernetes.manifests import Manifest, condition, holds

# What the cluster gives each node of the pods' range, by IP version: kubeadm's own choice.
NODE_PREFIX = {4: 24, 6: 64}
_ROLE = "node-role.kubernetes.io/"


@dataclass(frozen=True, slots=True, order=True)
class Taint:
    """A taint, as `kubectl taint` spells it."""

    key: str
    value: str
    effect: str

    def __str__(self) -> str:
        return f"{self.key}={self.value}:{self.effect}" if self.value else f"{self.key}:{self.effect}"


@dataclass(frozen=True, slots=True)
class Node:
    """
    A node as the API has it.

    `why` is what it says while it is not ready, `revision` the object's resource version, `conditions` are all that it
    says of itself.
    """

    name: str
    ready: bool
    why: str
    roles: frozenset[str]
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    taints: tuple[Taint, ...]
    kubelet: str
    runtime: str
    kernel: str
    system: str
    addresses: tuple[Address, ...]
    pod_cidrs: tuple[Network, ...]
    schedulable: bool
    revision: str
    conditions: tuple[NodeCondition, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A DaemonSet, Deployment or StatefulSet: pods wanted, and pods that are ready and of the newest generation."""

    kind: str
    namespace: str
    name: str
    wanted: int
    ready: int
    current: bool

    @property
    def complete(self) -> bool:
        """Return whether every wanted pod is ready, and of the newest generation."""
        return self.current and self.ready >= self.wanted

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class ServicePort:
    """A port of a Service: its own, and the one on every node (0: none)."""

    protocol: str
    port: int
    node_port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A Service: `addresses` inside the cluster, `external` those that it answers at beside them."""

    namespace: str
    name: str
    kind: str
    addresses: tuple[Address, ...]
    external: tuple[Address, ...]
    ports: tuple[ServicePort, ...]


@dataclass(frozen=True, slots=True)
class StorageClass:
    """A storage class; `preferred` where it is the default."""

    name: str
    provisioner: str
    preferred: bool


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """One look at a cluster. `system`: pods of kube-system by (node, name), and whether each is ready."""

    version: str
    nodes: tuple[Node, ...]
    workloads: tuple[Workload, ...]
    services: tuple[Service, ...]
    storage_classes: tuple[StorageClass, ...]
    system: Mapping[tuple[str, str], bool]

    def node(self, name: str) -> Node | None:
        """Return one node; None where the cluster has none of the name."""
        return node_named(self.nodes, name)


def node_named(nodes: Iterable[Node], name: str) -> Node | None:
    """Return the node of a name; None where there is none."""
    return next((node for node in nodes if node.name == name), None)


def read_node(manifest: Manifest) -> Node:
    """Read a Node object."""
    meta, spec, status = manifest["metadata"], manifest.get("spec", {}), manifest.get("status", {})
    labels = meta.get("labels") or {}
    info = status.get("nodeInfo", {})
    cidrs = spec.get("podCIDRs") or ([spec["podCIDR"]] if spec.get("podCIDR") else [])
    ready = condition(manifest, "Ready")
    return Node(
        name=meta["name"],
        ready=ready.get("status") == "True",
        why=str(ready.get("message", "it has said nothing yet")),
        roles=frozenset(key.removeprefix(_ROLE) for key in labels if key.startswith(_ROLE)),
        labels=labels,
        annotations=meta.get("annotations") or {},
        taints=tuple(
            Taint(taint["key"], taint.get("value") or "", taint["effect"]) for taint in spec.get("taints") or ()
        ),
        kubelet=info.get("kubeletVersion", ""),
        runtime=info.get("containerRuntimeVersion", ""),
        kernel=info.get("kernelVersion", ""),
        system=info.get("osImage", ""),
        addresses=tuple(
            ip_address(entry["address"]) for entry in status.get("addresses") or () if entry["type"] == "InternalIP"
        ),
        pod_cidrs=tuple(ip_network(cidr) for cidr in cidrs),
        schedulable=not spec.get("unschedulable"),
        revision=meta.get("resourceVersion", ""),
        conditions=read_conditions(status),
    )


def read_workload(manifest: Manifest) -> Workload:
    """Read a DaemonSet, Deployment or StatefulSet."""
    meta, status = manifest["metadata"], manifest.get("status", {})
    if manifest["kind"] == "DaemonSet":
        wanted, ready = status.get("desiredNumberScheduled", 0), status.get("numberReady", 0)
        updated = status.get("updatedNumberScheduled", 0)
    else:
        wanted, ready = manifest.get("spec", {}).get("replicas", 1), status.get("readyReplicas", 0)
        updated = status.get("updatedReplicas", 0)
    current = status.get("observedGeneration", 0) >= meta.get("generation", 0) and updated >= wanted
    return Workload(
        kind=manifest["kind"],
        namespace=meta["namespace"],
        name=meta["name"],
        wanted=wanted,
        ready=ready,
        current=current,
    )


def read_service(manifest: Manifest) -> Service:
    """Read a Service."""
    meta, spec = manifest["metadata"], manifest["spec"]
    balancers = manifest.get("status", {}).get("loadBalancer", {}).get("ingress") or ()
    external = (*(spec.get("externalIPs") or ()), *(balancer["ip"] for balancer in balancers if balancer.get("ip")))
    return Service(
        namespace=meta["namespace"],
        name=meta["name"],
        kind=spec.get("type", "ClusterIP"),
        addresses=tuple(ip_address(text) for text in spec.get("clusterIPs") or () if text and text != "None"),
        external=tuple(dict.fromkeys(ip_address(text) for text in external)),
        ports=tuple(
            ServicePort(port.get("protocol", "TCP").lower(), port["port"], port.get("nodePort", 0))
            for port in spec.get("ports") or ()
        ),
    )


def read_storage_class(manifest: Manifest) -> StorageClass:
    """Read a StorageClass."""
    mark = (manifest["metadata"].get("annotations") or {}).get("storageclass.kubernetes.io/is-default-class")
    return StorageClass(manifest["metadata"]["name"], manifest["provisioner"], mark == "true")


def system_pods(pods: Iterable[Manifest]) -> dict[tuple[str, str], bool]:
    """Say of each pod whether it is ready, by its node and name; those that ended for good are left out."""
    return {
        (pod.get("spec", {}).get("nodeName", ""), pod["metadata"]["name"]): holds(pod, "Ready")
        for pod in pods
        if pod.get("status", {}).get("phase") != "Succeeded"
    }
