"""Checks of NetworkPolicies: those of the matrix and what enforces them are there, and nodes keep from their pods."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network

from checks.check import NODES, ComplianceView, HostCheck, SiteCheck
from checks.cluster_source import cluster_of
from model import bits
from model.base import Address
from model.check.check import NotYet
from model.check.finding import Verdict, flawed, settled
from model.host.host_facts import HostFacts, Release, Rules
from model.matrix.matrix import openings
from model.packets.port_ranges import ranges
from model.rollout.policies import policy_names
from model.site.hosts import Machine
from model.verify.service_gate import before_firewall

_ENFORCER = "kube-router"
_CHAINS = (":KUBE-ROUTER-", ":KUBE-POD-FW-", ":KUBE-NWPLCY-")
_HOOKS = ("INPUT", "FORWARD", "OUTPUT")
_PORTS = bits.from_intervals([(1, 65535)])
_SHOWN = 6


def declared(view: ComplianceView) -> Verdict:
    """Find policies that follow from the matrix and are not there."""
    seen, wanted = cluster_of(view), policy_names(view.site)
    namespaces = {name.partition("/")[0] for name in wanted} - {"kube-system"}
    there = wanted.intersection(seen.policies)
    if not there and not any(pod.namespace in namespaces for pod in seen.pods):
        raise NotYet("comes with rollout")
    wrong = [f"there is no NetworkPolicy {name}: its pods are open to all, or cut off" for name in wanted - there]
    return settled(sorted(wrong), f"all {len(wanted)} that follow from the matrix are there", sorted(there))


def rules(view: ComplianceView, _machine: Machine, facts: HostFacts) -> Verdict:
    """Find a node where kube-router runs without its rules, and one where its rules stayed when it went."""
    if not facts.of(Release).member:
        raise NotYet("comes with bootstrap")
    daemons = {workload.name for workload in cluster_of(view).workloads if workload.kind == "DaemonSet"}
    saved = facts.of(Rules).saved
    if _ENFORCER not in daemons:
        if view.site.settings.cni.policies == _ENFORCER:
            return flawed("site.yaml has kube-router enforce policies, and it does not run: no pod is held")
        left = [chain for version in saved for chain in _chains(saved[version])]
        wrong = [f"{len(left)} chains of kube-router are left, such as {min(left)}: it runs no more"] if left else []
        return settled(wrong, "no rules of kube-router, which does not run", {"chains": sorted(left)[:_SHOWN]})
    families = sorted({cidr.version for cidr in view.site.settings.kubernetes.pod_cidrs})
    wrong = [
        f"kube-router runs, and of IPv{version} nothing leads to its rules in {', '.join(missing)}: no pod is held"
        for version in families
        if (missing := [hook for hook in _HOOKS if not _led(saved[version], hook)])
    ]
    return settled(wrong, "packets of pods are led to kube-router's rules", {"families": families})


def _chains(saved: str) -> list[str]:
    lines = (line for line in saved.splitlines() if line.startswith(_CHAINS))
    return [line[1:].split()[0] for line in lines]


def _led(saved: str, hook: str) -> bool:
    mark = f"-j KUBE-ROUTER-{hook}"
    return any(line.startswith(f"-A {hook} ") and mark in line for line in saved.splitlines())


def own_node(view: ComplianceView, machine: Machine, facts: HostFacts) -> Verdict:
    """Find ports of a node that its own pods come to and no row opens to them, and the other way round."""
    if not facts.of(Release).member:
        raise NotYet("comes with bootstrap")
    nft = facts.of(Rules).nft
    wrong = list(
        dict.fromkeys(line for pod, own in _meetings(view, machine) for line in _unlike(view, machine, nft, pod, own))
    )
    return settled(wrong, "its pods come to what rows open to them", {"addresses": [str(own) for own in machine.own]})


def _meetings(view: ComplianceView, machine: Machine) -> Iterator[tuple[Address, Address]]:
    """Yield an address of a pod and one of the node's own, for each family."""
    for cidr in view.site.settings.kubernetes.pod_cidrs:
        pod = ip_network(cidr)[2]
        yield from ((pod, own) for own in machine.own if own.version == pod.version)


def _unlike(view: ComplianceView, machine: Machine, nft: str, pod: Address, own: Address) -> Iterator[str]:
    for protocol in ("tcp", "udp"):
        ruled = before_firewall(nft, pod, own, protocol)
        parts = openings(view.site, pod, machine, own)
        opened = bits.from_intervals(part.interval for part in parts if part.protocol == protocol)
        for words, ports in (
            ("lets its pods come to", ruled.admitted & _PORTS & ~opened),
            ("keeps its pods from", ruled.refused & opened),
            ("cannot be judged on", ruled.uncertain & _PORTS),
        ):
            if ports:
                yield f"its table inet matrix_fleet {words} {ranges(ports)[:120]}/{protocol}"


CHECKS = (
    SiteCheck(
        id="policies/declared",
        title="Every NetworkPolicy that follows from the matrix is there",
        phase="rollout",
        looks_at="the NetworkPolicies of the API, against the pod rows of ports.yaml",
        by="kubectl get networkpolicies -A",
        remedy="python -m flows.rollout --component network-policies",
        judge=declared,
    ),
    HostCheck(
        id="policies/rules",
        title="Rules of what enforces policies are where it runs, and nowhere else",
        phase="cluster",
        looks_at="chains of kube-router in the kernel, of both families, beside its DaemonSet",
        by="iptables-save; ip6tables-save; kubectl -n kube-router get daemonset",
        remedy="kubectl -n kube-router rollout restart daemonset; where it runs no more, reboot the node",
        applies=NODES,
        judge=rules,
    ),
    HostCheck(
        id="policies/own-node",
        title="A node's own pods come to those of its ports that the matrix opens to them",
        phase="cluster",
        looks_at="nftables' chains before the host's firewall, walked with packets of pods, against ports.yaml",
        by="nft list table inet matrix_fleet",
        remedy="python -m flows.bootstrap --only firewall",
        applies=NODES,
        judge=own_node,
    ),
)
