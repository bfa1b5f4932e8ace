"""The account of the cluster that counts, and what is done if nobody gives one."""

from __future__ import annotations

from checks.check import BOOTSTRAP, ComplianceView
from model.check.check import NotYet
from model.host.host_facts import Unseen
from model.kubernetes.cluster_facts import ApiReport, CollectedCluster, CollectedEtcd, EtcdReport


def cluster_of(view: ComplianceView) -> CollectedCluster:
    """
    Return what the first control plane with an answer says of the cluster.

    Raises `NotYet` where no control plane runs an API server yet, and `Unseen` where those that could tell do not.
    """
    planes = [machine.name for machine in view.site.control_planes]
    reasons: list[str] = []
    for name in planes:
        if name not in view.facts:
            reasons.append(f"{name} {view.silent.get(name, 'was not looked at')}")
            continue
        try:
            report = view.facts[name].of(ApiReport)
        except Unseen as error:
            reasons.append(f"{name}: {error}")
            continue
        if report.api is not None:
            return report.api
        if report.runs:
            reasons.append(f"{name}: its API server says {'; '.join(report.complaints)}")
    if reasons:
        raise Unseen(f"no control plane tells of the cluster: {'; '.join(reasons)}")
    raise NotYet(BOOTSTRAP)


def has_cluster(view: ComplianceView) -> bool:
    """Return whether any control plane gives an account of the cluster."""
    try:
        cluster_of(view)
    except (NotYet, Unseen):
        return False
    return True


def etcd(view: ComplianceView) -> dict[str, CollectedEtcd]:
    """Return what each member that was heard of says, by its host."""
    members = {}
    for name, facts in view.facts.items():
        report = facts.parts.get(EtcdReport)
        if isinstance(report, EtcdReport) and report.member is not None:
            members[name] = report.member
    return members
