"""From a Ready cluster to a homeserver, every part of it tried, in one command; and again, which changes nothing."""

from __future__ import annotations

import signal
from datetime import datetime
from typing import Any

from model.kubernetes.manifests import holds
from tests.cluster.lab_cluster import KUBECTL, wrong
from tests.matrix.matrix_lab import MatrixLab

Rollout = tuple[int, dict[str, Any]]
_SPACES = ("cert-manager", "cnpg-system", "matrix", "projectcontour")
# Far from what is aimed at: a limit that only catches what hangs.
_ROLLOUT_SECONDS, _NOCHANGE_SECONDS = 1200, 60


def _seconds(report: dict[str, Any]) -> float:
    ended, started = (datetime.fromisoformat(report[word]) for word in ("ended", "started"))
    return (ended - started).total_seconds()


def test_the_rollout_ends_green_and_every_component_was_tried(first_rollout: Rollout) -> None:
    code, report = first_rollout
    assert (code, wrong(report)) == (0, [])
    assert report["good"] is True
    assert _seconds(report) < _ROLLOUT_SECONDS
    states = {entry["name"]: entry["status"] for entry in report["components"]}
    assert set(states.values()) <= {"ok", "changed"}, states
    assert {"postgresql", "redis", "seaweedfs", "synapse", "haproxy", "contour", "cert-manager"} <= set(states)
    tried = {gate["name"] for gate in report["gates"] if gate["status"] == "ok"}
    assert {"certificates", "ingress", "postgresql", "redis", "object-storage", "synapse", "message"} <= tried
    # Nobody has their images here: they are named, and nothing else of the rollout waits for them.
    left = {entry["subject"] for entry in report["outcomes"] if entry["status"] == "not_run"}
    assert {"element-web", "ketesa"} <= left
    assert {"element-web", "ketesa"}.isdisjoint(states)


def test_a_rollout_killed_before_anything_ran_is_finished_by_the_next(
    begun: tuple[int, str], first_rollout: Rollout
) -> None:
    killed, written = begun
    assert (killed, "postgresql: applying" in written) == (-signal.SIGKILL, True), written
    code, report = first_rollout
    assert (code, wrong(report)) == (0, [])
    states = {entry["name"]: entry["status"] for entry in report["components"]}
    # What was whole by then is as it was left; what was not is made.
    assert (states["namespaces"], states["synapse"]) == ("ok", "changed"), states


def test_every_pod_is_ready_and_has_not_been_started_again(matrix: MatrixLab) -> None:
    for space in _SPACES:
        pods = [pod for pod in matrix.objects("pods", "-n", space) if pod["status"]["phase"] != "Succeeded"]
        assert pods, space
        assert [pod["metadata"]["name"] for pod in pods if not holds(pod, "Ready")] == []
    # Who waits for a volume or for a neighbour waits; nobody falls over and is picked up again.
    again = [name for name, (_, restarts) in _pods(matrix).items() if restarts]
    assert again == [], _last_words(matrix, again)


def test_a_second_rollout_changes_nothing(matrix: MatrixLab) -> None:
    objects, pods = matrix.versions(), _pods(matrix)
    code, report = matrix.flow("rollout")
    assert (code, wrong(report)) == (0, [])
    assert [entry["subject"] for entry in report["outcomes"] if entry["status"] == "changed"] == []
    assert matrix.versions() == objects
    assert _pods(matrix) == pods
    assert _seconds(report) < _NOCHANGE_SECONDS
    gates = {gate["name"]: gate for gate in report["gates"]}
    assert {"message", "postgresql", "redis", "object-storage"} <= set(gates)
    assert {gate["status"] for gate in gates.values()} == {"not_run"}
    assert all(gate["why"].startswith("proven at ") for gate in gates.values())


def test_a_dry_run_of_what_is_there_has_nothing_to_do(matrix: MatrixLab) -> None:
    assert matrix.changed("--dry-run") == (0, {})


def _last_words(matrix: MatrixLab, pods: list[str]) -> str:
    """Return what the containers that ended last wrote, and what the cluster says of these pods."""
    texts = []
    for space, name in (pod.split("/") for pod in pods):
        texts.append(matrix.kubectl("-n", space, "describe", "pod", name))
        # A container that was never started again has no earlier log.
        texts.append(matrix.lab.shell("cp-1", (*KUBECTL, "-n", space, "logs", name, "--previous", "--tail=40")).stdout)
    return "\n".join(texts)


def _pods(matrix: MatrixLab) -> dict[str, tuple[str, int]]:
    """Return each pod's identity and how often its containers were started again."""
    return {
        f"{space}/{pod['metadata']['name']}": (
            pod["metadata"]["uid"],
            sum(status["restartCount"] for status in pod["status"].get("containerStatuses", ())),
        )
        for space in _SPACES
        for pod in matrix.objects("pods", "-n", space)
    }
