"""A cluster's later life on one lab: certificates, nodes that go and come, etcd lost and restored, another version."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.bundle import building
from tests.cluster import watch
from tests.cluster.footprint import Footprint, footprint, left_over
from tests.cluster.lab_cluster import LONG, LabCluster, eventually, wrong
from tests.lab.driver import Lab, booted

pytestmark = pytest.mark.all

NODES = {"cp-1", "cp-2", "cp-3", "w-1", "db-1", "li-1"}
PLANES = ("cp-1", "cp-2", "cp-3")
_WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: kubernetes.io/hostname
          whenUnsatisfiable: ScheduleAnyway
          labelSelector: {matchLabels: {app: web}}
      terminationGracePeriodSeconds: 5
      containers:
        - name: web
          image: IMAGE
          command: [httpd, -f, -p, "8080", -h, /etc]
          readinessProbe: {httpGet: {path: /hostname, port: 8080}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{port: 80, targetPort: 8080}]
"""


@pytest.fixture(scope="module")
def fresh() -> Iterator[tuple[Lab, dict[str, Footprint]]]:
    """A lab of bare hosts, and how two of them looked before anything was done to them."""
    with booted("cd", "--profile", "small", "--bare") as lab:
        yield lab, {name: footprint(lab, name) for name in ("w-1", "cp-3")}


@pytest.fixture(scope="module")
def worn(fresh: tuple[Lab, dict[str, Footprint]]) -> LabCluster:
    """Those hosts as a cluster."""
    cluster = LabCluster(fresh[0])
    code, report = cluster.flow("bootstrap", seconds=LONG)
    assert code == 0, wrong(report)
    return cluster


def test_certificates_are_renewed_while_the_api_answers(worn: LabCluster) -> None:
    code, before = worn.flow("certificates")
    assert code == 0, wrong(before)
    with watch.api(worn.lab, "cp-1") as seen:
        code, report = worn.flow("certificates", "renew")
    assert code == 0, wrong(report)
    print(f"renewal: longest gap {seen.gap:.2f} s, {seen.lost} of {seen.asked} lost")
    assert seen.gap < 5
    _, after = worn.flow("certificates")
    old, new = (_serials(report) for report in (before, after))
    for host in PLANES:
        assert old[host, "/etc/kubernetes/pki/apiserver.crt"] != new[host, "/etc/kubernetes/pki/apiserver.crt"]
        assert old[host, "/etc/kubernetes/pki/etcd/server.crt"] != new[host, "/etc/kubernetes/pki/etcd/server.crt"]
        assert old[host, "/etc/kubernetes/pki/ca.crt"] == new[host, "/etc/kubernetes/pki/ca.crt"]


def _serials(report: dict[str, object]) -> dict[tuple[str, str], str]:
    outcomes = report["outcomes"]
    assert isinstance(outcomes, list)
    return {
        (outcome["host"], certificate["path"]): certificate["serial"]
        for outcome in outcomes
        if outcome["subject"] == "certificates"
        for certificate in outcome["evidence"]
    }


@pytest.mark.parametrize("host", ["w-1", "cp-3"])
def test_nothing_of_kubernetes_is_left_after_a_reset(
    worn: LabCluster, fresh: tuple[Lab, dict[str, Footprint]], host: str
) -> None:
    running = left_over(fresh[1][host], footprint(worn.lab, host))
    assert {"rules", "links", "routes", "mounts", "units", "processes", "paths"} <= set(running)
    rules = worn.lab.shell(host, ("cat", "/etc/ufw/user.rules")).stdout
    code, report = worn.flow("nodes", "reset", host)
    assert (code, report["good"]) == (1, False)
    assert host in worn.ready()
    if host == "cp-3":
        code, report = worn.flow("nodes", "remove", "cp-1", "cp-2", "--yes")
        assert (code, "left with 1 of 3 member (cp-3)" in str(report)) == (1, True)
        assert worn.ready() == NODES
    code, report = worn.flow("nodes", "reset", host, "--yes")
    assert code == 0, wrong(report)
    # Two of three control planes bear no further loss.
    assert ("left with 2 of 3 members (cp-1, cp-2)" in str(report)) is (host == "cp-3")
    assert left_over(fresh[1][host], footprint(worn.lab, host)) == {}
    assert worn.lab.shell(host, ("cat", "/etc/ufw/user.rules")).stdout == rules
    assert "Status: active" in worn.lab.shell(host, ("ufw", "status")).stdout
    assert host not in {node["metadata"]["name"] for node in worn.objects("nodes")}
    code, report = worn.flow("nodes", "reset", host, "--yes")
    assert (code, [outcome["status"] for outcome in report["outcomes"]]) == (0, ["ok"])
    code, report = worn.flow("nodes", "add", host)
    assert code == 0, wrong(report)
    assert worn.ready() == NODES


def test_a_dead_control_plane_is_removed_and_no_second_one(worn: LabCluster) -> None:
    worn.lab.do("poweroff", "cp-3")
    code, report = worn.flow("nodes", "reset", "cp-2", "--yes")
    assert code == 1
    assert "no quorum without cp-2" in str(report["outcomes"])
    code, report = worn.flow("nodes", "remove", "cp-3", "--yes")
    assert code == 0, wrong(report)
    code, report = worn.flow("etcd", "--limit", "cp-1,cp-2")
    assert code == 0, wrong(report)
    worn.lab.do("poweron", "cp-3")
    code, report = worn.flow("nodes", "reset", "cp-3", "--yes")
    assert code == 0, wrong(report)
    code, report = worn.flow("nodes", "add", "cp-3")
    assert code == 0, wrong(report)
    assert worn.ready() == NODES


def test_objects_are_back_after_two_control_planes_were_lost(worn: LabCluster, tmp_path: Path) -> None:
    worn.kubectl("create", "configmap", "kept", "--from-literal=a=1")
    worn.kubectl("create", "secret", "generic", "hidden", "--from-literal=b=2")
    output = tmp_path / "etcd.db"
    code, report = worn.flow("etcd", "snapshot", "--output", str(output))
    assert code == 0, wrong(report)
    assert output.stat().st_mode & 0o777 == 0o600
    name = next(outcome["evidence"]["name"] for outcome in report["outcomes"] if outcome["subject"] == "snapshot")
    worn.kubectl("create", "configmap", "later", "--from-literal=a=1")
    code, report = worn.flow("etcd", "restore", name, "--yes")
    assert (code, "has its quorum" in str(report["outcomes"])) == (1, True)
    worn.lab.do("poweroff", "cp-2")
    worn.lab.do("poweroff", "cp-3")
    code, report = worn.flow("etcd", "restore", name)
    assert code == 1
    code, report = worn.flow("etcd", "restore", name, "--yes")
    assert code == 2, wrong(report)
    assert {outcome["host"] for outcome in wrong(report)} == {"cp-2", "cp-3"}
    assert worn.kubectl("get", "configmap", "kept", "-o", "jsonpath={.data.a}") == "1"
    assert worn.kubectl("get", "secret", "hidden", "-o", "jsonpath={.data.b}") == "Mg=="
    assert "later" not in worn.kubectl("get", "configmaps")
    worn.lab.do("poweron", "cp-2")
    worn.lab.do("poweron", "cp-3")
    code, report = worn.flow("nodes", "reset", "cp-2", "cp-3", "--yes")
    assert code == 0, wrong(report)
    code, report = worn.flow("bootstrap", seconds=LONG)
    assert code == 0, wrong(report)
    assert worn.ready() == NODES
    assert worn.kubectl("get", "configmap", "kept", "-o", "jsonpath={.data.a}", at="cp-3") == "1"


def test_a_service_answers_throughout_an_upgrade(worn: LabCluster) -> None:
    folder = building.ensure("1.37", print)
    image = "docker.io/library/busybox"
    tags = worn.lab.shell("db-1", ("ctr", "-n", "k8s.io", "images", "list", "-q")).stdout.split()
    image = next(tag for tag in tags if tag.startswith(f"{image}:"))
    worn.kubectl("apply", "-f", "-", stdin=_WEB.replace("IMAGE", image))
    worn.kubectl("rollout", "status", "deployment/web", "--timeout=90s")
    address = worn.kubectl("get", "service", "web", "-o", "jsonpath={.spec.clusterIP}")
    code, report = worn.flow("upgrade", "--to-bundle", str(folder), "--dry-run")
    assert code == 2
    assert {outcome["host"] for outcome in wrong(report)} == NODES
    with watch.service(worn.lab, "cp-1", address) as asked, watch.api(worn.lab, "cp-2") as api:
        code, report = worn.flow("upgrade", "--to-bundle", str(folder), seconds=2 * LONG)
    print(f"service: longest gap {asked.gap:.2f} s, {asked.lost} of {asked.asked} lost; API {api.gap:.2f} s")
    assert code == 0, wrong(report)
    assert max(asked.gap, api.gap) < 5
    nodes = worn.objects("nodes")
    assert {node["status"]["nodeInfo"]["kubeletVersion"].rpartition(".")[0] for node in nodes} == {"v1.37"}
    assert not [node for node in nodes if node["spec"].get("unschedulable")]
    code, report = worn.flow("upgrade", "--to-bundle", str(folder))
    assert code == 0
    assert not [outcome for outcome in report["outcomes"] if outcome["status"] == "changed"]
    code, report = worn.flow("upgrade")
    assert (code, "never goes back" in json.dumps(report["outcomes"])) == (1, True)
    eventually("every node is ready", lambda: worn.ready() == NODES, 60)
