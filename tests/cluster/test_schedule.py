"""
On a cluster the identity sees what the deployer sees, and its service proves ports, finds drift and says when it is
gone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster.lab_cluster import LabCluster
from tests.lab.compliances import SERVERS
from tests.lab.controllers import Controller, controller
from tests.lab.schedules import cells, daily, installed, news, outcomes, paged, run_now, runs, statuses, told

_LABEL = "matrix-fleet.io/role-worker"


@pytest.fixture(scope="module")
def machine(small: LabCluster) -> Iterator[Controller]:
    with controller(small.lab) as machine:
        report = installed(machine, schedule=daily())
        assert statuses(report, "schedule/proof") == dict.fromkeys((*SERVERS, "vantage-1"), "ok")
        yield machine
        assert machine.flow("schedule", "remove", "--yes").returncode == 0


def _both(machine: Controller, flow: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the reports of an ordinary run and of the identity's."""
    ordinary, scheduled = (
        json.loads(machine.flow(flow, "--json", "-", *flags).stdout) for flags in ((), ("--scheduled",))
    )
    return ordinary, scheduled


def test_the_identity_proves_the_cells_of_pods_and_services_too(machine: Controller) -> None:
    ordinary, scheduled = _both(machine, "verify_ports")
    assert scheduled["exit"] == 0
    assert cells(scheduled) == cells(ordinary)
    assert {"pod"} < {cell["plane"] for cell in scheduled["cells"]}


def test_the_identity_sees_what_the_deployer_sees_of_the_cluster(machine: Controller) -> None:
    ordinary, scheduled = _both(machine, "compliance")
    assert scheduled["exit"] == 0
    theirs, ours = outcomes(scheduled), outcomes(ordinary)
    # What has to be tried on hosts is nothing for an account that may run the collector alone.
    tried = {place for place in ours if place[1] == "firewall/next-boot"}
    assert {theirs.pop(place)[0] for place in tried} == {"not_run"}
    assert {ours.pop(place)[0] for place in tried} == {"ok"}
    assert theirs == ours
    subjects = {outcome["subject"] for outcome in scheduled["outcomes"] if outcome["status"] == "ok"}
    assert len({subject for subject in subjects if subject.startswith("cluster/")}) == 15


def test_the_service_finds_a_label_that_is_gone_and_says_so_once(machine: Controller, small: LabCluster) -> None:
    installed(machine, schedule=daily(verify_ports=True), notify=[paged(machine)])
    assert run_now(machine) == 0
    proofs = len(runs(machine, "verify_ports"))
    small.kubectl("label", "node", "w-1", f"{_LABEL}-")
    try:
        assert [run_now(machine), run_now(machine)] == [2, 2]
        assert len(runs(machine, "verify_ports")) == proofs + 2
        assert told(news(machine), "new") == [("w-1", "cluster/labels")]
    finally:
        small.kubectl("label", "node", "w-1", f"{_LABEL}=true")
    assert run_now(machine) == 0
    assert told(news(machine), "gone") == [("w-1", "cluster/labels")]
