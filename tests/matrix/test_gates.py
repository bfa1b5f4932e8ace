"""Everything is tried again at any time, as its users would, and nothing of it is changed."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.lab_cluster import wrong
from tests.matrix.matrix_lab import MatrixLab
from tests.matrix.pod_processes import groups_of


@dataclass(frozen=True, kw_only=True)
class Validated:
    """A run that tried every gate, and the versions of all objects before and after it."""

    code: int
    report: dict[str, Any]
    before: dict[str, str]
    after: dict[str, str]


@pytest.fixture(scope="module")
def validated(matrix: MatrixLab) -> Validated:
    before = matrix.versions()
    code, report = matrix.flow("validate")
    return Validated(code=code, report=report, before=before, after=matrix.versions())


def test_every_gate_is_green_and_leaves_nothing_behind(validated: Validated) -> None:
    report = validated.report
    assert (validated.code, wrong(report)) == (0, [])
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
    assert validated.before == validated.after


def test_a_message_is_delivered_encrypted_by_other_workers_than_took_it(validated: Validated) -> None:
    (gate,) = (gate for gate in validated.report["gates"] if gate["name"] == "message")
    assert gate["status"] == "ok", gate
    figures = gate["figures"]
    assert figures["sent"] == figures["delivered"] > 0
    assert figures["lost_acknowledged"] == 0
    assert 0 < figures["latency_p50_ms"] <= figures["latency_p99_ms"]
    through = re.search(r"encrypted too, over .*, through (\S+) and (\S+)$", gate["why"])
    assert through, gate["why"]
    assert through[1] != through[2]


def test_a_gate_goes_red_when_its_service_is_gone(matrix: MatrixLab) -> None:
    """No pod answers for HAProxy: whoever sends a message must not be told that all is well."""
    haproxy = ("-n", "matrix", "scale", "deployment", "haproxy")
    before = json.loads(matrix.kubectl("-n", "matrix", "get", "deployment", "haproxy", "-o", "json"))
    matrix.kubectl(*haproxy, "--replicas=0")
    try:
        code, report = matrix.flow("validate", "--gate", "message,endpoints")
        assert code in (2, 3)
        assert {gate["name"] for gate in report["gates"] if gate["status"] == "ok"} == set()
    finally:
        matrix.kubectl(*haproxy, f"--replicas={before['spec']['replicas']}")
        matrix.kubectl("-n", "matrix", "rollout", "status", "deployment", "haproxy", "--timeout=90s")
    assert matrix.changed("--dry-run") == (0, {})


def test_no_process_of_a_pod_leaves_its_dead_unburied(matrix: MatrixLab) -> None:
    """A script of Redis's pods looks around every ten seconds: what it left would fill a host's table of processes."""
    assert matrix.kubectl("get", "pods", "-n", "matrix", "-o", "name").count("redis") >= 6
    dead = [parent for parent in map(_parent_of_dead, Path("/proc").glob("[0-9]*")) if parent and _in_a_pod(parent)]
    assert max(Counter(dead).values(), default=0) < 10


def _parent_of_dead(process: Path) -> int:
    """Return the parent of a process that has ended and nobody asked after; 0 for any other."""
    try:
        state, parent = (process / "stat").read_text("utf-8").rpartition(")")[2].split()[:2]
    except OSError:
        return 0
    return int(parent) if state == "Z" else 0


def _in_a_pod(process: int) -> bool:
    return "kubepods" in groups_of(Path(f"/proc/{process}"))
