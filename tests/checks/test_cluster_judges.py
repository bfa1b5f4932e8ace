"""
Every check of the cluster goes red for what it is for and for nothing else; a real cluster as it should be has no
finding.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from checks.check import ComplianceView
from checks.discovery import every
from flows._compliance.judging import judged
from flows._compliance.look import Looked
from flows._fleet.failure import HostFailure
from model.kubernetes.cluster_facts import ApiReport
from model.report.outcome import Status
from tests.checks import golden
from tests.checks.changes import Case, Sections, put
from tests.checks.cluster_cases import CASES
from tests.checks.cluster_changes import PLANES, condition, node, taint, workload
from tests.checks.golden import CLUSTER, GATES_OF_OTHERS, bad, pending, verdicts, view

# Flannel is what a lab can run.
LAB = golden.LAB | {("controller", "cluster/policies")}


def test_a_real_cluster_as_it_should_be_has_no_finding() -> None:
    assert bad(view(of=CLUSTER)).keys() == LAB
    # What the rollout brings is due once somebody has begun with it.
    rollout = {check.id for check in every() if check.id.split("/")[0] in ("secrets", "gates", "objects")}
    assert {check for _, check in pending(view(of=CLUSTER))} == (rollout - GATES_OF_OTHERS) | {
        "certificates/site",
        "policies/declared",
        "ports/pods",
        "schedule/files",
        "updates/security",
    }


@pytest.mark.parametrize(
    ("case", "host"), CASES, ids=lambda item: f"{item.check}-{item.says[:24]}" if isinstance(item, Case) else ""
)
def test_a_change_is_found_by_exactly_its_check(case: Case, host: str) -> None:
    wrong = bad(view({case.host: case.change}, of=CLUSTER))
    assert case.says in wrong[host, case.check]
    assert wrong.keys() - LAB == {(host, case.check)}


def test_all_nodes_under_pressure_are_found_and_their_taints_are_not_called_good() -> None:
    def full(sections: Sections) -> None:
        for item in sections["cluster"]["nodes"]:
            condition("DiskPressure", "True")(item)
            taint(item, "disk-pressure")

    seen = view({"cp-1": full}, of=CLUSTER)
    nodes = {machine.name for machine in seen.site.servers if machine.node}
    assert bad(seen).keys() - LAB == {(name, "cluster/nodes") for name in nodes}
    for name in nodes:
        answer = verdicts(seen)[name, "cluster/taints"]
        assert "node.kubernetes.io/disk-pressure:NoSchedule): see cluster/nodes" in answer.pending


def test_a_condition_of_somebody_elses_is_named_and_not_judged() -> None:
    def said(sections: Sections) -> None:
        sections["status"]["conditions"].append({"type": "EtcdIsVoter", "status": "True"})

    answer = verdicts(view({"cp-1": node("w-1", said)}, of=CLUSTER))["w-1", "cluster/nodes"]
    assert "what nobody here can judge: EtcdIsVoter True" in answer.good


def test_every_check_of_the_cluster_goes_red_somewhere() -> None:
    cluster = {check.id for check in every() if check.id.startswith("cluster/")}
    assert cluster == {case.check for case, _ in CASES} | {"cluster/policies"}


def test_a_pod_network_that_enforces_policies_is_good() -> None:
    def calico(sections: Sections) -> None:
        workload("flannel", lambda item: item["metadata"].update(name="calico-node"))(sections)

    assert ("controller", "cluster/policies") not in bad(view({"cp-1": calico}, of=CLUSTER))


def test_policies_that_nothing_enforces_are_named() -> None:
    policies = put("cluster", "policies", to=[{"metadata": {"namespace": "matrix", "name": "deny-all"}}])
    answers = bad(view({"cp-1": policies}, of=CLUSTER))["controller", "cluster/policies"]
    assert "without effect are matrix/deny-all" in answers


def without(*names: str, changes: dict[str, Callable[[Sections], None]] | None = None) -> ComplianceView:
    """Return what is seen when hosts do not answer."""
    whole = view(changes, of=CLUSTER)
    facts = {name: facts for name, facts in whole.facts.items() if name not in names}
    return replace(whole, facts=facts, silent=dict.fromkeys(names, "no route to host"))


def test_another_control_plane_tells_of_the_cluster_when_the_first_is_silent() -> None:
    seen = without("cp-1")
    assert bad(seen).keys() == LAB - {("cp-1", "updates/archive")}
    assert verdicts(seen)["w-1", "cluster/nodes"].good.startswith("is ready")


def test_where_no_control_plane_answers_the_cluster_is_unproven_and_never_good() -> None:
    answers = verdicts(without(*PLANES))
    places: list[tuple[str, str]] = [
        ("w-1", "cluster/nodes"),
        ("controller", "cluster/version"),
        ("w-1", "cluster/dns"),
    ]
    for place in places:
        assert "no route to host" in answers[place].doubt or place[1] == "cluster/dns"
    assert answers["controller", "cluster/workloads"].doubt


def test_what_a_silent_host_held_is_not_called_drift() -> None:
    def one_less(sections: Sections) -> None:
        workload("coredns", lambda item: item["status"].update(readyReplicas=1))(sections)

    seen = without("w-1", changes={"cp-1": one_less})
    assert bad(seen).keys() == LAB - {("w-1", "updates/archive")}
    assert "the others are on w-1" in verdicts(seen)["controller", "cluster/workloads"].good


def test_where_there_is_no_cluster_nothing_of_it_is_missing_with_a_silent_host() -> None:
    there = without("w-1")
    nobody = ApiReport(runs=False, complaints=(), api=None)
    bare = replace(
        there,
        facts={name: replace(facts, parts={**facts.parts, ApiReport: nobody}) for name, facts in there.facts.items()},
    )
    failure = HostFailure(host="w-1", exception=None, message="no route to host", next="is it running?")
    for seen, expected in ((there, {Status.FAILED, Status.MISSING}), (bare, {Status.FAILED})):
        outcomes = judged(every(), Looked(seen, {"w-1": failure}), ("w-1",))
        assert {outcome.status for outcome in outcomes if outcome.host == "w-1"} == expected


def test_more_pods_than_the_silent_host_held_are_missed() -> None:
    def all_gone(sections: Sections) -> None:
        workload("coredns", lambda item: item["status"].update(readyReplicas=0))(sections)

    assert ("controller", "cluster/workloads") in bad(without("w-1", changes={"cp-1": all_gone}))


def test_members_of_two_clusters_are_found_on_both_sides() -> None:
    def alone(sections: Sections) -> None:
        sections["etcd"]["members"] = sections["etcd"]["members"][:1]

    wrong = bad(view({"cp-3": alone}, of=CLUSTER))
    assert {place for place, words in wrong.items() if "two clusters" in words} >= {
        ("cp-1", "cluster/etcd"),
        ("cp-3", "cluster/etcd"),
    }


@pytest.mark.parametrize("section", ["cluster", "etcd", "node"])
def test_a_section_that_is_missing_makes_its_checks_unproven(section: str) -> None:
    answers = verdicts(view({"cp-2": lambda sections: sections.pop(section)}, of=CLUSTER))
    unproven = {place for place, verdict in answers.items() if verdict.doubt}
    assert unproven
    assert {host for host, _ in unproven} == {"cp-2"}
    assert all(section in answers[place].doubt for place in unproven)


def test_an_api_server_that_only_complains_is_found_and_another_tells_of_the_cluster() -> None:
    answers = verdicts(
        view({"cp-1": put("cluster", to={"complaints": ["[-]etcd failed: reason withheld"]})}, of=CLUSTER)
    )
    assert "says [-]etcd failed" in answers["cp-1", "cluster/control-plane"].findings[0].message
    assert "says [-]etcd failed" in answers["cp-1", "cluster/settings"].doubt
    assert answers["w-1", "cluster/nodes"].good.startswith("is ready")
