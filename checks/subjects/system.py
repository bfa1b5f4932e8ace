"""Checks of the system: a supported Debian, reached as root, whole packages, security updates in."""

from __future__ import annotations

from collections.abc import Iterator

from checks.check import BOOTSTRAP, REACHED, SERVERS, ComplianceView, HostCheck
from model.check.finding import Severity, Verdict, settled
from model.check.judgement import software
from model.host.beside import Beside
from model.host.debian_version import newer
from model.host.host_facts import HostFacts, Release, Updates
from model.host.server import NODE_PACKAGES, PACKAGES
from model.host.shared_facts import Packages
from model.site.hosts import Machine

# What nodes run, which only `flows.upgrade` may replace, node by node.
_HELD = ("containerd", "kubelet", "kubeadm", "kubectl")
# What may be held with them: packages of their repositories have names of their own.
_KIN = ("containerd", "kube", "runc", "cri-tools")
_DAY = 86400
_SHOWN = 8


def access(_view: ComplianceView, _machine: Machine, facts: HostFacts) -> Verdict:
    """Tell that the host was looked at as root; one that was not has failed before."""
    return Verdict(f"was looked at as root in {facts.seconds:.2f} s", {"unseen": sorted(facts.unseen.values())})


def release(view: ComplianceView, _machine: Machine, facts: HostFacts) -> Verdict:
    """Find systems that are no Debian this program knows, or one without security updates."""
    system = facts.of(Release).os
    wrong = [*software.unsupported(system), *software.end_of_life(system, view.now.date())]
    return settled(wrong, f"runs {system.name}", dict(system.words))


def installed(_view: ComplianceView, machine: Machine, facts: HostFacts) -> Verdict:
    """Find packages that are half installed, and those of every server that are missing once bootstrap was there."""
    packages, prepared = facts.of(Packages), facts.of(Release).prepared
    known = packages.known
    wrong = [*software.half_installed(packages), *_stuck(facts)]
    wanted = (*PACKAGES, *(NODE_PACKAGES if machine.node else ())) if prepared else ()
    lacking = [name for name in wanted if name not in known or not known[name].installed]
    wrong += [f"packages are missing: {', '.join(lacking)}"] if lacking else []
    if not wrong and not prepared:
        return Verdict(pending=f"{BOOTSTRAP}; {len(known)} packages are whole")
    return settled(wrong, f"{len(known)} packages are whole, the needed ones among them", {"packages": len(known)})


def _stuck(facts: HostFacts) -> Iterator[str]:
    """Say what keeps apt from working; where that was not asked, packages alone are judged."""
    beside = facts.of(Beside)
    interrupted = list(software.interrupted(beside.journal))
    yield from interrupted
    if beside.apt and not interrupted:
        yield f"apt cannot work: {beside.apt}"


def holds(_view: ComplianceView, machine: Machine, facts: HostFacts) -> Verdict:
    """Find packages of the container runtime that an upgrade could replace by itself, and holds nobody asked for."""
    packages = facts.of(Packages)
    known, held = packages.known, software.held(packages)
    strange = [name for name in held if not name.startswith(_KIN)]
    wrong = [f"is held at its version, and nobody says why: {name}" for name in strange]
    loose = [name for name in _HELD if name in known and known[name].installed and not known[name].held]
    if facts.of(Release).prepared and machine.node:
        wrong += [f"{name} is not held: an upgrade could replace it under running pods" for name in loose]
    return settled(wrong, f"held: {', '.join(held) or 'nothing'}", {"held": list(held)})


def archive(view: ComplianceView, _machine: Machine, facts: HostFacts) -> Verdict:
    """Find hosts that know no archive of security updates, or did not look into it for days."""
    updates, days = facts.of(Updates), view.site.settings.compliance.list_days
    evidence = {"lists": list(updates.lists), "archives": list(updates.archives)}
    if not updates.lists:
        return settled(["knows no archive of security updates: nobody can tell which are due"], "", evidence)
    age = (updates.age or 0) / _DAY
    wrong = [f"looked for security updates {age:.0f} days ago"] if age > days else []
    return settled(wrong, f"looked for security updates {age:.1f} days ago", evidence)


def security(_view: ComplianceView, _machine: Machine, facts: HostFacts) -> Verdict:
    """Find packages for which the host's own lists offer a newer version from a security archive."""
    updates, known = facts.of(Updates), facts.of(Packages).known
    if not updates.lists:
        return Verdict(pending="knows no archive of security updates: see updates/archive")
    due = {
        name: [known[name].version, version]
        for name, versions in sorted(updates.offered.items())
        for version in versions
        if name in known and newer(version, known[name].version)
    }
    names = list(due)
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    wrong = [f"security updates are due: {', '.join(names[:_SHOWN])}{more}"] if due else []
    return settled(wrong, "no security update is due", {"due": due})


CHECKS = (
    HostCheck(
        id="access/root",
        title="The deployer reaches the host and is root there",
        phase="prerequisites",
        looks_at="an SSH session with sudo",
        by="ssh HOST sudo id",
        remedy="give the deployer's user SSH access and sudo",
        applies=REACHED,
        judge=access,
    ),
    HostCheck(
        id="os/release",
        title="The system is a Debian that gets security updates",
        phase="prerequisites",
        looks_at="/etc/os-release",
        by="cat /etc/os-release",
        remedy="install Debian 12 or 13 on it",
        applies=SERVERS,
        judge=release,
    ),
    HostCheck(
        id="packages/installed",
        title="Packages are whole, and the needed ones are there",
        phase="host",
        looks_at="dpkg's list and journal, and apt's own word",
        by="dpkg -l; dpkg --audit; ls /var/lib/dpkg/updates; apt-get check",
        remedy="dpkg --configure -a; python -m flows.bootstrap --only os",
        owner="os",
        applies=SERVERS,
        judge=installed,
    ),
    HostCheck(
        id="packages/holds",
        title="Only the container runtime's packages are held, and they are",
        phase="host",
        severity=Severity.WARNING,
        looks_at="dpkg's list",
        by="apt-mark showhold",
        remedy="apt-mark hold or unhold them",
        owner="runtime",
        applies=SERVERS,
        judge=holds,
    ),
    HostCheck(
        id="updates/archive",
        title="The host looks for security updates",
        phase="host",
        severity=Severity.WARNING,
        looks_at="apt's lists of archives that call themselves Debian's security archive",
        by="ls -l /var/lib/apt/lists",
        remedy="name the security archive in apt's sources (`servers.mirror` in site.yaml), and apt-get update",
        applies=SERVERS,
        judge=archive,
    ),
    HostCheck(
        id="updates/security",
        title="No security update is due",
        phase="host",
        looks_at="installed versions against the security archives' lists on the host",
        by="apt list --upgradable",
        remedy="apt-get upgrade, node by node",
        applies=SERVERS,
        judge=security,
    ),
)
