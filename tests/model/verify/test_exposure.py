"""What Services take of hosts' ports, and whether the matrix knows."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import pytest

from model.report.outcome import Status
from model.verify.exposure import ExposedPort, dnat_ports, exposed, taken, undeclared
from model.verify.pairs import pairs
from tests.model.verify.simulation import reference


def service(name: str = "echo", kind: str = "NodePort", **more: Any) -> dict[str, Any]:
    ports = [{"port": 80, "nodePort": 30080, "protocol": "TCP"}, {"port": 53, "nodePort": 30053, "protocol": "UDP"}]
    if kind == "ClusterIP":
        ports = [{"port": 80}]
    status = more.pop("status", {"loadBalancer": {}})
    spec = {"type": kind, "ports": ports, **more}
    return {"metadata": {"name": name, "namespace": "default"}, "spec": spec, "status": status}


def behind(*nodes: str, ready: bool | None = True) -> dict[str, Any]:
    endpoints = [{"addresses": ["10.244.5.3"], "conditions": {"ready": ready}, "nodeName": node} for node in nodes]
    labels = {"kubernetes.io/service-name": "echo"}
    return {"metadata": {"name": "echo-x", "namespace": "default", "labels": labels}, "endpoints": endpoints}


def test_node_ports_are_of_every_node_and_answer_where_a_pod_is_ready() -> None:
    tcp, udp = exposed([service()], [behind("w-1")])
    assert (tcp.service, tcp.protocol, tcp.port, tcp.address) == ("default/echo", "tcp", 30080, None)
    assert (udp.protocol, udp.port) == ("udp", 30053)
    assert tcp.answers("cp-1")


def test_a_local_service_answers_at_the_nodes_of_its_pods_alone() -> None:
    tcp, _ = exposed([service(externalTrafficPolicy="Local")], [behind("w-1")])
    assert (tcp.answers("w-1"), tcp.answers("cp-1")) == (True, False)


@pytest.mark.parametrize("slices", [[], [behind("w-1", ready=False)], [{**behind(), "endpoints": None}]])
def test_nobody_answers_where_no_pod_is_ready(slices: list[dict[str, Any]]) -> None:
    assert not exposed([service()], slices)[0].answers("w-1")


def test_readiness_that_is_not_said_counts_as_ready() -> None:
    assert exposed([service()], [behind("w-1", ready=None)])[0].answers("w-1")


def test_a_service_inside_the_cluster_takes_nothing_of_hosts() -> None:
    assert exposed([service(kind="ClusterIP")], []) == ()


def test_external_addresses_are_taken_by_the_services_own_port() -> None:
    ports = exposed(
        [service(externalIPs=["10.20.1.21"], status={"loadBalancer": {"ingress": [{"ip": "10.20.1.99"}]}})], []
    )
    outside = {(str(line.address), line.port, line.protocol) for line in ports if line.address}
    assert {("10.20.1.21", 80, "tcp"), ("10.20.1.99", 80, "tcp"), ("10.20.1.21", 53, "udp")} <= outside


def test_a_node_loses_its_node_ports_and_external_addresses_to_them() -> None:
    site = reference()
    ports = (
        ExposedPort(service="a/b", protocol="tcp", port=30080),
        ExposedPort(service="a/c", protocol="tcp", port=81, address=ip_address("10.20.1.21")),
    )
    own = {name: site.by_name[name] for name in ("w-1", "cp-1", "router-1")}
    assert set(taken(ports, own["w-1"], ip_address("10.20.1.21"), "tcp")) == {30080, 81}
    assert set(taken(ports, own["cp-1"], ip_address("10.20.1.11"), "tcp")) == {30080}
    assert taken(ports, own["router-1"], ip_address("10.20.1.1"), "tcp") == {}
    assert taken(ports, own["w-1"], ip_address("10.20.1.21"), "udp") == {}
    outside = next(pair for pair in pairs(site, ("external",)) if pair.external)
    assert dnat_ports(ports, site, outside) == {}


@pytest.mark.parametrize(
    ("offer", "words"),
    [
        (ExposedPort(service="default/echo", protocol="tcp", port=30080), ""),
        (ExposedPort(service="default/echo", protocol="udp", port=32767), ""),
        (ExposedPort(service="default/echo", protocol="tcp", port=29999), "29999/tcp of every node"),
        (ExposedPort(service="default/echo", protocol="sctp", port=30080), "30080/sctp of every node"),
        (
            ExposedPort(service="default/echo", protocol="tcp", port=9999, address=ip_address("10.20.1.21")),
            "9999/tcp at 10.20.1.21",
        ),
        (ExposedPort(service="default/echo", protocol="tcp", port=443, address=ip_address("10.20.1.21")), ""),
        (
            ExposedPort(service="default/echo", protocol="tcp", port=443, address=ip_address("203.0.113.7")),
            "443/tcp at 203.0.113.7",
        ),
        (ExposedPort(service="default/echo", protocol="tcp", port=443, address=ip_address("198.51.100.101")), ""),
        (
            ExposedPort(service="default/echo", protocol="tcp", port=22, address=ip_address("198.51.100.101")),
            "22/tcp at 198.51.100.101",
        ),
    ],
)
def test_what_a_service_offers_outside_the_matrix_is_a_finding_by_its_name(offer: ExposedPort, words: str) -> None:
    ports = list(undeclared(reference(), [offer]))
    if not words:
        assert ports == []
        return
    (outcome,) = ports
    assert (outcome.subject, outcome.status) == ("service/default/echo", Status.DRIFT)
    assert words in outcome.message
    assert "kubectl -n default edit service echo" in outcome.next
