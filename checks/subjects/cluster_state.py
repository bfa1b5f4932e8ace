"""Checks of the cluster as a whole: somebody maintains its version, and everything in it runs."""

from __future__ import annotations

from checks.check import ComplianceView, SiteCheck
from checks.cluster_source import cluster_of
from checks.subjects.cluster_nodes import lame
from model.check.finding import Finding, Severity, Verdict, settled
from model.kubernetes.cluster import Workload
from model.kubernetes.cluster_facts import Budget, CollectedCluster
from model.kubernetes.compatibility import KUBERNETES
from model.kubernetes.upgrade import numbers

# Kubelet may be this many minor versions older than the API server, and never newer.
_SKEW = 3
_ENFORCERS = ("calico-node", "cilium", "kube-router", "antrea-agent")


def version(view: ComplianceView) -> Verdict:
    """Find a version that nobody maintains, another one than the site's, and kubelets that do not go with it."""
    seen = cluster_of(view)
    major, minor, _ = numbers(seen.version)
    short = f"{major}.{minor}"
    until = KUBERNETES.get(short)
    wrong = []
    if until is None:
        wrong.append(f"runs {seen.version}, of which this program knows nothing")
    elif until < view.now.date():
        wrong.append(f"runs {seen.version}, which nobody has maintained since {until}")
    wanted = view.site.settings.kubernetes.version
    if not f"{short}.".startswith(f"{'.'.join(wanted.split('.')[:2])}."):
        wrong.append(f"runs {seen.version}, and site.yaml says {wanted}")
    planes = {machine.name for machine in view.site.control_planes}
    for node in (node for node in seen.nodes if node.kubelet):
        theirs = numbers(node.kubelet)
        if theirs[:2] > (major, minor):
            wrong.append(f"{node.name}: kubelet {node.kubelet} is newer than the API server's {seen.version}")
        elif theirs[0] != major or minor - theirs[1] > _SKEW:
            wrong.append(f"{node.name}: kubelet {node.kubelet} is too old for the API server's {seen.version}")
        elif node.name in planes and theirs != numbers(seen.version):
            wrong.append(f"{node.name}: kubelet is {node.kubelet}, and the API server asked {seen.version}")
    good = f"{seen.version}, maintained until {until}, on {len(seen.nodes)} nodes"
    return settled(wrong, good, {node.name: node.kubelet for node in seen.nodes})


def strangers(view: ComplianceView) -> Verdict:
    """Find nodes that the site does not declare."""
    seen = cluster_of(view)
    names = {machine.name for machine in view.site.servers if machine.node}
    wrong = [f"{node.name} is a node, and no host of the site" for node in seen.nodes if node.name not in names]
    return settled(wrong, f"{len(seen.nodes)} nodes, all of the site", sorted(node.name for node in seen.nodes))


def storage_class(view: ComplianceView) -> Verdict:
    """Find a cluster without the storage class that the site names."""
    seen, wanted = cluster_of(view), view.site.settings.kubernetes.storage_class
    names = {known.name: known.provisioner for known in seen.storage_classes}
    wrong = [] if wanted in names else [f"there is no storage class {wanted}; there are: {', '.join(names) or 'none'}"]
    return settled(wrong, f"{wanted} is there, by {names.get(wanted)}", names)


def workloads(view: ComplianceView) -> Verdict:
    """Find workloads that do not have all their pods, and pods that no node has taken."""
    seen = cluster_of(view)
    wrong, excused = [], []
    for workload, labels in zip(seen.workloads, seen.labels, strict=True):
        if workload.complete:
            continue
        away = _away(view, seen, workload, labels)
        words = f"{workload} has {workload.ready} of {workload.wanted} pods ready"
        if workload.current and workload.ready + len(away) >= workload.wanted:
            excused.append(f"{words}; the others are on {', '.join(sorted(set(away)))}, which does not answer")
        else:
            wrong.append(words if workload.current else f"{words}, not all of its newest form")
    wrong += [f"{pod} is on no node: {pod.why}" for pod in seen.pods if not pod.node and lame(pod)]
    good = "; ".join((f"{len(seen.workloads) - len(excused)} workloads have all their pods", *excused))
    return settled(wrong, good, {str(workload): [workload.ready, workload.wanted] for workload in seen.workloads})


def _away(view: ComplianceView, seen: CollectedCluster, workload: Workload, labels: object) -> list[str]:
    """Return the silent hosts that hold pods of a workload, one word a pod."""
    wanted = dict(labels).items() if isinstance(labels, dict) else ()
    return [
        pod.node
        for pod in seen.pods
        if pod.namespace == workload.namespace
        and pod.node in view.silent
        and all(pod.labels.get(key) == value for key, value in wanted)
    ]


def budgets(view: ComplianceView) -> Verdict:
    """Find budgets that count no pod or let no node be emptied, and workloads of several pods without one."""
    seen = cluster_of(view)
    wrong = [words for budget in seen.budgets if (words := _blocks(budget))]
    for workload, labels in zip(seen.workloads, seen.labels, strict=True):
        if workload.kind != "DaemonSet" and workload.wanted > 1 and not _covered(seen, workload, labels):
            wrong.append(
                f"{workload} has {workload.wanted} pods and no budget: emptying nodes may end all of them at once"
            )
    shown = {str(budget): [budget.healthy, budget.desired, budget.allowed] for budget in seen.budgets}
    return settled(wrong, f"{len(seen.budgets)} budgets, and each lets a node be emptied", shown)


def _blocks(budget: Budget) -> str:
    if not budget.expected:
        return f"{budget} counts no pod at all"
    if budget.healthy == budget.expected and not budget.allowed:
        return f"{budget} lets no pod go though all are healthy: no node that holds one can be emptied"
    return ""


def _covered(seen: CollectedCluster, workload: Workload, labels: object) -> bool:
    own = labels if isinstance(labels, dict) else {}
    return any(
        budget.namespace == workload.namespace and budget.matches.items() <= own.items() for budget in seen.budgets
    )


def policies(view: ComplianceView) -> Verdict:
    """Find a pod network that takes NetworkPolicies and does nothing about them."""
    seen = cluster_of(view)
    enforcers = [
        workload for workload in seen.workloads if workload.kind == "DaemonSet" and workload.name in _ENFORCERS
    ]
    running = [workload.name for workload in enforcers if workload.complete]
    shown = {"enforced_by": [workload.name for workload in enforcers], "policies": list(seen.policies)}
    if running:
        return Verdict(f"{', '.join(running)} enforces NetworkPolicies; there are {len(seen.policies)}", shown)
    if enforcers:
        words = f"{enforcers[0]} enforces NetworkPolicies, and does not run on every node"
    else:
        words = f"nothing enforces NetworkPolicies (pod network: {view.site.settings.cni.name})"
        if seen.policies:
            words += f"; without effect are {', '.join(seen.policies)}"
    return Verdict(evidence=shown, findings=(Finding(words),))


CHECKS = (
    SiteCheck(
        id="cluster/version",
        title="Kubernetes is of a maintained version, the same everywhere",
        phase="cluster",
        looks_at="the API server's version and every kubelet's, against the dates of each release",
        by="kubectl version; kubectl get nodes",
        remedy="python -m flows.upgrade",
        judge=version,
    ),
    SiteCheck(
        id="cluster/strangers",
        title="Every node is a host of the site",
        phase="cluster",
        looks_at="the Node objects of the API",
        by="kubectl get nodes",
        remedy="declare it in hosts.yaml, or kubectl delete node NODE once its disk is wiped",
        judge=strangers,
    ),
    SiteCheck(
        id="cluster/storage-class",
        title="The storage class that the site names is there",
        phase="cluster",
        looks_at="the StorageClass objects of the API",
        by="kubectl get storageclass",
        remedy="python -m flows.bootstrap --only storage, or correct `kubernetes.storage_class` in site.yaml",
        judge=storage_class,
    ),
    SiteCheck(
        id="cluster/workloads",
        title="Every workload has all its pods",
        phase="cluster",
        looks_at="DaemonSets, Deployments and StatefulSets of every namespace",
        by="kubectl get daemonsets,deployments,statefulsets -A",
        remedy="kubectl -n NAMESPACE describe it",
        judge=workloads,
    ),
    SiteCheck(
        id="cluster/budgets",
        title="PodDisruptionBudgets let nodes be emptied, one at a time",
        phase="cluster",
        severity=Severity.WARNING,
        looks_at="PodDisruptionBudgets beside the workloads they are for",
        by="kubectl get poddisruptionbudgets -A",
        remedy="give the workload a budget with maxUnavailable: 1, or correct its selector",
        judge=budgets,
    ),
    SiteCheck(
        id="cluster/policies",
        title="NetworkPolicies are enforced",
        phase="cluster",
        looks_at="what the pod network runs on every node, and the NetworkPolicies that are there",
        by="kubectl get daemonsets,networkpolicies -A",
        remedy="choose calico (`cni.name` in site.yaml), or waive it and say who answers for it",
        judge=policies,
    ),
)
