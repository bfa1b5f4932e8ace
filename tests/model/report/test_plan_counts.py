"""A plan's figures are what its diffs say, thing by thing."""

from __future__ import annotations

import pytest

from model.host.hoststate import File, HostState
from model.host.observed_state import ObservedState
from model.host.state_plan import plan as host_plan
from model.kubernetes.manifests import difference
from model.report.evidence import diff_lines
from model.report.outcome import Outcome, Status
from model.report.plan_counts import PlanCounts, plan_counts
from model.ufw.diff import difference as ufw_difference
from model.ufw.kernel import EMPTY
from model.ufw.rule import UfwRule
from model.ufw.state import FILES, UfwState
from model.ufw.text import render
from tests.model.ufw.ufw_data import loaded

STEP = "run without --dry-run"
RULES = ["--- db-1:/etc/ufw/user.rules (is)", "+++ db-1:/etc/ufw/user.rules (should be)"]


def planned(evidence: object, host: str = "db-1", step: str = STEP) -> Outcome:
    return Outcome(host, "rules", Status.DRIFT, "differs", next=step, evidence=evidence)


def counted(evidence: object) -> tuple[int, int, int]:
    counts = plan_counts([planned(evidence)], dry_run=True)
    return counts.add, counts.change, counts.remove


@pytest.mark.parametrize(
    ("lines", "figures"),
    [
        (["@@ -0,0 +1,2 @@", "+allow tcp 22 from 10.0.0.1", "+allow tcp 80 from 10.0.0.1"], (2, 0, 0)),
        (["@@ -1 +0,0 @@", "-allow tcp 22 from 10.0.0.1"], (0, 0, 1)),
        (["@@ -1 +1 @@", "-deny tcp 22 from 10.0.0.1 # old", "+allow tcp 22 from 10.0.0.1 # new"], (0, 1, 0)),
        (["@@ -1 +1 @@", "-allow tcp 22 from 10.0.0.1", "+allow tcp 22 from 10.0.0.2"], (1, 0, 1)),
        (["@@ -1 +1 @@", "--A in -p tcp --dport 22 -j DROP", "+-A in -p tcp --dport 22 -j ACCEPT"], (0, 1, 0)),
        (["@@ -1 +1 @@", "-policy INPUT ACCEPT", "+policy INPUT DROP"], (0, 1, 0)),
        (["@@ -1 +1 @@", "-policy INPUT ACCEPT", "+policy OUTPUT DROP"], (1, 0, 1)),
        (["@@ -1 +1 @@", "-IPV6=no", "+IPV6=yes"], (0, 1, 0)),
        (["@@ -1 +1 @@", "-ufw is not running", "+ufw is running"], (0, 1, 0)),
    ],
)
def test_rules_are_paired_by_what_they_are_about(lines: list[str], figures: tuple[int, int, int]) -> None:
    assert counted([*RULES, *lines]) == figures
    assert counted("\n".join([*RULES, *lines])) == figures


def _rule(source: str, port: str, comment: str = "matrix-fleet x") -> UfwRule:
    return UfwRule(
        action="allow",
        protocol="tcp",
        destination_port=port,
        destination="0.0.0.0/0",
        source_port="any",
        source=source,
        comment=comment,
    )


def _state(*rules: UfwRule, kernel: tuple[UfwRule, ...] | None = None) -> UfwState:
    """Return a running ufw with these rules in its file, and others in the kernel where they are named."""
    text = render(rules, 4, "low")
    held = loaded(4, text if kernel is None else render(kernel, 4, "low"))
    return UfwState({4: held, 6: EMPTY}, {FILES[0]: text}, unit_enabled=True)


def test_a_rule_in_ufws_file_and_in_the_kernel_is_one_thing() -> None:
    old, new = _rule("10.0.0.1", "22"), _rule("10.0.0.2", "80")
    assert counted(ufw_difference("h", _state(old), _state(old, new))) == (1, 0, 0)
    assert counted(ufw_difference("h", _state(old, new), _state(old))) == (0, 0, 1)
    renamed = _state(_rule("10.0.0.1", "22", "matrix-fleet y"))
    assert counted(ufw_difference("h", _state(old), renamed)) == (0, 1, 0)


def test_a_kernel_that_lost_a_rule_of_the_file_is_counted_by_itself() -> None:
    old, new = _rule("10.0.0.1", "22"), _rule("10.0.0.2", "80")
    assert counted(ufw_difference("h", _state(old, new, kernel=(old,)), _state(old, new))) == (1, 0, 0)


def test_a_file_is_one_thing_however_many_lines_differ() -> None:
    desired = HostState(files=(File("/etc/new", "a\nb\n"),), packages=("chrony",), modules=("overlay",))
    bare = ObservedState(
        packages={}, held=frozenset(), files={}, present=frozenset(), units={}, sysctl={}, modules=frozenset()
    )
    lines = host_plan(desired, bare).lines
    assert sum(line.startswith("+") for line in lines) > 3
    assert counted(lines) == (3, 0, 0)


def test_lines_after_a_file_are_counted_by_themselves() -> None:
    file = ["--- /etc/a", "+++ /etc/a", "@@ -1,2 +1,2 @@", " kept", "-x: 1", "+x: 2"]
    assert counted([*file, "- /etc/old", "~ sysctl net.a: 0 -> 1", "+ module overlay"]) == (1, 2, 1)
    assert counted([*file, "- w-1: label a", "+ w-1: label a=b"]) == (0, 2, 0)


def test_an_object_of_the_cluster_is_one_thing() -> None:
    new = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "n"}, "data": {"a": "1"}}
    other = new | {"data": {"a": "2", "b": "3"}}
    assert counted("\n".join(difference(None, new))) == (1, 0, 0)
    assert counted("\n".join(difference(new, other))) == (0, 1, 0)
    assert counted("\n".join(difference(new, None))) == (0, 0, 1)


def test_what_has_no_diff_is_one_change_if_the_run_would_carry_it_out() -> None:
    assert counted(None) == (0, 1, 0)
    finding = planned("allow 22/tcp", step="take them into the matrix with `python -m flows.firewall adopt`")
    assert plan_counts([finding], dry_run=True) == PlanCounts()


def test_hosts_are_counted_once_and_the_controller_is_none() -> None:
    outcomes = [planned("+ a"), planned("+ b"), planned("- c", "w-1"), planned("+ d", "controller")]
    assert plan_counts(outcomes, dry_run=True) == PlanCounts(add=3, change=0, remove=1, hosts=2)


def test_a_run_counts_what_it_changed_and_a_dry_run_what_it_would() -> None:
    done = Outcome("w-1", "os", Status.CHANGED, evidence="+ package chrony")
    failed = Outcome("w-2", "os", Status.FAILED, "rolled back", next="run without --dry-run", evidence="+ package x")
    assert plan_counts([done, failed, planned("+ a")], dry_run=False) == PlanCounts(add=1, hosts=1)
    assert plan_counts([done, failed], dry_run=True) == PlanCounts()


def test_a_diff_of_changed_values_alone_is_a_diff() -> None:
    assert diff_lines("~ sysctl net.a: 0 -> 1") == ["~ sysctl net.a: 0 -> 1"]
    assert diff_lines("~nobody is told") == []
