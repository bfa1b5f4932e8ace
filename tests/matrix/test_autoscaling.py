"""Load decides how many processes some pools have: the metrics API comes, and every autoscaler sees its pods."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from model.rollout.readiness import readiness
from tests.cluster.lab_cluster import LONG, eventually, wrong
from tests.matrix.matrix_lab import MatrixLab

pytestmark = pytest.mark.all
_POOL = "synapse-sync"
_LOWERED = [{"op": "replace", "path": "/spec/metrics/0/resource/target/averageValue", "value": "1m"}]
_COUNTED = ("statefulsets", "-n", "matrix", "-l", "matrix-fleet.io/component=synapse")


def _running(matrix: MatrixLab) -> dict[str, int]:
    return {item["metadata"]["name"]: item["spec"]["replicas"] for item in matrix.objects(*_COUNTED)}


@pytest.fixture(scope="module")
def switched_on(matrix: MatrixLab) -> Iterator[tuple[dict[str, int], int, dict[str, Any]]]:
    """How many processes each pool had before; exit code and report of the rollout that switched it on."""
    path = matrix.lab.inventory / "site.yaml"
    before, counts = path.read_text("utf-8"), _running(matrix)
    settings = yaml.safe_load(before)
    settings["features"] = {**settings.get("features", {}), "autoscaling": True}
    path.write_text(yaml.safe_dump(settings, sort_keys=False), "utf-8")
    try:
        code, report = matrix.flow("rollout", seconds=LONG)
        yield counts, code, report
    finally:
        path.write_text(before, "utf-8")
        code, report = matrix.flow("rollout", "--prune", seconds=LONG)
    assert code == 0, wrong(report)
    assert not matrix.objects("horizontalpodautoscalers", "-n", "matrix")


def test_a_rollout_that_switches_it_on_ends_green_and_no_pool_loses_a_process(
    matrix: MatrixLab, switched_on: tuple[dict[str, int], int, dict[str, Any]]
) -> None:
    counts, code, report = switched_on
    assert code == 0, wrong(report)
    now = _running(matrix)
    assert not {name for name, count in counts.items() if now[name] < count}


def test_the_gate_has_seen_every_node_and_every_autoscaler(
    matrix: MatrixLab, switched_on: tuple[dict[str, int], int, dict[str, Any]]
) -> None:
    assert switched_on[1] == 0
    _, report = matrix.flow("validate", "--gate", "metrics")
    (gate,) = report["gates"]
    assert gate["status"] == "ok", gate
    scalers = matrix.objects("horizontalpodautoscalers", "-n", "matrix")
    assert {item["metadata"]["name"] for item in scalers} == {"synapse-sync", "synapse-client-reader"}
    assert all(readiness(item).ready for item in scalers)


def test_a_pool_over_its_target_gets_another_process_and_a_rollout_leaves_it_that(
    matrix: MatrixLab, switched_on: tuple[dict[str, int], int, dict[str, Any]]
) -> None:
    assert switched_on[1] == 0
    before = _running(matrix)[_POOL]
    # No machine of a lab has the processors for a real load: a target that even an idle process is over.
    matrix.kubectl("patch", "hpa", "-n", "matrix", _POOL, "--type=json", "-p", json.dumps(_LOWERED))
    eventually("another process", lambda: _running(matrix)[_POOL] > before, 180)
    code, done = matrix.changed()
    assert (code, list(done)) == (0, [f"synapse/HorizontalPodAutoscaler/matrix/{_POOL}"])
    assert _running(matrix)[_POOL] > before


def test_a_second_rollout_changes_nothing(
    matrix: MatrixLab, switched_on: tuple[dict[str, int], int, dict[str, Any]]
) -> None:
    assert switched_on[1] == 0
    assert matrix.changed() == (0, {})
