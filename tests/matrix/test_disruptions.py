"""What users notice while a part of the stack changes hands: no message that was acknowledged is ever lost."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from tests.cluster.lab_cluster import eventually
from tests.matrix.matrix_lab import MatrixLab
from tests.matrix.series import messages_while

pytestmark = pytest.mark.all
_IN = ("-n", "matrix")
_POSTGRESQL = (*_IN, "get", "clusters.postgresql.cnpg.io", "postgresql", "-o", "json")


def test_a_planned_change_of_postgresqls_primary_costs_ten_seconds_at_most(matrix: MatrixLab) -> None:
    before = _postgresql(matrix)["currentPrimary"]
    heard = messages_while(matrix, 45, lambda: _promote(matrix))
    assert (heard.status, heard.figures["lost_acknowledged"]) == ("ok", 0), heard
    assert heard.figures["gap_max_s"] <= 10, heard
    after = _postgresql(matrix)
    assert after["currentPrimary"] == after["targetPrimary"] != before


@pytest.mark.parametrize(
    ("name", "gap"),
    [
        ("haproxy", 15),
        ("envoy", 15),
        ("redis-proxy", 15),
        ("synapse-main", 30),
        ("synapse-sync", 15),
        ("synapse-client-reader", 15),
        ("synapse-event-persister", 30),
        ("synapse-stream-writer", 30),
        ("synapse-media", 15),
    ],
)
def test_a_killed_pod_costs_seconds_and_no_message(matrix: MatrixLab, name: str, gap: float) -> None:
    pods = matrix.objects("pods", "-A", "-l", f"app.kubernetes.io/name={name}")
    assert pods, f"no pod is called {name}"
    meta = pods[0]["metadata"]
    killed = ("-n", meta["namespace"], "delete", "pod", meta["name"], "--grace-period=0", "--force", "--wait=false")
    heard = messages_while(matrix, 45, lambda: matrix.kubectl(*killed))
    assert (heard.status, heard.figures["lost_acknowledged"]) == ("ok", 0), heard
    assert heard.figures["gap_max_s"] <= gap, heard


def _promote(matrix: MatrixLab) -> None:
    """Ask the operator for another primary, as its own plugin of kubectl does, and wait for it."""
    status = _postgresql(matrix)
    other = next(name for name in status["instanceNames"] if name != status["currentPrimary"])
    wanted = {
        "targetPrimary": other,
        "targetPrimaryTimestamp": datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "phase": "Switchover in progress",
        "phaseReason": f"Switching over to {other}",
    }
    patch = ("--subresource=status", "--type=merge", "-p", json.dumps({"status": wanted}))
    matrix.kubectl(*_IN, "patch", "clusters.postgresql.cnpg.io", "postgresql", *patch)
    eventually(f"{other} is primary", lambda: _postgresql(matrix)["currentPrimary"] == other, 60)


def _postgresql(matrix: MatrixLab) -> dict[str, str]:
    status: dict[str, str] = json.loads(matrix.kubectl(*_POSTGRESQL))["status"]
    return status
