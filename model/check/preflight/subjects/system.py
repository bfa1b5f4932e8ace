"""Checks of the operating system: Kubernetes can run on it."""

from __future__ import annotations

from collections.abc import Iterator

from model.check.check import Check
from model.check.finding import Finding, Severity
from model.check.judgement import software
from model.check.preflight.view import PreflightView
from model.host.machine_facts import MachineFacts
from model.kubernetes import compatibility
from model.kubernetes.compatibility import ARCHITECTURES, DEBIAN, Problem
from model.site.hosts import Machine
from model.site.settings import Settings

# What the kernel calls the feature in its configuration, by module.
_OPTIONS = {
    "overlay": "OVERLAY_FS",
    "br_netfilter": "BRIDGE_NETFILTER",
    "nf_conntrack": "NF_CONNTRACK",
    "nf_tables": "NF_TABLES",
    "vxlan": "VXLAN",
    "wireguard": "WIREGUARD",
}
_CONTROLLERS = ("cpu", "cpuset", "memory", "pids")


def unsupported(_view: PreflightView, _machine: Machine, facts: MachineFacts) -> Iterator[Finding]:
    """Find hosts that run no Debian this program knows."""
    yield from map(Finding, software.unsupported(facts.system.release))


def end_of_life(view: PreflightView, _machine: Machine, facts: MachineFacts) -> Iterator[Finding]:
    """Find Debian releases that get no security updates any more."""
    yield from map(Finding, software.end_of_life(facts.system.release, view.today))


def bundle(view: PreflightView, _machine: Machine, facts: MachineFacts) -> Iterator[Finding]:
    """Find hosts for which the offline bundle holds no packages or programs."""
    system = facts.system
    if system.architecture not in ARCHITECTURES:
        yield Finding(f"its architecture is {system.architecture}", f"a server of {' or '.join(ARCHITECTURES)}")
    if view.bundle is None:
        return
    if system.architecture != view.bundle.architecture:
        yield Finding(f"is {system.architecture}, and the bundle {view.bundle.name} is for {view.bundle.architecture}")
    if system.suite and system.suite not in view.bundle.suites:
        yield Finding(
            f"runs {system.suite}, and the bundle {view.bundle.name} has packages for {', '.join(view.bundle.suites)}"
        )


def kernel(view: PreflightView, machine: Machine, facts: MachineFacts) -> Iterator[Finding]:
    """Find kernels older than what Kubernetes, its proxy or its pod network need on this site."""
    if machine.node:
        yield from _problems(compatibility.kernel(facts.system.kernel, view.site.settings))


def runtime(view: PreflightView, machine: Machine, facts: MachineFacts) -> Iterator[Finding]:
    """
    Find releases whose own containerd is older than the wished one, where it is to come by the name that Debian's has,
    too.
    """
    kubernetes, release = view.site.settings.kubernetes, DEBIAN.get(facts.system.suite)
    wanted = kubernetes.containerd
    if not machine.node or release is None or kubernetes.packages != "apt" or wanted.package != "containerd":
        return
    if compatibility.number_of(release.containerd) < compatibility.number_of(wanted.version):
        yield Finding(
            f"Debian {release.number} brings containerd {release.containerd}, and the site wants {wanted.version}"
        )


def _problems(problems: Iterator[Problem]) -> Iterator[Finding]:
    for problem in problems:
        yield Finding(problem.what, problem.fix, Severity(problem.severity))


def modules(view: PreflightView, machine: Machine, facts: MachineFacts) -> Iterator[Finding]:
    """Find kernels that lack a feature and have no module for it."""
    if not machine.node:
        return
    system = facts.system
    lacking = [
        name
        for name in needed(view.site.settings)
        if name not in system.modules and system.config.get(_OPTIONS[name]) != "y"
    ]
    if lacking:
        yield Finding(f"the kernel {system.kernel} has no {', '.join(lacking)}, neither built in nor as a module")


def needed(settings: Settings) -> tuple[str, ...]:
    """Return the kernel features that the site's nodes need, by the names of their modules."""
    overlaid = settings.cni.mode == "vxlan"
    nft = settings.kubernetes.proxy_mode == "nftables"
    return (
        "overlay",
        "br_netfilter",
        "nf_conntrack",
        *(("nf_tables",) if nft else ()),
        *(("vxlan",) if overlaid else ()),
        *(("wireguard",) if settings.cni.wireguard else ()),
    )


def control_groups(view: PreflightView, machine: Machine, facts: MachineFacts) -> Iterator[Finding]:
    """Find hosts on the first version of control groups, on which kubelet does not start unless the site says so."""
    if machine.node and facts.system.cgroup != "v2" and not view.site.settings.kubernetes.cgroup_v1:
        yield Finding(f"uses control groups {facts.system.cgroup}, and kubelet starts on v2 alone")


def controllers(_view: PreflightView, machine: Machine, facts: MachineFacts) -> Iterator[Finding]:
    """Find kernels whose control groups do not limit memory, processors or processes."""
    lacking = [name for name in _CONTROLLERS if name not in facts.system.controllers]
    if machine.node and lacking:
        yield Finding(f"its control groups have no {', '.join(lacking)}")


def apparmor(view: PreflightView, machine: Machine, facts: MachineFacts) -> Iterator[Finding]:
    """Find nodes without AppArmor where the site counts on it."""
    if machine.node and view.site.settings.kubernetes.runtime.apparmor and not facts.system.apparmor:
        yield Finding("AppArmor is off, so no container is confined by it")


def reboot(_view: PreflightView, _machine: Machine, facts: MachineFacts) -> Iterator[Finding]:
    """Find hosts whose updates wait for a reboot."""
    if facts.system.reboot_required:
        yield Finding(f"waits for a reboot; it runs {facts.system.kernel}")


def cloud_init(_view: PreflightView, _machine: Machine, facts: MachineFacts) -> Iterator[Finding]:
    """Find hosts where cloud-init writes /etc/hosts anew at every boot."""
    settings = facts.system.cloud_init
    if settings.get("state") == "enabled" and settings.get("manage_etc_hosts", "").lower() not in ("", "false"):
        yield Finding(f"cloud-init says manage_etc_hosts: {settings['manage_etc_hosts']}")


def tools(_view: PreflightView, _machine: Machine, facts: MachineFacts) -> Iterator[Finding]:
    """
    Find hosts that cannot tell their own addresses, listeners and services: the checks of these would be blind there.
    """
    lacking = [name for name in ("ip", "ss") if name not in facts.system.programs]
    if lacking:
        yield Finding(f"has no {' and no '.join(lacking)}")
    if facts.software.units_unseen:
        what = f"which services run there cannot be seen: {facts.software.units_unseen}"
        yield Finding(what, "boot it with Debian's systemd")


CHECKS = (
    Check(id="os-unsupported", judge=unsupported, remedy="install Debian 12 or 13 on it"),
    Check(id="os-end-of-life", severity=Severity.WARNING, judge=end_of_life, remedy="upgrade it to Debian 12 or 13"),
    Check(
        id="bundle-mismatch",
        judge=bundle,
        remedy="a bundle for this system, or another system on the server",
    ),
    Check(id="kernel-too-old", judge=kernel, remedy="a newer kernel"),
    Check(
        id="containerd-unfit",
        severity=Severity.WARNING,
        judge=runtime,
        remedy=(
            "nothing where one of `kubernetes.repositories` has it; "
            "else `kubernetes.containerd.package: containerd.io`, or a bundle"
        ),
    ),
    Check(
        id="kernel-features",
        judge=modules,
        remedy="boot Debian's own kernel (linux-image-amd64 or linux-image-arm64)",
    ),
    Check(
        id="cgroup-v1",
        judge=control_groups,
        remedy="boot with systemd.unified_cgroup_hierarchy=1, or say `kubernetes.cgroup_v1: true`",
    ),
    Check(
        id="cgroup-controllers",
        judge=controllers,
        remedy="boot with cgroup_enable=memory, or Debian's own kernel",
    ),
    Check(
        id="apparmor-off",
        severity=Severity.WARNING,
        judge=apparmor,
        remedy="boot with apparmor=1, or say `kubernetes.runtime.apparmor: false`",
    ),
    Check(id="reboot-required", severity=Severity.WARNING, judge=reboot, remedy="reboot it before it becomes a node"),
    Check(
        id="cloud-init-hosts",
        severity=Severity.WARNING,
        judge=cloud_init,
        remedy="nothing: the operating system's phase takes /etc/hosts out of its hands",
    ),
    Check(id="tools-missing", judge=tools, remedy="apt-get install iproute2"),
)
