"""`verify_ports` on a running cluster: green where all is well, red exactly where something is wrong."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.echo import node_port, on_every_node
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
from pathlib import Path
from flows._ports.cluster import ask
from flows._fleet.hosts import closing
from flows._fleet.inventory import inventory
from model.site.load import load_site
from remote.collector import ports
nr = inventory(Path(sys.argv[1]))
with closing(nr):
    accounts = [ports.observe(nr.inventory.hosts[name]).cluster for name in ("cp-2", "w-1")]
    assert accounts == [ask(nr, load_site(Path(sys.argv[1]))), None], accounts
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
            on_every_node(small, "udp . 30053")
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


def test_on_a_healthy_cluster_all_is_proven_save_what_is_waived_by_name_or_has_nobody_yet(
    healthy: dict[str, Any],
) -> None:
    waived, waiting = cells(healthy, "waived"), cells(healthy, "not_run")
    assert {(cell["from"][:5], cell["to"][:5], cell["culprit"]) for cell in waived} == {("pods@", "pods@", "path")}
    assert all("waived by lab" in cell["note"] for cell in waived)
    without_agent = {row for cell in waiting if "no agent runs" in cell["note"] for row in cell["rows"]}
    assert {cell["note"] for cell in waiting} == {"its components do not run yet", "no agent runs at its other end"}
    assert without_agent == {"pod-ingress", "pod-upstream-dns-tcp", "pod-upstream-dns-udp"}
    assert {cell["plane"] for cell in waiting} == {"pod"}


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


@contextmanager
def without_keepalived(cluster: LabCluster, host: str) -> Iterator[None]:
    """Let another control plane take the API's address over, and give this one its service back."""
    assert cluster.lab.shell(host, ("systemctl", "stop", "keepalived")).returncode == 0
    try:
        yield
    finally:
        assert cluster.lab.shell(host, ("systemctl", "start", "keepalived")).returncode == 0


def _holds_the_address(cluster: LabCluster, hosts: Collection[str]) -> bool:
    return any(f" {VIP}/" in cluster.lab.shell(host, ("ip", "-4", "-oneline", "address")).stdout for host in hosts)


def test_an_address_that_moves_while_it_is_probed_is_proven_where_it_has_gone(
    small: LabCluster, healthy: dict[str, Any]
) -> None:
    (holder,) = {cell["to"] for cell in holding(healthy, 8443, address=VIP, plane="host")}
    flow = (sys.executable, "-m", "flows.verify_ports", "--stage", "after", "--plane", "host", "--no-color")
    argv = (sys.executable, "-m", "lab", "run", "--", *flow)
    with subprocess.Popen(
        argv, env=small.lab.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as proof:
        assert proof.stderr is not None
        lines: list[str] = []
        while not lines or (lines[-1] and "probes over" not in lines[-1]):
            lines.append(proof.stderr.readline())
        assert lines[-1], "".join(lines)
        # It has looked who holds the address, and fires its probes after that has changed.
        proof.send_signal(signal.SIGSTOP)
        with without_keepalived(small, holder):
            try:
                eventually(f"{VIP} has left {holder}", lambda: _holds_the_address(small, {*MAIN[:3]} - {holder}), 30)
            finally:
                proof.send_signal(signal.SIGCONT)
            proof.communicate(timeout=300)
    report = json.loads((small.lab.inventory / "reports/latest-verify_ports/report.json").read_text("utf-8"))
    assert (proof.returncode, wrong(report)) == (0, [])
    (now,) = {cell["to"] for cell in holding(report, 8443, address=VIP, plane="host")}
    assert now != holder
    told = [outcome["message"] for outcome in report["outcomes"] if outcome["subject"] == "endpoint"]
    assert len(told) == 1
    assert f"moved from {holder} to {now} while it was probed" in told[0]


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
    sources = {cell["from"] for cell in violations}
    assert {"cp-1", "pods@cp-1"} <= sources
    # The node's own pods are kept out by a table of ours, whatever others put before ufw.
    assert "pods@w-1" not in sources


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


def test_without_the_waiver_a_pod_of_li_that_reaches_a_main_pod_is_a_violation(
    small: LabCluster, tmp_path: Path
) -> None:
    site = Path(shutil.copytree(small.lab.inventory, tmp_path / "site", ignore=shutil.ignore_patterns("reports")))
    settings = yaml.safe_load((site / "site.yaml").read_text("utf-8"))
    settings["waivers"] = [waiver for waiver in settings["waivers"] if waiver["id"] != "path"]
    (site / "site.yaml").write_text(yaml.safe_dump(settings), "utf-8")
    argv = (sys.executable, "-m", "flows.verify_ports", "--inventory", str(site), "--plane", "pod", "--json", "-")
    done = small.lab.run(argv)
    report = json.loads(done.stdout)
    assert done.returncode == 2
    violations = wrong(report)
    assert {(cell["from"], cell["to"]) for cell in violations} == {
        (f"pods@{node}", f"pods@{other}") for node in NODES for other in NODES if node != other
    }
    across = [cell for cell in violations if "pods@li-1" in (cell["from"], cell["to"])]
    assert {(cell["expected"], cell["seen"], cell["verdict"], cell["culprit"]) for cell in across} == {
        ("closed", "open", "violation", "path")
    }
    assert all(cell["evidence"]["A"] == cell["evidence"]["P"] == cell["probed"] > 0 for cell in across)
