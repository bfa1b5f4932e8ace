"""Whose account of the cluster counts, and what if nobody gives one?"""

from __future__ import annotations

from checks.check import BOOTSTRAP, NotYet, View
from model.host.host_facts import Unseen
from model.kubernetes.cluster_facts import ApiReport, CollectedCluster, CollectedEtcd, EtcdReport


def cluster_of(view: View) -> CollectedCluster:
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
            told = view.facts[name].of(ApiReport)
        except Unseen as error:
            reasons.append(f"{name}: {error}")
            continue
        if told.api is not None:
            return told.api
        if told.runs:
            reasons.append(f"{name}: its API server says {'; '.join(told.complaints)}")
    if reasons:
        raise Unseen(f"no control plane tells of the cluster: {'; '.join(reasons)}")
    raise NotYet(BOOTSTRAP)


def has_cluster(view: View) -> bool:
    """Return whether any control plane gives an account of the cluster."""
    try:
        cluster_of(view)
    except (NotYet, Unseen):
        return False
    return True


def etcd(view: View) -> dict[str, CollectedEtcd]:
    """Return what each member that was heard of says, by its host."""
    found = {}
    for name, facts in view.facts.items():
        told = facts.parts.get(EtcdReport)
        if isinstance(told, EtcdReport) and told.member is not None:
            found[name] = told.member
    return found
