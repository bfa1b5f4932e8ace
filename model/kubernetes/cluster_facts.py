"""What one control plane says of the cluster and of etcd, as compliance asks it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from model.kubernetes.cluster import Node, StorageClass, Workload, node_named


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespaced:
    """An object of a namespace; as text `namespace/name`, as kubectl has it."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod(Namespaced):
    """
    A pod. `owners` are kinds; `since` is when it last became ready or unready, `why` what it waits for; `leaving`: it
    was told to end.
    """

    node: str
    phase: str
    ready: bool
    labels: Mapping[str, str]
    owners: tuple[str, ...] = ()
    leaving: bool = False
    since: datetime | None = None
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget(Namespaced):
    """
    A PodDisruptionBudget: pods it counts, those that are healthy and must be, and how many may go. `matches`: labels it
    selects by.
    """

    expected: int
    healthy: int
    desired: int
    allowed: int
    matches: Mapping[str, str]


@dataclass(frozen=True)
class CollectedCluster:
    """
    What the API server of one control plane says.

    `kubelets`: settings with which each runs, or why it does not tell. `programs`: command lines of the control plane's
    programs by (node, component). `labels` are those of each workload's pods, in the order of `workloads`.
    """

    version: str
    nodes: tuple[Node, ...]
    pods: tuple[Pod, ...]
    workloads: tuple[Workload, ...]
    labels: tuple[Mapping[str, str], ...]
    budgets: tuple[Budget, ...]
    policies: tuple[str, ...]
    storage_classes: tuple[StorageClass, ...]
    kubelets: Mapping[str, Mapping[str, Any] | str]
    programs: Mapping[tuple[str, str], tuple[str, ...]]

    def node(self, name: str) -> Node | None:
        """Return one node; None where the cluster has none of the name."""
        return node_named(self.nodes, name)


@dataclass(frozen=True, slots=True)
class EtcdPeer:
    """A member as another one knows it: its name is empty until it has started once."""

    id: int
    name: str
    address: str
    learner: bool


@dataclass(frozen=True, slots=True)
class CollectedEtcd:
    """
    What one member of etcd says. `health` is its complaint (empty: none), `leader` the leader's id (0: none); sizes are
    in bytes, `quota` 0 where it does not tell.
    """

    id: int
    health: str
    peers: tuple[EtcdPeer, ...]
    leader: int
    version: str
    size: int
    quota: int
    alarms: tuple[str, ...]


@dataclass(frozen=True)
class ApiReport:
    """
    What a host tells of the cluster, if it `runs` an API server: what that complains of about itself, and its account.

    `api` is None also where it gives none, for what it complains of.
    """

    runs: bool
    complaints: tuple[str, ...] = ()
    api: CollectedCluster | None = None


@dataclass(frozen=True)
class EtcdReport:
    """What a host tells of etcd: None where it runs none."""

    member: CollectedEtcd | None


@dataclass(frozen=True)
class NodeFiles:
    """
    Files that make a host a node: (mode, owner, group) by path, and kubelet's settings as they lie there (None: no
    file).
    """

    files: Mapping[str, tuple[int, int, int]]
    kubelet: Mapping[str, Any] | None
