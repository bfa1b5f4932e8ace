"""From bare hosts to a cluster in one command, proven from outside; and again, which changes nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from model.kubernetes.manifests import holds
from tests.cluster.echo import node_port
from tests.cluster.lab_cluster import LabCluster, eventually, wrong

NODES = ("cp-1", "cp-2", "cp-3", "w-1", "db-1", "li-1")
# How every path, unit and firewall of a host looks, save what runs write all the time.
_LOOK = r"""
find /etc /usr/local /opt/cni /var/lib/matrix-fleet -xdev -printf '%p %T@ %m %s\n' | sort
systemctl show --property=Id,ActiveEnterTimestamp containerd kubelet haproxy keepalived \
  chrony ufw matrix-fleet-nodeports
iptables-save | grep -v '^[#:]'
"""


def test_bare_hosts_become_a_cluster(bootstrapped: tuple[LabCluster, int, dict[str, Any]]) -> None:
    cluster, code, report = bootstrapped
    assert (code, wrong(report)) == (0, [])
    assert report["good"] is True
    assert cluster.ready() == set(NODES)
    asked = {
        outcome["host"]: outcome["status"] for outcome in report["outcomes"] if outcome["subject"] == "pod-network"
    }
    assert asked == dict.fromkeys(NODES, "ok")
    for host in NODES:
        assert "Status: active" in cluster.lab.shell(host, ("ufw", "status")).stdout
        secret = cluster.lab.shell(
            host, ("find", "/etc/kubernetes", "/var/lib/matrix-fleet/secrets", "-name", "*key*", "-perm", "/077")
        )
        assert secret.stdout == ""


def test_every_port_is_proven_on_the_running_cluster(small: LabCluster) -> None:
    code, report = small.flow("verify_ports")
    assert (code, wrong(report)) == (0, [])


def test_secrets_lie_encrypted_in_etcd(small: LabCluster) -> None:
    small.kubectl("create", "secret", "generic", "plain", "--from-literal=word=chrysanthemum")
    try:
        command = (
            "etcdctl --endpoints=https://127.0.0.1:2379 --cacert=/etc/kubernetes/pki/etcd/ca.crt "
            "--cert=/etc/kubernetes/pki/etcd/server.crt"
            " --key=/etc/kubernetes/pki/etcd/server.key get /registry/secrets/default/plain --print-value-only"
        )
        stored = small.lab.shell("cp-2", ("sh", "-c", f"{command} | head -c 27"))
        assert stored.stdout.startswith("k8s:enc:secretbox:v1:first:")
    finally:
        small.kubectl("delete", "secret", "plain")


def test_a_node_port_answers_from_where_it_may_and_from_nowhere_else(small: LabCluster) -> None:
    with node_port(small):
        assert small.lab.tcp("cp-2", "10.20.1.31", 30080) == "open"
        assert small.lab.tcp("li-1", "10.20.1.11", 30080) == "silent"
        assert small.lab.tcp("vantage-1", "10.20.1.21", 30080) == "silent"
        assert small.lab.tcp("", "10.20.1.31", 30080) == "silent"


def test_a_second_run_changes_nothing(small: LabCluster) -> None:
    before = {host: small.lab.shell(host, ("sh", "-c", _LOOK)).stdout for host in NODES}
    generations = _generations(small)
    code, report = small.flow("bootstrap")
    assert (code, wrong(report)) == (0, [])
    assert [outcome for outcome in report["outcomes"] if outcome["status"] == "changed"] == []
    assert {host: small.lab.shell(host, ("sh", "-c", _LOOK)).stdout for host in NODES} == before
    assert _generations(small) == generations


def test_a_kubelet_that_asks_late_for_its_certificate_is_waited_for(small: LabCluster) -> None:
    late = (
        "systemctl stop kubelet; rm /var/lib/kubelet/pki/kubelet-server-*; systemd-run --quiet --on-active=10 "
        "systemctl start kubelet"
    )
    assert small.lab.shell("w-1", ("sh", "-ec", late)).returncode == 0
    code, report = small.flow("bootstrap", "--only", "verify")
    assert (code, wrong(report)) == (0, [])
    changed = [
        (outcome["host"], outcome["subject"]) for outcome in report["outcomes"] if outcome["status"] == "changed"
    ]
    assert changed == [("w-1", "serving-certificate")]


def test_a_dry_run_finds_what_a_person_changed_and_a_run_mends_it(small: LabCluster) -> None:
    small.lab.shell("w-1", ("sh", "-c", "echo 0 >/proc/sys/net/ipv4/ip_forward; systemctl stop chrony"))
    small.kubectl("label", "node", "db-1", "matrix-fleet.io/role-database-")
    code, report = small.flow("bootstrap", "--dry-run")
    drifted = {(outcome["host"], outcome["subject"]) for outcome in report["outcomes"] if outcome["status"] == "drift"}
    assert (code, drifted) == (2, {("w-1", "os"), ("controller", "labels")})
    assert "net.ipv4.ip_forward: 0" in json.dumps(report)
    code, report = small.flow("bootstrap")
    assert code == 0, wrong(report)
    changed = {
        (outcome["host"], outcome["subject"]) for outcome in report["outcomes"] if outcome["status"] == "changed"
    }
    assert changed == {("w-1", "os"), ("controller", "labels")}


def test_services_outlive_a_restart_of_kube_proxy(small: LabCluster) -> None:
    # It is healthy once it has written its table, and what it reads there first decides about what it writes: every
    # second start may fail.
    asked = (
        "python3",
        "-c",
        "from urllib.request import urlopen; urlopen('http://127.0.0.1:10256/healthz', timeout=1)",
    )
    for _ in range(2):
        _restart_kube_proxy(small, "w-1")
        eventually("it is healthy", lambda: small.lab.shell("w-1", asked).returncode == 0, 60)
        assert small.lab.tcp("w-1", "10.96.0.1", 443) == "open"


def _restart_kube_proxy(small: LabCluster, host: str) -> None:
    def proxies() -> dict[str, bool]:
        pods = small.objects("pods", "-n", "kube-system", "-l", "k8s-app=kube-proxy")
        return {pod["metadata"]["name"]: holds(pod, "Ready") for pod in pods if pod["spec"]["nodeName"] == host}

    (old,) = proxies()
    small.kubectl("-n", "kube-system", "delete", "pod", old, "--wait=true")
    eventually("another kube-proxy runs", lambda: all(proxies().values()) and {old} != set(proxies()) != set(), 60)


@pytest.mark.parametrize("host", ["cp-1", "cp-2", "cp-3"])
def test_the_api_outlives_a_control_plane(small: LabCluster, host: str) -> None:
    gap, ready = small.without(host, watch_from="w-1")
    assert gap <= 5.0, f"the API was silent for {gap:.1f} s when {host} lost power"
    assert ready <= 120.0


def _generations(small: LabCluster) -> dict[str, Any]:
    kinds = (
        "nodes,namespaces,daemonsets,deployments,services,configmaps,storageclasses,persistentvolumes,"
        "clusterroles,serviceaccounts"
    )
    return {
        f"{item['kind']}/{item['metadata'].get('namespace', '')}/{item['metadata']['name']}": (
            item["metadata"].get("generation"),
            item["metadata"]["creationTimestamp"],
            item["metadata"].get("labels"),
        )
        for item in small.objects(kinds, "-A")
    }
