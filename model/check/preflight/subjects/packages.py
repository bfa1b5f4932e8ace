"""Checks of packages: Debian's package manager can work on the host."""

from __future__ import annotations

from collections.abc import Iterator

from model.check.check import Check
from model.check.finding import Finding, Severity
from model.check.judgement import software
from model.check.preflight.view import PreflightView
from model.host.machine_facts import MachineFacts
from model.site.hosts import Machine

# What the next phases install or replace.
_NEEDED = (
    "containerd",
    "runc",
    "kube",
    "cri-tools",
    "haproxy",
    "keepalived",
    "ufw",
    "iptables",
    "nftables",
    "conntrack",
    "chrony",
    "python3",
    "sudo",
)


def broken(_view: PreflightView, _machine: Machine, facts: MachineFacts) -> Iterator[Finding]:
    """
    Find packages whose installation was begun and never finished, an interrupted dpkg, and whatever else apt says keeps
    it from working.
    """
    seen = facts.software
    words = list(software.half_installed(seen.packages))
    if not seen.locks:
        # While another program installs, steps are under way and not left behind.
        words += software.interrupted(seen.journal)
        words += [f"apt cannot work: {seen.apt}"] if seen.apt and not words else []
    yield from map(Finding, words)


def locked(_view: PreflightView, _machine: Machine, facts: MachineFacts) -> Iterator[Finding]:
    """Find hosts where another program installs packages just now."""
    if facts.software.locks:
        yield Finding(f"another program holds {', '.join(facts.software.locks)}")


def held(_view: PreflightView, _machine: Machine, facts: MachineFacts) -> Iterator[Finding]:
    """Find packages that somebody forbade to change, and that the next phases need."""
    names = [name for name in software.held(facts.software.packages) if name.startswith(_NEEDED)]
    if names and not facts.ours and not facts.software.prepared:
        yield Finding(f"held at their versions: {', '.join(names)}")


def archives(view: PreflightView, _machine: Machine, facts: MachineFacts) -> Iterator[Finding]:
    """Find hosts without any archive where packages are to come from one."""
    settings = view.site.settings
    if settings.kubernetes.packages == "apt" and not settings.servers.mirror and not facts.software.archives:
        yield Finding("/etc/apt names no archive")


CHECKS = (
    Check(id="dpkg-broken", judge=broken, remedy="dpkg --configure -a && apt-get -f install"),
    Check(
        id="apt-locked",
        severity=Severity.WARNING,
        judge=locked,
        remedy="nothing: the lock is waited for; look at unattended-upgrades if it stays",
    ),
    Check(
        id="packages-held",
        severity=Severity.WARNING,
        judge=held,
        remedy="apt-mark unhold them, unless there is a reason",
    ),
    Check(
        id="archive-missing",
        judge=archives,
        remedy="name one in /etc/apt/sources.list, or `servers.mirror` in site.yaml",
    ),
)
