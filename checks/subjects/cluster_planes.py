"""Checks of control planes: their API server, their programs' settings, their member of etcd."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from checks.check import BOOTSTRAP, PLANES, ComplianceView, HostCheck
from checks.cluster_source import cluster_of, etcd
from model.check.check import NotYet
from model.check.finding import Verdict, settled
from model.host.host_facts import HostFacts, Release, Unseen
from model.kubernetes.cluster_facts import ApiReport, CollectedEtcd, EtcdReport
from model.kubernetes.hardening import FORBIDDEN, promised
from model.site.hosts import Machine

_PROGRAMS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd")
_FULL = 0.8
_MIB = 1 << 20


def control_plane(view: ComplianceView, machine: Machine, facts: HostFacts) -> Verdict:
    """
    Find API servers that complain of themselves, and programs of the control plane that are not there or not ready.
    """
    report = facts.of(ApiReport)
    if not report.runs:
        return _absent(view)
    wrong = [f"its API server says {line}" for line in report.complaints]
    own = report.api
    if own is None:
        return settled(wrong, "")
    ready = {
        pod.labels.get("component", ""): pod.ready
        for pod in own.pods
        if pod.node == machine.name and pod.namespace == "kube-system"
    }
    wrong += [f"{name} does not run there" for name in _PROGRAMS if name not in ready]
    wrong += [f"{name} is not ready" for name in _PROGRAMS if not ready.get(name, True)]
    return settled(wrong, f"API server {own.version} is ready, and so are the others", {"version": own.version})


def _absent(view: ComplianceView) -> Verdict:
    """A control plane without a control plane's programs is none yet, or no longer."""
    cluster_of(view)
    return settled(["runs no API server, and the cluster is there without it"], "")


def settings(view: ComplianceView, machine: Machine, facts: HostFacts) -> Verdict:
    """Find flags of the control plane's programs that are not as promised."""
    report = facts.of(ApiReport)
    if not report.runs:
        raise NotYet(BOOTSTRAP)
    own = report.api
    if own is None:
        raise Unseen(f"its API server says {'; '.join(report.complaints)}")
    wrong: list[str] = []
    count = 0
    shown = {name: list(command) for (host, name), command in own.programs.items() if host == machine.name}
    for component, wanted in promised(view.site, machine).items():
        command = shown.get(component)
        if command is None:
            continue
        seen = dict(_flags(command))
        wrong += [
            f"{component}: --{name} is {seen.get(name, 'not given')}, not {value}"
            for name, value in wanted.items()
            if seen.get(name) != value
        ]
        wrong += [f"{component}: --{name} is given" for name in FORBIDDEN.get(component, ()) if name in seen]
        if component == "kube-apiserver" and "NodeRestriction" not in seen.get("enable-admission-plugins", ""):
            wrong.append(f"{component}: --enable-admission-plugins lacks NodeRestriction")
        count += len(wanted)
    return settled(
        wrong,
        f"{count} flags as promised",
        shown,
    )


def _flags(command: Iterable[str]) -> Iterator[tuple[str, str]]:
    for word in command:
        if word.startswith("--"):
            name, _, value = word[2:].partition("=")
            yield name, value or "true"


def members(view: ComplianceView, machine: Machine, facts: HostFacts) -> Verdict:
    """Find members of etcd that are not healthy, have no vote, are nearly full, or know others than the rest does."""
    own = facts.of(EtcdReport).member
    if own is None:
        if facts.of(Release).member:
            return settled(["runs no member of etcd"], "")
        return _absent(view)
    wrong = [f"its member is not healthy: {own.health}"] if own.health else []
    wrong += [] if own.leader else ["its member knows no leader"]
    wrong += [f"its member raises the alarm {alarm}" for alarm in own.alarms]
    wrong += [f"its member has no vote: {peer.name}" for peer in own.peers if peer.id == own.id and peer.learner]
    if own.quota and own.size > _FULL * own.quota:
        wrong.append(f"its member is nearly full: {_sizes(own)}")
    wrong += _strange(view, machine, own)
    seen = {"version": own.version, "bytes": own.size, "members": [peer.name for peer in own.peers]}
    return settled(wrong, f"etcd {own.version}, {_sizes(own)}, one of {len(own.peers)} members", seen)


def _strange(view: ComplianceView, machine: Machine, own: CollectedEtcd) -> Iterator[str]:
    names = {plane.name for plane in view.site.control_planes}
    yield from (
        f"its member knows {peer.name or peer.address}, which is no control plane of the site"
        for peer in own.peers
        if peer.name not in names
    )
    ids = {peer.id for peer in own.peers}
    for name, other in etcd(view).items():
        if name != machine.name and ids != {peer.id for peer in other.peers}:
            yield f"its etcd has other members than that of {name}: two clusters"
            return
    versions = {other.version for other in etcd(view).values()}
    if own.version != max(versions, key=_numbers):
        yield f"its member is of {own.version}, others of {max(versions, key=_numbers)}"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdigit() else 0 for part in version.split("."))


def _sizes(own: CollectedEtcd) -> str:
    return f"{own.size / _MIB:.1f} MiB" + (f" of {own.quota / _MIB:.0f}" if own.quota else "")


CHECKS = (
    HostCheck(
        id="cluster/control-plane",
        title="Every control plane's programs run and are ready",
        phase="cluster",
        looks_at="/readyz of each API server, and the control plane's pods",
        by="kubectl get --raw '/readyz?verbose'",
        remedy="read the program's log: crictl logs; python -m flows.bootstrap",
        applies=PLANES,
        judge=control_plane,
        part="its control plane",
    ),
    HostCheck(
        id="cluster/settings",
        title="The control plane's programs run with the settings promised",
        phase="cluster",
        looks_at="command lines of API server, controller manager, scheduler and etcd",
        by="kubectl -n kube-system get pod -l tier=control-plane -o yaml",
        remedy="put the flag back in /etc/kubernetes/manifests; kubelet starts the program anew by itself",
        applies=PLANES,
        judge=settings,
    ),
    HostCheck(
        id="cluster/etcd",
        title="etcd is whole",
        phase="cluster",
        looks_at="health, members, alarms and size, by the account of each member",
        by="etcdctl endpoint status --cluster -w table",
        remedy="python -m flows.etcd status",
        applies=PLANES,
        judge=members,
        part="its member of etcd",
    ),
)
