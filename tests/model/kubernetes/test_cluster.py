"""Claims about how objects of a cluster are read and told apart."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from model.kubernetes.cluster import read_node, read_service, read_storage_class, read_workload, system_pods
from model.kubernetes.manifests import difference, name_of

NODE = {
    "metadata": {"name": "cp-1", "labels": {"node-role.kubernetes.io/control-plane": ""}, "resourceVersion": "9"},
    "spec": {"podCIDRs": ["10.244.0.0/24", "fd44::/64"], "taints": [{"key": "a", "effect": "NoSchedule"}]},
    "status": {
        "addresses": [{"type": "InternalIP", "address": "10.20.1.11"}, {"type": "Hostname", "address": "cp-1"}],
        "conditions": [{"type": "Ready", "status": "True"}, {"type": "NetworkUnavailable", "status": "False"}],
        "nodeInfo": {"kubeletVersion": "v1.36.3"},
    },
}


def test_a_node_is_read() -> None:
    node = read_node(NODE)
    assert (node.ready, node.schedulable, node.kubelet) == (True, True, "v1.36.3")
    assert node.roles == {"control-plane"}
    assert node.pod_cidrs == (ip_network("10.244.0.0/24"), ip_network("fd44::/64"))
    assert node.addresses == (ip_address("10.20.1.11"),)
    assert [str(taint) for taint in node.taints] == ["a:NoSchedule"]


def test_a_node_that_has_said_nothing_is_not_ready() -> None:
    node = read_node({"metadata": {"name": "w-1"}})
    assert (node.ready, node.pod_cidrs, node.why) == (False, (), "it has said nothing yet")


@pytest.mark.parametrize(
    ("kind", "spec", "status", "complete"),
    [
        ("DaemonSet", {}, {"desiredNumberScheduled": 3, "numberReady": 3, "updatedNumberScheduled": 3}, True),
        ("DaemonSet", {}, {"desiredNumberScheduled": 3, "numberReady": 2, "updatedNumberScheduled": 3}, False),
        ("DaemonSet", {}, {"desiredNumberScheduled": 3, "numberReady": 3, "updatedNumberScheduled": 1}, False),
        ("Deployment", {"replicas": 2}, {"readyReplicas": 2, "updatedReplicas": 2}, True),
        ("Deployment", {"replicas": 2}, {"readyReplicas": 1, "updatedReplicas": 2}, False),
        ("Deployment", {"replicas": 2}, {}, False),
        ("StatefulSet", {"replicas": 0}, {}, True),
    ],
)
def test_a_workload_is_complete_when_all_its_newest_pods_are_ready(
    kind: str, spec: dict[str, Any], status: dict[str, Any], complete: bool
) -> None:
    manifest = {"kind": kind, "metadata": {"namespace": "n", "name": "x", "generation": 4}, "spec": spec}
    assert read_workload(manifest | {"status": status | {"observedGeneration": 4}}).complete is complete
    assert read_workload(manifest | {"status": status | {"observedGeneration": 3}}).complete is False


def test_a_service_is_read_with_every_way_to_it() -> None:
    service = read_service(
        {
            "metadata": {"namespace": "n", "name": "x"},
            "spec": {
                "type": "LoadBalancer",
                "clusterIPs": ["10.96.0.5"],
                "externalIPs": ["203.0.113.7"],
                "ports": [{"port": 443, "nodePort": 30443}, {"port": 53, "protocol": "UDP"}],
            },
            "status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.8"}, {"hostname": "x"}]}},
        }
    )
    assert service.external == (ip_address("203.0.113.7"), ip_address("203.0.113.8"))
    assert [(port.protocol, port.port, port.node_port) for port in service.ports] == [
        ("tcp", 443, 30443),
        ("udp", 53, 0),
    ]
    headless = read_service({"metadata": {"namespace": "n", "name": "x"}, "spec": {"clusterIPs": ["None"]}})
    assert (headless.addresses, headless.ports) == ((), ())


def test_a_default_class_says_so() -> None:
    mark = {"storageclass.kubernetes.io/is-default-class": "true"}
    assert read_storage_class({"metadata": {"name": "a", "annotations": mark}, "provisioner": "p"}).preferred
    assert not read_storage_class({"metadata": {"name": "a"}, "provisioner": "p"}).preferred


def test_pods_that_ended_for_good_are_not_waited_for() -> None:
    pods: list[dict[str, Any]] = [
        {"metadata": {"name": "job"}, "status": {"phase": "Succeeded"}},
        {"metadata": {"name": "up"}, "spec": {"nodeName": "a"}, "status": NODE["status"]},
        {"metadata": {"name": "down"}, "spec": {"nodeName": "a"}, "status": {}},
    ]
    assert system_pods(pods) == {("a", "up"): True, ("a", "down"): False}


def thing(kind: str = "ConfigMap", **parts: Any) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": "x", "namespace": "n"}, **parts}


def test_what_only_the_server_writes_is_no_difference() -> None:
    written = {"name": "x", "namespace": "n", "resourceVersion": "5", "managedFields": [], "generation": 2}
    assert difference(thing(data={"a": "1"}), thing(metadata=written, data={"a": "1"}, status={"x": 1})) == ()


def test_a_difference_names_the_object_and_the_field() -> None:
    assert difference(None, None) == ()
    assert difference(None, thing())[:2] == ("--- /dev/null", "+++ ConfigMap n/x")
    assert difference(thing(), None)[:2] == ("--- ConfigMap n/x", "+++ /dev/null")
    assert {"-  a: '1'", "+  a: '2'"} <= set(difference(thing(data={"a": "1"}), thing(data={"a": "2"})))
    assert name_of({"kind": "Node", "metadata": {"name": "w-1"}}) == "Node w-1"


def test_secret_values_are_never_shown() -> None:
    old, new = (thing("Secret", data={"key": word, "other": "same"}) for word in ("hunter2", "hunter3"))
    for lines in (difference(old, new), difference(None, new), difference(old, None)):
        assert lines
        assert "hunter" not in "\n".join(lines)
    assert "+  key: (new secret)" in difference(old, new)
