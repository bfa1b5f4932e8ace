"""
Every check of the cluster goes red for what it is for and for nothing else; a real cluster as it should be has no
finding.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from checks.check import ComplianceView
from checks.discovery import every
from flows._compliance.judging import judged
from flows._compliance.look import Looked
from flows._fleet.failure import HostFailure
from model.kubernetes.cluster_facts import ApiReport
from model.report.outcome import Status
from tests.checks.changes import Case, both, put
from tests.checks.golden import CLUSTER, GATES_OF_OTHERS, bad, pending, verdicts, view

Sections = dict[str, Any]
PLANES = ("cp-1", "cp-2", "cp-3")
# Hosts of a lab know no security archive, and flannel is what a lab can run.
LAB = {(name, "updates/archive") for name in (*PLANES, "w-1", "db-1", "li-1")} | {("controller", "cluster/policies")}


def node(name: str, change: Callable[[Sections], object]) -> Callable[[Sections], None]:
    """Return a change of one Node object."""

    def changed(sections: Sections) -> None:
        change(next(item for item in sections["cluster"]["nodes"] if item["metadata"]["name"] == name))

    return changed


def pods(names: str, change: Callable[[Sections], object]) -> Callable[[Sections], None]:
    """Return a change of every pod whose name begins so."""

    def changed(sections: Sections) -> None:
        named_pods = [item for item in sections["cluster"]["pods"] if item["metadata"]["name"].startswith(names)]
        assert named_pods
        for item in named_pods:
            change(item)

    return changed


def condition(kind: str, status: str, message: str = "seeded") -> Callable[[Sections], None]:
    """Return a change of an object's condition."""

    def changed(sections: Sections) -> None:
        for item in sections.get("status", sections)["conditions"]:
            if item["type"] == kind:
                item.update(status=status, message=message)

    return changed


def taint(sections: Sections, key: str) -> None:
    """Let the cluster taint a node."""
    sections["spec"].setdefault("taints", []).append({"key": f"node.kubernetes.io/{key}", "effect": "NoSchedule"})


def flag(component: str, old: str, new: str) -> Callable[[Sections], None]:
    """Return a change of a program's command line."""

    def change(pod: Sections) -> None:
        assert any(old in word for word in pod["command"]), old
        pod["command"] = [word.replace(old, new) for word in pod["command"]]

    return pods(component, change)


def workload(name: str, change: Callable[[Sections], object]) -> Callable[[Sections], None]:
    """Return a change of one workload."""

    def changed(sections: Sections) -> None:
        change(next(item for item in sections["cluster"]["workloads"] if item["metadata"]["name"] == name))

    return changed


def kubelet(key: str, value: object) -> Callable[[Sections], None]:
    """Return a change of what w-1's running kubelet says of its settings."""
    return put("cluster", "kubelets", "w-1", key, to=value)


# The first control plane's account of the cluster counts: all of it is changed there.
CASES = (
    (Case("cluster/nodes", "cp-1", node("w-1", condition("Ready", "Unknown")), "is not ready: seeded"), "w-1"),
    *(
        (Case("cluster/nodes", "cp-1", node("w-1", condition(kind, status)), says), "w-1")
        for kind, status, says in (
            ("MemoryPressure", "True", "MemoryPressure is True"),
            ("DiskPressure", "True", "DiskPressure is True"),
            ("PIDPressure", "True", "PIDPressure is True"),
            ("NetworkUnavailable", "True", "its pod network is not up"),
            ("PIDPressure", "Unknown", "PIDPressure is Unknown"),
        )
    ),
    (
        Case(
            "cluster/taints",
            "cp-1",
            node("w-1", lambda sections: taint(sections, "disk-pressure")),
            "no condition that",
        ),
        "w-1",
    ),
    (
        Case(
            "cluster/nodes",
            "cp-1",
            node("w-1", lambda sections: sections["spec"].update(unschedulable=True)),
            "cordoned",
        ),
        "w-1",
    ),
    (
        Case(
            "cluster/nodes",
            "cp-1",
            node(
                "w-1",
                lambda sections: sections["status"]["addresses"].append(
                    {"type": "InternalIP", "address": "10.20.1.77"}
                ),
            ),
            "10.20.1.77",
        ),
        "w-1",
    ),
    (
        Case(
            "cluster/labels",
            "cp-1",
            node("w-1", lambda sections: sections["metadata"]["labels"].pop("matrix-fleet.io/role-worker")),
            "lacks the label",
        ),
        "w-1",
    ),
    (
        Case(
            "cluster/labels",
            "cp-1",
            node("w-1", lambda sections: sections["metadata"]["labels"].update({"matrix-fleet.io/role-li": "true"})),
            "for no role of it",
        ),
        "w-1",
    ),
    (
        Case(
            "cluster/taints", "cp-1", node("li-1", lambda sections: sections["spec"].pop("taints")), "lacks the taint"
        ),
        "li-1",
    ),
    (Case("cluster/kubelet", "cp-1", kubelet("readOnlyPort", 10255), "readOnlyPort is 10255"), "w-1"),
    (
        Case(
            "cluster/kubelet",
            "cp-1",
            kubelet("authentication", {"anonymous": {"enabled": True}, "webhook": {"enabled": True}}),
            "authentication.anonymous.enabled is True",
        ),
        "w-1",
    ),
    (
        Case(
            "cluster/kubelet",
            "w-1",
            lambda sections: sections["node"].update(
                kubelet=sections["node"]["kubelet"].replace("podPidsLimit: 8192", "podPidsLimit: -1")
            ),
            "in its file",
        ),
        "w-1",
    ),
    (
        Case(
            "cluster/kubelet", "cp-1", put("cluster", "kubelets", "w-1", to="timed out"), "does not tell its settings"
        ),
        "w-1",
    ),
    (
        Case(
            "cluster/files",
            "w-1",
            put("node", "files", "/etc/kubernetes/kubelet.conf", to=[0o644, 0, 0]),
            "0600 at most",
        ),
        "w-1",
    ),
    (
        Case(
            "cluster/files",
            "cp-2",
            put("node", "files", "/etc/kubernetes/pki/ca.key", to=[0o600, 1000, 0]),
            "user 1000",
        ),
        "cp-2",
    ),
    (
        Case(
            "cluster/pods",
            "cp-1",
            both(pods("probe-wx2sw", condition("Ready", "False"))),
            "probe-wx2sw is not ready for",
        ),
        "li-1",
    ),
    (
        Case(
            "cluster/dns",
            "w-1",
            put("cluster_names", to={"answers": {"10.96.0.10": []}, "why": {}}),
            "does not know the name",
        ),
        "w-1",
    ),
    (Case("cluster/dns", "w-1", put("cluster_names", to={"answers": {}, "why": {}}), "nobody was asked"), "w-1"),
    (
        Case(
            "cluster/control-plane", "cp-2", put("cluster", "complaints", to=["[-]etcd failed"]), "says [-]etcd failed"
        ),
        "cp-2",
    ),
    (
        Case(
            "cluster/control-plane",
            "cp-2",
            pods("kube-scheduler-cp-2", condition("Ready", "False")),
            "kube-scheduler is not ready",
        ),
        "cp-2",
    ),
    (
        Case("cluster/control-plane", "cp-2", lambda sections: sections.update(cluster=None), "runs no API server"),
        "cp-2",
    ),
    (
        Case(
            "cluster/settings",
            "cp-2",
            flag("kube-apiserver-cp-2", "--profiling=false", "--profiling=true"),
            "--profiling is true",
        ),
        "cp-2",
    ),
    (
        Case(
            "cluster/settings",
            "cp-2",
            flag("kube-apiserver-cp-2", "NodeRestriction", "NamespaceLifecycle"),
            "lacks NodeRestriction",
        ),
        "cp-2",
    ),
    (
        Case(
            "cluster/settings",
            "cp-3",
            pods("kube-apiserver-cp-3", lambda pod: pod["command"].append("--token-auth-file=/x")),
            "--token-auth-file is given",
        ),
        "cp-3",
    ),
    (
        Case(
            "cluster/settings",
            "cp-1",
            flag("etcd-cp-1", "--client-cert-auth=true", "--client-cert-auth=false"),
            "--client-cert-auth is false",
        ),
        "cp-1",
    ),
    (Case("cluster/etcd", "cp-3", put("etcd", "health", to="RAFT NO LEADER"), "not healthy: RAFT NO LEADER"), "cp-3"),
    (
        Case(
            "cluster/etcd", "cp-3", put("etcd", "alarms", to=[{"memberID": "1", "alarm": "NOSPACE"}]), "alarm NOSPACE"
        ),
        "cp-3",
    ),
    (Case("cluster/etcd", "cp-3", put("etcd", "status", "leader", to="0"), "no leader"), "cp-3"),
    (Case("cluster/etcd", "cp-3", put("etcd", "status", "dbSize", to="2000000000"), "nearly full"), "cp-3"),
    (Case("cluster/etcd", "cp-3", put("etcd", "status", "version", to="3.5.20"), "3.5.20, others of"), "cp-3"),
    (Case("cluster/etcd", "cp-3", lambda sections: sections.update(etcd=None), "runs no member of etcd"), "cp-3"),
    (Case("cluster/version", "cp-1", put("cluster", "version", to="v1.31.4"), "nobody has maintained"), "controller"),
    (
        Case(
            "cluster/version",
            "cp-1",
            node("w-1", lambda sections: sections["status"]["nodeInfo"].update(kubeletVersion="v1.37.0")),
            "newer than the API server",
        ),
        "controller",
    ),
    (
        Case(
            "cluster/version",
            "cp-1",
            node("w-1", lambda sections: sections["status"]["nodeInfo"].update(kubeletVersion="v1.32.0")),
            "too old",
        ),
        "controller",
    ),
    (
        Case(
            "cluster/version",
            "cp-1",
            node("cp-2", lambda sections: sections["status"]["nodeInfo"].update(kubeletVersion="v1.36.1")),
            "cp-2: kubelet is v1.36.1",
        ),
        "controller",
    ),
    (
        Case(
            "cluster/strangers",
            "cp-1",
            lambda sections: sections["cluster"]["nodes"].append(
                {"metadata": {"name": "eve"}, "status": {"nodeInfo": {"kubeletVersion": "v1.36.3"}}}
            ),
            "eve is a node",
        ),
        "controller",
    ),
    (Case("cluster/storage-class", "cp-1", put("cluster", "classes", to=[]), "there are: none"), "controller"),
    (
        Case(
            "cluster/workloads",
            "cp-1",
            workload("coredns", lambda sections: sections["status"].update(readyReplicas=1)),
            "has 1 of 2 pods ready",
        ),
        "controller",
    ),
    (
        Case(
            "cluster/workloads",
            "cp-1",
            pods(
                "coredns-",
                lambda pod: (
                    pod.update(node=""),
                    condition("Ready", "False")(pod),
                    condition("PodScheduled", "False", "no node fits")(pod),
                ),
            ),
            "is on no node: no node fits",
        ),
        "controller",
    ),
    (
        Case(
            "cluster/budgets",
            "cp-1",
            put("cluster", "budgets", 0, "status", "disruptionsAllowed", to=0),
            "lets no pod go",
        ),
        "controller",
    ),
    (
        Case("cluster/budgets", "cp-1", put("cluster", "budgets", 0, "status", "expectedPods", to=0), "counts no pod"),
        "controller",
    ),
    (Case("cluster/budgets", "cp-1", put("cluster", "budgets", to=[]), "and no budget"), "controller"),
)


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
