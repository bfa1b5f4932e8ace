"""Loss, delay, doubles and disorder on a real network are never a violation, and hide none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab.conftest import managed_lab
from tests.lab.driver import Lab
from tests.lab.networks import forwarding, losing
from tests.lab.test_verify_faults import verify, wrong

pytestmark = pytest.mark.faults


@pytest.fixture(scope="module")
def managed(real_machine: None) -> Iterator[Lab]:
    yield from managed_lab("tn")


def loss(report: dict[str, Any]) -> dict[str, Any]:
    (outcome,) = [outcome for outcome in report["outcomes"] if outcome["subject"] == "loss"]
    return dict(outcome)


BOTH, THERE, BACK = ("iifname", "oifname"), ("oifname",), ("iifname",)


@pytest.mark.parametrize("ways", [BOTH, THERE], ids=["both", "there"])
def test_at_ten_percent_every_cell_is_proven(managed: Lab, ways: tuple[str, ...]) -> None:
    with losing(managed, "w-1", 10, ways):
        code, report = verify(managed)
    assert (code, wrong(report)) == (0, [])
    assert "w-1" in loss(report)["message"]
    assert {end for row in report["losses"][:2] for end in (row["from"], row["to"])} >= {"w-1"}


@pytest.mark.parametrize("ways", [THERE, BACK], ids=["there", "back"])
def test_at_thirty_percent_nearly_all_is_proven_and_the_rest_names_the_loss(
    managed: Lab, ways: tuple[str, ...]
) -> None:
    with losing(managed, "w-1", 30, ways):
        code, report = verify(managed)
    assert code in (0, 3)
    assert {cell["verdict"] for cell in wrong(report)} <= {"unproven"}
    assert len(wrong(report)) <= len(report["cells"]) // 20
    assert all("packets lost" in cell["note"] for cell in wrong(report))
    assert "w-1" in loss(report)["message"]


def test_where_the_runs_own_connections_are_lost_there_is_no_violation_either(managed: Lab) -> None:
    with losing(managed, "w-1", 70, BOTH):
        code, report = verify(managed)
    assert {cell["verdict"] for cell in wrong(report)} <= {"unproven"}
    assert all("w-1" in (cell["from"], cell["to"]) for cell in wrong(report))
    assert code == (3 if wrong(report) else 0)


@pytest.mark.parametrize(
    ("fault", "at", "port", "culprit"),
    [
        ("drop-in", "w-1", "10250/tcp", "destination-firewall"),
        ("drop-router", "w-1", "443/tcp", "path"),
    ],
)
def test_a_fault_is_found_beside_loss_and_nothing_else_is(
    managed: Lab, fault: str, at: str, port: str, culprit: str
) -> None:
    managed.do("break", fault, "--at", at, "--port", port)
    try:
        with losing(managed, at, 10):
            code, report = verify(managed)
    finally:
        managed.do("mend")
    assert code == 2
    number = int(port.split("/")[0])
    assert {(cell["to"], cell["port_lo"], cell["verdict"], cell["culprit"]) for cell in wrong(report)} == {
        (at, number, "violation", culprit)
    }


@pytest.mark.parametrize("kind", ["delay", "double", "reorder"])
def test_what_comes_late_twice_or_in_another_order_is_no_violation(managed: Lab, kind: str) -> None:
    with forwarding(managed, "w-1", kind):
        code, report = verify(managed)
    assert (code, wrong(report)) == (0, [])
