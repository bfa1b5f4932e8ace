"""Checks of nodes: in the cluster, ready, labelled for their roles, and with a kubelet that runs as promised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from checks.check import NODES, ComplianceView, HostCheck
from checks.cluster_source import cluster_of
from model.check.finding import Verdict, settled
from model.host.host_facts import ClusterNames, HostFacts, Unseen
from model.kubernetes import hardening, node_conditions
from model.kubernetes.cluster import Node
from model.kubernetes.cluster_facts import NodeFiles, Pod
from model.kubernetes.labels import plan
from model.kubernetes.service_names import API_NAME
from model.site.hosts import Machine

_NONE = "the cluster has no node of this name"


def nodes(view: ComplianceView, machine: Machine, _facts: HostFacts) -> Verdict:
    """
    Find nodes that are not there, of which a condition is bad, that are closed to pods, or known by addresses that are
    not theirs.
    """
    node = cluster_of(view).node(machine.name)
    if node is None:
        return settled([_NONE], "")
    judged = node_conditions.judge(node.conditions)
    wrong = list(judged.wrong)
    wrong += [] if node.schedulable else ["is closed to new pods (cordoned)"]
    own = {address for _, address in machine.every}
    strange = [str(address) for address in node.addresses if address not in own]
    wrong += [f"the cluster knows it by {', '.join(strange)}, which hosts.yaml does not give it"] if strange else []
    seen = {"kubelet": node.kubelet, "runtime": node.runtime, "addresses": [str(address) for address in node.addresses]}
    seen |= {"conditions": [str(condition) for condition in node.conditions]}
    beside = f"; what nobody here can judge: {', '.join(judged.strange)}" if judged.strange else ""
    verdict = settled(wrong, f"is ready, kubelet {node.kubelet}, no condition against it{beside}", seen)
    return replace(verdict, doubt="; ".join(judged.unknown))


def labels(view: ComplianceView, machine: Machine, _facts: HostFacts) -> Verdict:
    """Find labels that a node lacks, or has no longer any right to."""
    node = _node(view, machine)
    return settled(
        _changes(view, node, "label"), f"{len(node.labels)} labels, its roles' among them", dict(node.labels)
    )


def taints(view: ComplianceView, machine: Machine, _facts: HostFacts) -> Verdict:
    """Find taints that a node lacks, or has no longer any right to."""
    node = _node(view, machine)
    shown = ", ".join(map(str, node.taints)) or "none"
    wrong = _changes(view, node, "taint")
    wrong += [f"has the taint {taint}, and no condition that explains it" for taint in node_conditions.left_over(node)]
    caused = node_conditions.of_conditions(node)
    verdict = settled(wrong, f"taints: {shown}", [str(taint) for taint in node.taints])
    return replace(
        verdict, pending=f"tainted for a condition of it ({', '.join(caused)}): see cluster/nodes" * bool(caused)
    )


def _node(view: ComplianceView, machine: Machine) -> Node:
    node = cluster_of(view).node(machine.name)
    if node is None:
        raise Unseen(_NONE)
    return node


def _changes(view: ComplianceView, node: Node, word: str) -> list[str]:
    changes = []
    for line in (line for patch in plan(view.site, (node,)) for line in patch.lines):
        sign, _, rest = line.partition(" ")
        what = rest.removeprefix(f"{node.name}: ")
        if what.startswith(f"{word} "):
            changes.append(f"lacks the {what}" if sign == "+" else f"has the {what}, which is for no role of it")
    return changes


def kubelet(view: ComplianceView, machine: Machine, facts: HostFacts) -> Verdict:
    """Find settings of kubelet that are not as promised, in its file or in the process that runs."""
    promised = hardening.kubelet(view.site)
    running, file = cluster_of(view).kubelets.get(machine.name, _NONE), facts.of(NodeFiles).kubelet
    if file is None:
        raise Unseen("there is no /var/lib/kubelet/config.yaml")
    wrong = [f"{line} in its file" for line in _unlike(promised, file)]
    if isinstance(running, str):
        return settled(wrong, "") if wrong else Verdict(doubt=f"kubelet does not tell its settings: {running}")
    wrong += [f"{line} in the kubelet that runs" for line in _unlike(promised, running)]
    return settled(wrong, f"{len(promised)} settings as promised, in the file and in the kubelet that runs", promised)


def _unlike(promised: Mapping[str, Any], seen: Mapping[str, Any], path: str = "") -> list[str]:
    differences = []
    for key, value in promised.items():
        now = seen.get(key)
        if isinstance(value, Mapping):
            differences += _unlike(value, now if isinstance(now, Mapping) else {}, f"{path}{key}.")
        elif now != value and not (value in (False, 0) and now is None):
            differences.append(f"{path}{key} is {now!r}, not {value!r}")
    return differences


def files(_view: ComplianceView, _machine: Machine, facts: HostFacts) -> Verdict:
    """Find files of Kubernetes' that others than root may read or write."""
    seen = facts.of(NodeFiles).files
    if not seen:
        return Verdict(pending="comes with the cluster")
    wrong = [words for path, (mode, *who) in seen.items() if (words := hardening.file_wrongs(path, mode, *who))]
    return settled(
        wrong, f"{len(seen)} files are root's alone", {path: f"{mode:04o}" for path, (mode, *_) in seen.items()}
    )


def pods(view: ComplianceView, machine: Machine, _facts: HostFacts) -> Verdict:
    """Find pods on a node that are not ready."""
    here = [pod for pod in cluster_of(view).pods if pod.node == machine.name]
    return settled(
        [_lameness(view, pod) for pod in here if lame(pod)], f"{len(here)} pods, all ready", [str(pod) for pod in here]
    )


def lame(pod: Pod) -> bool:
    """Return whether a pod should be ready and is not; one that has done its work, or was told to end, should not."""
    over = pod.phase == "Succeeded" or (pod.phase == "Failed" and "Job" in pod.owners)
    return not (pod.ready or pod.leaving or over)


def _lameness(view: ComplianceView, pod: Pod) -> str:
    since = f" for {(view.now - pod.since).total_seconds():.0f} s" if pod.since else ""
    return f"{pod} is not ready{since}: {pod.why or pod.phase}"


def dns(view: ComplianceView, machine: Machine, facts: HostFacts) -> Verdict:
    """Find nodes that the cluster's own name server does not answer."""
    addresses = {str(address) for address in _node(view, machine).addresses}
    names = facts.of(ClusterNames).names
    known = [str(answer.addresses[0]) for answers in names.answers.values() for answer in answers if answer.addresses]
    if known:
        return Verdict(f"{API_NAME} leads to {known[0]}", {"server": list(names.answers), "from": sorted(addresses)})
    if not names.answers:
        return settled([f"nobody was asked for {API_NAME}: the host has no /etc/kubernetes/kubelet.conf"], "")
    servers = [pod for pod in cluster_of(view).pods if pod.labels.get("k8s-app") == "kube-dns"]
    gone = sorted({pod.node for pod in servers if pod.node in view.silent})
    reason = "; ".join(names.why.values()) or "it does not know the name, or is silent"
    words = f"{' '.join(names.answers)} does not lead to {API_NAME}: {reason}"
    return Verdict(doubt=f"{words}; one of its servers ran on {', '.join(gone)}") if gone else settled([words], "")


CHECKS = (
    HostCheck(
        id="cluster/nodes",
        title="Every node is in the cluster and ready, and no condition speaks against it",
        phase="cluster",
        looks_at="the Node objects of the API and every condition of theirs",
        by="kubectl get nodes -o wide; kubectl describe node NODE",
        remedy=(
            "python -m flows.bootstrap brings it in; kubectl uncordon NODE opens it; under pressure: free its disk "
            "(df -h; crictl rmi --prune), memory or processes; else read kubelet's journal there"
        ),
        applies=NODES,
        judge=nodes,
        part="its node",
    ),
    HostCheck(
        id="cluster/labels",
        title="Nodes carry the labels of their roles",
        phase="cluster",
        looks_at="labels of the Node objects, against groups.yaml",
        by="kubectl get nodes --show-labels",
        remedy="python -m flows.bootstrap --only labels",
        owner="labels",
        applies=NODES,
        judge=labels,
    ),
    HostCheck(
        id="cluster/taints",
        title="Nodes carry the taints of their roles",
        phase="cluster",
        looks_at="taints of the Node objects, against groups.yaml",
        by="kubectl describe nodes",
        remedy="python -m flows.bootstrap --only labels",
        owner="labels",
        applies=NODES,
        judge=taints,
    ),
    HostCheck(
        id="cluster/kubelet",
        title="Kubelet runs with the settings promised",
        phase="cluster",
        looks_at="/var/lib/kubelet/config.yaml, and what the running kubelet says of its settings",
        by="kubectl get --raw /api/v1/nodes/NODE/proxy/configz",
        remedy="put the setting back in /var/lib/kubelet/config.yaml, then systemctl restart kubelet",
        applies=NODES,
        judge=kubelet,
    ),
    HostCheck(
        id="cluster/files",
        title="Kubernetes' files are root's alone",
        phase="cluster",
        looks_at="owner and mode of /etc/kubernetes, kubelet's files and etcd's folder; never a key",
        by="find /etc/kubernetes /var/lib/kubelet/pki -type f -ls",
        remedy="chown root:root it; chmod 600 it",
        applies=NODES,
        judge=files,
    ),
    HostCheck(
        id="cluster/pods",
        title="Every pod on the node is ready",
        phase="cluster",
        looks_at="the Pod objects of the API",
        by="kubectl get pods -A --field-selector spec.nodeName=NODE",
        remedy="kubectl -n NAMESPACE describe pod POD; kubectl logs",
        applies=NODES,
        judge=pods,
        part="what runs on it",
    ),
    HostCheck(
        id="cluster/dns",
        title="The cluster's own name server answers every node",
        phase="cluster",
        looks_at="an answer of CoreDNS' Service to the host",
        by=f"dig @SERVICE {API_NAME}",
        remedy="look at CoreDNS' and kube-proxy's pods, and at the overlay's port",
        applies=NODES,
        judge=dns,
    ),
)
