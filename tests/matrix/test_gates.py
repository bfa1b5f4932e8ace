"""Everything is tried again at any time, as its users would, and nothing of it is changed."""

from __future__ import annotations

import re

from tests.cluster.lab_cluster import wrong
from tests.matrix.matrix_lab import MatrixLab


def test_every_gate_is_green_and_leaves_nothing_behind(matrix: MatrixLab) -> None:
    before = matrix.versions()
    code, report = matrix.flow("validate")
    assert (code, wrong(report)) == (0, [])
    states = {gate["name"]: gate for gate in report["gates"]}
    assert {name for name, gate in states.items() if gate["status"] == "ok"} >= {
        "certificates",
        "dns",
        "endpoints",
        "ingress",
        "message",
        "object-storage",
        "pods",
        "postgresql",
        "redis",
        "routes",
        "synapse",
        "well-known",
    }
    assert all(gate["why"] for gate in states.values())
    assert matrix.versions() == before


def test_a_message_is_delivered_encrypted_by_other_workers_than_took_it(matrix: MatrixLab) -> None:
    code, report = matrix.flow("validate", "--gate", "message")
    (gate,) = report["gates"]
    assert (code, gate["status"]) == (0, "ok"), gate
    figures = gate["figures"]
    assert figures["sent"] == figures["delivered"] > 0
    assert figures["lost_acknowledged"] == 0
    assert 0 < figures["latency_p50_ms"] <= figures["latency_p99_ms"]
    through = re.search(r"encrypted too, over .*, through (\S+) and (\S+)$", gate["why"])
    assert through, gate["why"]
    assert through[1] != through[2]


def test_a_gate_goes_red_when_its_service_is_gone(matrix: MatrixLab) -> None:
    """No pod answers for HAProxy: whoever sends a message must not be told that all is well."""
    matrix.kubectl("-n", "matrix", "scale", "deployment", "haproxy", "--replicas=0")
    try:
        code, report = matrix.flow("validate", "--gate", "message,endpoints")
        assert code in (2, 3)
        assert {gate["name"] for gate in report["gates"] if gate["status"] == "ok"} == set()
    finally:
        assert matrix.changed()[0] == 0
