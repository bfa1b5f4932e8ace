"""`verify_ports` on a running cluster: green where all is well, red exactly where something is wrong."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.cluster.echo import node_port
from tests.cluster.lab_cluster import LabCluster, eventually

CellOf = dict[str, Any]
MAIN = ("cp-1", "cp-2", "cp-3", "w-1", "db-1")
NODES = (*MAIN, "li-1")
VIP = "10.20.1.10"
_NAMES = """
apiVersion: v1
kind: Service
metadata: {name: names, namespace: kube-system}
spec:
  type: NodePort
  selector: {k8s-app: kube-dns}
  ports: [{port: 53, nodePort: 30053, protocol: UDP}]
"""
_OUTSIDE = """
apiVersion: v1
kind: Service
metadata: {name: outside}
spec:
  selector: {app: echo}
  externalIPs: [10.20.1.21]
  ports: [{port: 9999, targetPort: 8080}]
"""

_ACCOUNTS = """
import sys
from dataclasses import replace
from pathlib import Path
from flows._ports.cluster import ask
from flows._fleet.hosts import closing
from flows._fleet.inventory import inventory
from model.site.load import load_site
from remote.collector import ports
nr = inventory(Path(sys.argv[1]))
with closing(nr):
    accounts = [ports.observe(nr.inventory.hosts[name]).cluster for name in ("cp-2", "w-1")]
    # Pods of components only the API's administrator is asked for.
    told = replace(ask(nr, load_site(Path(sys.argv[1]))), components=())
    assert accounts == [told, None], accounts
print(len(accounts[0].exposed), len(accounts[0].pods), len(accounts[0].nodes))
"""


def cells(report: dict[str, Any], *verdicts: str) -> list[CellOf]:
    return [cell for cell in report["cells"] if not verdicts or cell["verdict"] in verdicts]


def wrong(report: dict[str, Any]) -> list[CellOf]:
    return cells(report, "violation", "unproven")


def holding(report: dict[str, Any], port: int, protocol: str = "tcp", **asked: str) -> list[CellOf]:
    return [
        cell
        for cell in report["cells"]
        if cell["protocol"] == protocol
        and cell["port_lo"] <= port <= cell["port_hi"]
        and all(cell[key] == value for key, value in asked.items())
    ]


@pytest.fixture(scope="module")
def healthy(small: LabCluster) -> dict[str, Any]:
    code, report = small.flow("verify_ports", "--stage", "after")
    assert (code, report["good"], wrong(report)) == (0, True, [])
    return report


@pytest.fixture
def echo(small: LabCluster) -> Iterator[LabCluster]:
    """Node ports over TCP, of a pod on db-1, and over UDP, of the cluster's DNS."""
    with node_port(small):
        small.kubectl("apply", "-f", "-", stdin=_NAMES)
        try:
            yield small
        finally:
            small.kubectl("-n", "kube-system", "delete", "service", "names")


@contextmanager
def rule(cluster: LabCluster, host: str, *words: str) -> Iterator[None]:
    """A rule of somebody else, before everything in INPUT."""
    done = cluster.lab.shell(host, ("iptables", "-I", "INPUT", "1", *words))
    assert done.returncode == 0, done.stderr
    try:
        yield
    finally:
        cluster.lab.shell(host, ("iptables", "-D", "INPUT", *words))


def test_on_a_healthy_cluster_all_is_proven_save_what_has_nobody_yet(healthy: dict[str, Any]) -> None:
    waiting = cells(healthy, "not_run")
    assert not cells(healthy, "waived")
    assert {cell["note"] for cell in waiting} == {"its components do not run yet", "no agent runs at its other end"}
    assert {cell["plane"] for cell in waiting} == {"pod"}
    assert not {"pod-dns-udp", "pod-dns-tcp"} & {row for cell in waiting for row in cell["rows"]}


def test_pods_are_held_to_policies_by_packets(healthy: dict[str, Any]) -> None:
    between = [cell for cell in healthy["cells"] if "@" in cell["from"] and cell["to"].startswith("pods@")]
    assert {(cell["expected"], cell["seen"], cell["verdict"]) for cell in between} == {("closed", "closed", "ok")}
    assert {cell["note"] for cell in between} == {"stopped at the border"}
    assert {(cell["from"], cell["to"]) for cell in between} >= {
        (f"pods@{node}", f"pods@{other}") for node in NODES for other in NODES if node != other
    }
    names = [
        cell for cell in healthy["cells"] if cell["to"].startswith("coredns@") and cell["from"].startswith("pods@")
    ]
    opened = {cell["port_lo"] for cell in names if (cell["expected"], cell["verdict"]) == ("open", "ok")}
    assert opened == {53}
    assert {cell["address"].count(":") > 0 for cell in names} == {True, False}


@pytest.mark.parametrize(
    ("row", "port", "hosts"),
    [
        ("kubelet", 10250, MAIN),
        ("kubelet-li", 10250, ("li-1",)),
        ("kubernetes-api", 6443, MAIN[:3]),
        ("kubernetes-endpoint", 8443, MAIN[:3]),
        ("etcd", 2379, MAIN[:3]),
        ("etcd", 2380, MAIN[:3]),
        ("kube-controller-manager", 10257, MAIN[:3]),
        ("kube-scheduler", 10259, MAIN[:3]),
        ("kube-proxy-health", 10256, MAIN),
    ],
)
def test_clusters_own_services_answer(healthy: dict[str, Any], row: str, port: int, hosts: tuple[str, ...]) -> None:
    proven = [cell for cell in holding(healthy, port, plane="host") if row in cell["rows"]]
    assert {cell["to"] for cell in proven} == set(hosts)
    answered = {cell["to"] for cell in proven if (cell["evidence"] or {}).get("R") == "syn-ack"}
    assert answered == set(hosts)


def test_the_apis_own_address_is_proven_at_whoever_holds_it(healthy: dict[str, Any]) -> None:
    proven = holding(healthy, 8443, address=VIP, plane="host")
    assert {cell["from"] for cell in proven} | {proven[0]["to"]} == set(NODES)
    assert {(cell["verdict"], cell["evidence"]["R"]) for cell in proven} == {("ok", "syn-ack")}


def test_pods_of_every_node_are_proven_at_their_own_and_every_other_node(healthy: dict[str, Any]) -> None:
    for port, row, hosts in ((10250, "pods-kubelet", MAIN), (6443, "pods-kubernetes-api", MAIN[:3])):
        proven = [
            cell for cell in holding(healthy, port, plane="pod") if row in cell["rows"] and cell["address"] != VIP
        ]
        assert {(cell["from"], cell["to"]) for cell in proven} == {
            (f"pods@{node}", host) for node in MAIN for host in hosts
        }
        assert {(cell["verdict"], cell["evidence"]["R"]) for cell in proven} == {("ok", "syn-ack")}
    closed = [cell for cell in healthy["cells"] if cell["plane"] == "pod" and cell["expected"] == "closed"]
    assert {(cell["from"], cell["to"]) for cell in closed} == {
        (f"pods@{node}", end)
        for node in NODES
        for end in (*NODES, *(f"pods@{other}" for other in NODES if other != node))
    }


def test_a_scrape_that_one_nodes_firewall_refuses_its_pods_is_found_there_alone(small: LabCluster) -> None:
    (pods,) = {node["spec"]["podCIDR"] for node in small.objects("nodes") if node["metadata"]["name"] == "db-1"}
    with rule(small, "db-1", "-s", pods, "-p", "tcp", "--dport", "10250", "-j", "DROP"):
        code, report = small.flow("verify_ports")
    (cell,) = wrong(report)
    assert (code, cell["from"], cell["to"], cell["port_lo"], cell["culprit"]) == (
        *(2, "pods@db-1", "db-1", 10250),
        "destination-firewall",
    )
    assert (cell["evidence"]["A"], cell["evidence"]["P"], cell["rows"]) == (1, 0, ["pods-kubelet"])


def test_node_ports_are_judged_by_who_answers_whom(echo: LabCluster) -> None:
    code, report = echo.flow("verify_ports")
    assert (code, wrong(report)) == (0, [])
    services = (
        (30080, "tcp", "default/echo", ("answered",)),
        # DNS may answer what is no question, and need not.
        (30053, "udp", "kube-system/names", ("answered", "judged by the Service list")),
    )
    for port, protocol, service, evidence in services:
        told_of = [cell for cell in holding(report, port, protocol) if f"Service {service}" in cell.get("note", "")]
        opened = [cell for cell in told_of if cell["expected"] == "open" and cell["plane"] == "host"]
        assert {(cell["from"], cell["to"]) for cell in opened} == {(a, b) for a in MAIN for b in MAIN if a != b}
        assert all((cell["evidence"]["A"], cell["evidence"]["P"]) == (1, 0) for cell in opened)
        assert all(any(words in cell["note"] for words in evidence) for cell in opened)
        # Its own pods come to a node under their own addresses, which no row names.
        kept = {(cell["from"], cell["to"]) for cell in told_of if cell["expected"] == "closed"}
        assert {(f"pods@{node}", node) for node in MAIN} <= kept


def test_a_control_planes_collector_tells_of_services_and_pods_what_the_api_tells_its_administrator(
    echo: LabCluster,
) -> None:
    done = echo.lab.run((sys.executable, "-c", _ACCOUNTS, str(echo.lab.inventory)))
    assert done.stdout.split() == ["2", "6", "6"], done.stderr


def test_a_node_port_that_nothing_guards_is_found_by_its_answer(echo: LabCluster) -> None:
    echo.lab.shell("w-1", ("nft", "delete", "table", "inet", "matrix_fleet"))
    try:
        code, report = echo.flow("verify_ports", "--destination", "w-1", "--ports", "30053,30080")
    finally:
        echo.lab.shell("w-1", ("systemctl", "reload-or-restart", "matrix-fleet-nodeports.service"))
    assert code == 2
    violations = {(cell["from"], cell["port_lo"], cell["protocol"], cell["culprit"]) for cell in wrong(report)}
    assert violations == {
        ("pods@w-1", 30080, "tcp", "destination-firewall"),
        ("pods@w-1", 30053, "udp", "destination-firewall"),
    }
    assert all("Service " in cell["note"] for cell in wrong(report))


def test_a_service_that_no_row_declares_is_a_finding_by_its_name(echo: LabCluster) -> None:
    echo.kubectl("apply", "-f", "-", stdin=_OUTSIDE)
    try:
        code, report = echo.flow("verify_ports")
    finally:
        echo.kubectl("delete", "service", "outside")
    (outcome,) = [outcome for outcome in report["outcomes"] if outcome["subject"].startswith("service/")]
    assert (code, outcome["subject"], outcome["status"]) == (2, "service/default/outside", "drift")
    assert "9999/tcp at 10.20.1.21" in outcome["message"]
    # Kept from everybody, save from the nodes' own processes: these their own nodes lead to it, and nothing at w-1 can
    # change that.
    others = {(name, "w-1", "nat") for name in NODES if name != "w-1"}
    assert {(cell["from"], cell["to"], cell["culprit"]) for cell in wrong(report)} == others
    for name in NODES:
        (cell,) = holding(report, 9999, to="w-1", address="10.20.1.21", **{"from": f"pods@{name}"})
        assert (cell["verdict"], "Service default/outside" in cell["note"]) == ("ok", True)


def test_a_strangers_accept_before_ufws_is_found(small: LabCluster) -> None:
    with rule(small, "w-1", "-p", "tcp", "--dport", "7777", "-j", "ACCEPT"):
        code, report = small.flow("verify_ports")
    assert code == 2
    violations = wrong(report)
    assert {(cell["to"], cell["expected"], cell["culprit"]) for cell in violations} == {
        ("w-1", "closed", "destination-firewall")
    }
    assert all(cell["port_lo"] <= 7777 <= cell["port_hi"] for cell in violations)
    assert {"cp-1", "pods@cp-1", "pods@w-1"} <= {cell["from"] for cell in violations}


def test_another_program_in_kubelets_place_is_named(small: LabCluster) -> None:
    thief = ("systemd-run", "--unit=thief", "python3", "-m", "http.server", "10250", "--bind", "::")
    small.lab.shell("w-1", ("systemctl", "stop", "kubelet"))
    try:
        assert small.lab.shell("w-1", thief).returncode == 0
        eventually("the thief listens", lambda: small.lab.tcp("w-1", "127.0.0.1", 10250) == "open", 20)
        code, report = small.flow("verify_ports", "--destination", "w-1", "--ports", "10250/tcp")
    finally:
        small.lab.shell("w-1", ("systemctl", "stop", "thief"))
        small.lab.shell("w-1", ("systemctl", "start", "kubelet"))
        eventually("w-1 is ready", lambda: "w-1" in small.ready(), 120)
    assert code == 2
    violations = wrong(report)
    assert {(cell["to"], cell["culprit"]) for cell in violations} == {("w-1", "wrong-process")}
    assert {"cp-1", "db-1", "pods@cp-1", "pods@w-1"} <= {cell["from"] for cell in violations}
    assert all("python3 listens; the matrix names kubelet" in cell["note"] for cell in violations)


# What kube-router's rules would judge is accepted before they are asked.
_PAST = "-d $(ip -4 route show dev cni0 | cut -d' ' -f1) -j ACCEPT"


@pytest.fixture
def lawless(small: LabCluster) -> Iterator[LabCluster]:
    """The cluster while kube-router runs, is well by its own account, and holds no pod of w-1."""
    assert small.lab.shell("w-1", ("sh", "-c", f"iptables -I FORWARD 1 {_PAST}")).returncode == 0
    try:
        yield small
    finally:
        small.lab.shell("w-1", ("sh", "-c", f"iptables -D FORWARD {_PAST}"))


def test_an_enforcer_that_is_well_and_enforces_nothing_is_found_by_packets(lawless: LabCluster) -> None:
    daemon = lawless.objects("daemonsets", "-n", "kube-router")[0]["status"]
    assert daemon["numberReady"] == daemon["desiredNumberScheduled"] == len(NODES)
    code, report = lawless.flow("verify_ports", "--plane", "pod")
    violations = wrong(report)
    assert code == 2
    assert {cell["to"].partition("@")[2] for cell in violations} == {"w-1"}
    assert "pods@w-1" in {cell["to"] for cell in violations}
    assert {(cell["expected"], cell["seen"], cell["culprit"]) for cell in violations} == {("closed", "open", "path")}
    assert {"pods@cp-1", "pods@li-1"} <= {cell["from"] for cell in violations}
    assert all(cell["evidence"]["A"] == cell["evidence"]["P"] == cell["probed"] > 0 for cell in violations)


def test_a_policy_that_somebody_deleted_is_found_by_packets(small: LabCluster) -> None:
    small.kubectl("-n", "kube-system", "delete", "networkpolicy", "coredns")
    try:
        eventually("kube-router has taken it away", lambda: _reaches_names(small), 60)
        code, report = small.flow("verify_ports", "--plane", "pod")
    finally:
        done = small.flow("bootstrap", "--only", "cni")
    assert code == 2
    assert {cell["to"].partition("@")[0] for cell in wrong(report)} == {"coredns"}
    assert done[0] == 0
    assert small.objects("networkpolicies", "-n", "kube-system")


def _reaches_names(cluster: LabCluster) -> bool:
    """Return whether a pod comes to a port of the name server that no row opens."""
    code, _ = cluster.flow("verify_ports", "--plane", "pod", "--ports", "9153/tcp")
    return code == 2
