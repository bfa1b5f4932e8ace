"""Tasks that change a cluster, against a real API: done once, nothing is left to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from model.site.load import load_site
from remote.facts.cluster import observe, observe_nodes
from remote.kube import Cluster
from tasks import cni, objects, storage
from tasks.objects import enforce

SITE = load_site(Path(__file__).parents[2] / "inventory")


def node(name: str, **more: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, **more}}


@pytest.fixture(scope="module")
def nodes(cluster: Cluster) -> Cluster:
    """The site's nodes, as objects alone."""
    for machine in SITE.servers:
        if cluster.find(f"/api/v1/nodes/{machine.name}") is None:
            cluster.create("/api/v1/nodes", node(machine.name))
    return cluster


def test_labels_and_taints_are_given_once(nodes: Cluster) -> None:
    would = objects.enforce_labels(nodes, SITE, dry_run=True)
    assert "+ mon-1: taint monitoring=true:NoSchedule" in would
    assert objects.enforce_labels(nodes, SITE, dry_run=False) == would
    assert objects.enforce_labels(nodes, SITE, dry_run=False) == ()


def test_a_stale_label_and_taint_go_and_anothers_stay(nodes: Cluster) -> None:
    objects.enforce_labels(nodes, SITE, dry_run=False)
    theirs = {"metadata": {"labels": {"matrix-fleet.io/role-li": "true", "rack": "7"}}}
    nodes.patch("/api/v1/nodes/w-1", theirs)
    taints = [{"key": k, "value": "true", "effect": "NoSchedule"} for k in ("matrix-fleet.io/role-li", "gpu")]
    nodes.patch("/api/v1/nodes/w-1", {"spec": {"taints": taints}})
    assert objects.enforce_labels(nodes, SITE, dry_run=False) == (
        "- w-1: label matrix-fleet.io/role-li",
        "- w-1: taint matrix-fleet.io/role-li=true:NoSchedule",
    )
    seen = next(node for node in observe_nodes(nodes) if node.name == "w-1")
    assert seen.labels["rack"] == "7"
    assert [taint.key for taint in seen.taints if not taint.key.startswith("node.kubernetes.io/")] == ["gpu"]


def test_flannel_is_applied_once_and_its_removal_is_seen(nodes: Cluster) -> None:
    assert cni.enforce(nodes, SITE, dry_run=True)
    assert nodes.find("/api/v1/namespaces/kube-flannel") is None
    assert cni.enforce(nodes, SITE, dry_run=False)
    assert cni.enforce(nodes, SITE, dry_run=False) == ()
    nodes.delete("/apis/apps/v1/namespaces/kube-flannel/daemonsets/flannel")
    path = "/apis/apps/v1/namespaces/kube-flannel/daemonsets/flannel"
    nodes.wait(path, lambda seen: not seen, "it to go", 10)
    assert "+++ DaemonSet kube-flannel/flannel" in cni.enforce(nodes, SITE, dry_run=True)


def test_nodes_declare_their_overlay_address(nodes: Cluster) -> None:
    cni.enforce(nodes, SITE, dry_run=False)
    seen = next(node for node in observe_nodes(nodes) if node.name == "db-1")
    assert seen.annotations["flannel.alpha.coreos.com/node-public-ip"] == "10.20.1.31"
    assert seen.annotations["flannel.alpha.coreos.com/node-public-ipv6"] == "fd20:1::31"
    assert seen.labels[cni.CHOSEN] == "true"


def test_objects_of_a_kind_that_is_defined_beside_them_are_applied(cluster: Cluster) -> None:
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "pools.test.example"},
        "spec": {
            "group": "test.example",
            "names": {"kind": "Pool", "plural": "pools", "singular": "pool", "listKind": "PoolList"},
            "scope": "Cluster",
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
        },
    }
    pool = {"apiVersion": "test.example/v1", "kind": "Pool", "metadata": {"name": "a"}, "spec": {"cidr": "x"}}
    assert enforce(cluster, [pool, definition], dry_run=False)
    assert enforce(cluster, [pool, definition], dry_run=False) == ()


def test_one_look_tells_of_everything(nodes: Cluster) -> None:
    facts = observe(nodes)
    assert facts.version == "v1.36.3"
    assert {item.name for item in facts.nodes} == {machine.name for machine in SITE.servers}
    service = next(item for item in facts.services if item.name == "kubernetes")
    assert [(port.protocol, port.port, port.node_port) for port in service.ports] == [("tcp", 443, 0)]


def test_the_storage_class_and_its_volumes_are_applied_once(cluster: Cluster) -> None:
    assert storage.enforce(cluster, SITE, dry_run=False)
    assert storage.enforce(cluster, SITE, dry_run=False) == ()
    assert [storage_class.name for storage_class in observe(cluster).storage_classes if storage_class.preferred] == [
        "local-storage"
    ]


def test_an_organisations_class_of_that_name_is_left_alone(cluster: Cluster) -> None:
    cluster.delete("/apis/storage.k8s.io/v1/storageclasses/local-storage")
    theirs = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": "local-storage"},
        "provisioner": "csi.example.test",
    }
    cluster.create("/apis/storage.k8s.io/v1/storageclasses", theirs)
    assert storage.enforce(cluster, SITE, dry_run=False) == ()
    assert [storage_class.provisioner for storage_class in observe(cluster).storage_classes] == ["csi.example.test"]
