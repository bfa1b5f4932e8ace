"""Whoever holds pods to their policies may be running, ready and of no use: packets tell."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from model.kubernetes.manifests import holds
from tests.cluster.lab_cluster import eventually, wrong
from tests.matrix.matrix_lab import MatrixLab
from tests.matrix.pod_processes import processes_of

pytestmark = pytest.mark.all
_OF_REDIS = ("--plane", "pod", "--ports", "6379/tcp,26379/tcp")
_CHAIN = "KUBE-ROUTER-FORWARD"
# Every set of kube-router's for IPv6 is empty: what policies open stays shut.
_EMPTY = "set -e; for set in $(ipset list -n | grep ^inet6:KUBE-); do ipset flush $set; done"
_AGAIN = 150


def test_before_anything_is_done_to_it_every_policy_is_kept(matrix: MatrixLab) -> None:
    code, report = matrix.flow("verify_ports", *_OF_REDIS)
    assert (code, wrong(report)) == (0, [])


def test_one_that_is_ready_and_enforces_nothing_is_found(matrix: MatrixLab) -> None:
    bad = _found(matrix, f"iptables -F {_CHAIN}; ip6tables -F {_CHAIN}")
    assert {cell["expected"] for cell in bad} == {"closed"}
    # Where nobody answers, what passed is seen to arrive.
    assert {_family(cell) for cell in bad if cell["seen"] == "open"} == {4, 6}


def test_one_that_enforces_nothing_of_ipv6_is_found(matrix: MatrixLab) -> None:
    bad = _found(matrix, f"ip6tables -F {_CHAIN}")
    assert {(cell["expected"], _family(cell)) for cell in bad} == {("closed", 6)}
    assert "open" in {cell["seen"] for cell in bad}


def test_one_that_never_opens_ipv6_is_found(matrix: MatrixLab) -> None:
    bad = _found(matrix, _EMPTY)
    assert {(cell["expected"], cell["seen"], _family(cell)) for cell in bad} == {("open", "closed", 6)}


def test_a_rule_that_was_left_behind_for_another_pods_address_is_found(matrix: MatrixLab) -> None:
    pod = matrix.objects("pods", "-n", "matrix", "-l", "app.kubernetes.io/name=redis")[0]
    address = pod["status"]["podIP"]
    tables = "ip6tables" if ":" in address else "iptables"
    bad = _found(matrix, f"{tables} -I {_CHAIN} -p tcp -d {address} -j REJECT")
    assert {(cell["expected"], cell["seen"], cell["address"]) for cell in bad} == {("open", "closed", address)}


def _found(matrix: MatrixLab, act: str) -> list[dict[str, Any]]:
    """Do something on every node while the enforcers stand still; return what the proof finds, once all is mended."""
    pods = _enforcers(matrix)
    with _still(pods, act):
        assert all(holds(pod, "Ready") for pod in _enforcers(matrix))
        code, report = matrix.flow("verify_ports", *_OF_REDIS)
    # They begin anew with what the policies say now.
    matrix.kubectl("-n", "kube-router", "delete", "pods", "-l", "app.kubernetes.io/name=kube-router", "--wait=false")
    gone = {pod["metadata"]["uid"] for pod in pods}
    eventually(
        "all enforcers are others", lambda: gone.isdisjoint(_ready(matrix)) and len(_ready(matrix)) == len(gone), _AGAIN
    )
    eventually("every policy is kept again", lambda: matrix.flow("verify_ports", *_OF_REDIS)[0] == 0, _AGAIN)
    bad = [cell for cell in report["cells"] if cell["verdict"] == "violation"]
    assert (code, bool(bad)) == (2, True)
    return bad


@contextmanager
def _still(pods: list[dict[str, Any]], act: str) -> Iterator[None]:
    """
    Let these pods' programs stand still; their node notices only after a minute. `act` is done at each once all of them
    do, so that none mends it.
    """
    processes = processes_of(pods)
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGSTOP)
    try:
        for pod in pods:
            _on(pod, act)
        yield
    finally:
        for process in processes:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGCONT)


def _on(pod: dict[str, Any], act: str) -> None:
    """Do something in the network of a pod's node, with the pod's own tools."""
    # What it has begun itself meanwhile has the same tools.
    process = next(number for number in processes_of([pod]) if Path(f"/proc/{number}/root/usr/sbin/ipset").exists())
    argv = ("nsenter", f"--target={process}", "--mount", "--net", "sh", "-c", act)
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{pod['spec']['nodeName']}: {done.stderr}"


def _enforcers(matrix: MatrixLab) -> list[dict[str, Any]]:
    return matrix.objects("pods", "-n", "kube-router", "-l", "app.kubernetes.io/name=kube-router")


def _ready(matrix: MatrixLab) -> set[str]:
    return {pod["metadata"]["uid"] for pod in _enforcers(matrix) if holds(pod, "Ready")}


def _family(cell: dict[str, Any]) -> int:
    return 6 if ":" in cell["address"] else 4
