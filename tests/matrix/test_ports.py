"""Every port of the running stack is as the matrix says, between pods too; a policy that is missed is found."""

from __future__ import annotations

from tests.cluster.lab_cluster import wrong
from tests.matrix.matrix_lab import MatrixLab

# Rows whose both ends run; those of components that come later wait, by name.
_ROWS = {
    "pod-contour",
    "pod-dns-tcp",
    "pod-dns-udp",
    "pod-ingress",
    "pod-ingress-haproxy",
    "pod-postgresql",
    "pod-postgresql-instances",
    "pod-redis",
    "pod-redis-proxy",
    "pod-redis-sentinel",
    "pod-s3",
    "pod-seaweedfs",
    "pod-synapse",
    "pod-synapse-replication",
    "pod-synapse-worker",
    "pod-webhooks",
    "pod-webhooks-cert-manager",
    "pods-kubernetes-api",
}


def test_every_port_is_proven_with_the_stack_running(matrix: MatrixLab) -> None:
    code, report = matrix.flow("verify_ports")
    assert (code, wrong(report)) == (0, [])
    cells = [cell for cell in report["cells"] if cell["plane"] == "pod"]
    waiting = {row for cell in cells if cell["verdict"] == "not_run" for row in cell["rows"]}
    proven = {row for cell in cells if cell["verdict"] == "ok" for row in cell["rows"]}
    assert {cell["verdict"] for cell in cells} <= {"ok", "not_run"}
    assert proven >= _ROWS
    assert waiting.isdisjoint(_ROWS)
    closed = [cell for cell in cells if cell["expected"] == "closed"]
    assert len(closed) > 1000
    assert {cell["seen"] for cell in closed} == {"closed"}


# Those of Redis and its Sentinels: a policy of others is not touched.
_OF_REDIS = ("--plane", "pod", "--ports", "6379/tcp,26379/tcp")


def test_a_policy_that_is_deleted_by_hand_is_found_by_packets_and_named_by_the_plan(matrix: MatrixLab) -> None:
    owned = matrix.owned("networkpolicies")
    name = next(name for name in sorted(owned) if name.startswith("NetworkPolicy/matrix/redis"))
    matrix.kubectl("-n", "matrix", "delete", "networkpolicy", name.rpartition("/")[2])
    try:
        code, report = matrix.flow("verify_ports", *_OF_REDIS)
        assert code == 2
        bad = [cell for cell in report["cells"] if cell["verdict"] == "violation"]
        assert bad
        assert any("redis" in " ".join((cell["from"], cell["to"], *cell["rows"])) for cell in bad)
        code, drift = matrix.changed("--dry-run")
        assert (code, list(drift)) == (2, [f"network-policies/{name}"])
    finally:
        assert matrix.changed("--component", "network-policies")[0] == 0
