"""Checks of remains: a host belonged to no cluster, and no other container runtime works there."""

from __future__ import annotations

from collections.abc import Iterator

from model.check.check import Check
from model.check.finding import Finding, Severity
from model.check.preflight.subjects.rules import tables_of
from model.check.preflight.view import PreflightView
from model.host.machine_facts import MachineFacts
from model.site.hosts import Machine

_LINKS = (
    "cni0",
    "flannel.",
    "flannel-",
    "kube-ipvs0",
    "kube-bridge",
    "cali",
    "vxlan.calico",
    "cilium_",
    "nodelocaldns",
    "weave",
)
_CHAINS = (":KUBE-", ":cali-", ":FLANNEL-", ":CILIUM_")
_TABLES = ("kube-proxy", "flannel", "calico", "cilium")
_RESET = "`kubeadm reset -f` there, remove /etc/cni/net.d and /etc/kubernetes, and reboot; or take another server"
_SHOWN = 6
# Runtimes that bring their own networks and rules, or their own kubelet.
_RUNTIMES = ("docker", "crio", "k3s", "k3s-agent", "rke2-server", "rke2-agent", "snap.microk8s.daemon-kubelite")
_PROGRAMS = ("docker", "podman", "crio", "k3s", "rke2", "microk8s")


def cluster(_view: PreflightView, _machine: Machine, facts: MachineFacts) -> Iterator[Finding]:
    """Find files, interfaces, rules and services of a cluster that is not this one."""
    if facts.ours:
        return
    rulesets, links = facts.network.rulesets, facts.network.links
    # On the way to a node of ours kubelet waits to be configured, and the cluster's keys may lie ready.
    ready = ("/etc/kubernetes/pki/",) if facts.software.prepared else ()
    traces = [
        *(path for path in facts.software.remains if not path.startswith(ready)),
        *(f"interface {link.name}" for link in links if link.name.startswith(_LINKS)),
        *(f"service {unit}" for unit in ("kubelet", "etcd") if facts.running(unit) and not facts.software.prepared),
        *(f"nftables table {family} {name}" for family, name in tables_of(rulesets) if name.startswith(_TABLES)),
    ]
    chains = {
        line.split()[0][1:]
        for text in (*rulesets.saved.values(), *rulesets.legacy.values())
        for line in text.splitlines()
        if line.startswith(_CHAINS)
    }
    if chains:
        traces.append(f"{len(chains)} chains such as {min(chains)}")
    if traces:
        more = f" and {len(traces) - _SHOWN} more" if len(traces) > _SHOWN else ""
        yield Finding(f"has remains of a cluster: {', '.join(traces[:_SHOWN])}{more}")


def elsewhere(view: PreflightView, machine: Machine, facts: MachineFacts) -> Iterator[Finding]:
    """Find hosts that this program made nodes of another cluster."""
    endpoint, server = view.site.settings.kubernetes.endpoint, facts.software.server
    # kubelet on a control plane asks the API server beside it.
    beside = (f"[{own}]:6443" if own.version == 6 else f"{own}:6443" for own in machine.own)
    known = {f"https://{where}" for where in (f"{endpoint.name}:{endpoint.port}", *beside)}
    if facts.ours and server and server not in known:
        yield Finding(f"is a node of the cluster at {server}")


def runtimes(_view: PreflightView, machine: Machine, facts: MachineFacts) -> Iterator[Finding]:
    """
    Find other container runtimes: at work they set rules and networks of their own, installed they may be started.
    """
    if not machine.node:
        return
    running = [name for name in _RUNTIMES if facts.running(name)]
    idle = [name for name in _PROGRAMS if name in facts.system.programs and name not in running]
    if running:
        yield Finding(f"{', '.join(running)} runs there")
    elif idle:
        yield Finding(f"{', '.join(idle)} is installed there", severity=Severity.WARNING)


def containerd(_view: PreflightView, machine: Machine, facts: MachineFacts) -> Iterator[Finding]:
    """Find a containerd that was there before, whose containers and configuration are somebody's."""
    if machine.node and not (facts.ours or facts.software.prepared) and facts.running("containerd"):
        yield Finding("containerd already runs there")


CHECKS = (
    Check(id="cluster-remains", judge=cluster, remedy=_RESET),
    Check(
        id="node-elsewhere",
        judge=elsewhere,
        remedy="remove it there with `python -m flows.nodes remove`, or take another server",
    ),
    Check(
        id="container-runtime",
        judge=runtimes,
        remedy="systemctl disable --now it and remove its packages, with its containers",
    ),
    Check(
        id="containerd-foreign",
        severity=Severity.WARNING,
        judge=containerd,
        remedy="make sure nobody needs its containers: its configuration is replaced",
    ),
)
