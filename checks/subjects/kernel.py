"""Checks of the kernel: it has the settings and modules that a node needs, and is the newest installed."""

from __future__ import annotations

import re

from checks.check import BOOTSTRAP, NODES, SERVERS, ComplianceView, HostCheck
from model.check.finding import Severity, Verdict, settled
from model.host.host_facts import AtBoot, Boot, HostFacts, Kernel, Release
from model.host.server import MODULES, kernel_values
from model.host.sysctl import at_boot
from model.kubernetes import compatibility
from model.site.hosts import Machine


def settings(view: ComplianceView, machine: Machine, facts: HostFacts) -> Verdict:
    """Compare the running kernel's settings with the site's."""
    if not facts.of(Release).prepared:
        return Verdict(pending=BOOTSTRAP)
    has, wanted = facts.of(Kernel).values, kernel_values(view.site, machine)
    wrong = [
        f"{name} is {has.get(name) or 'not there'} and should be {value}"
        for name, value in wanted.items()
        if has.get(name) != value
    ]
    return settled(wrong, f"{len(wanted)} settings are as declared", dict(has))


def modules(_view: ComplianceView, _machine: Machine, facts: HostFacts) -> Verdict:
    """Find modules of a node that are neither loaded nor built in."""
    if not facts.of(Release).prepared:
        return Verdict(pending=BOOTSTRAP)
    loaded = facts.of(Kernel).modules
    lacking = [f"the module {name} is not loaded" for name in MODULES if name not in loaded]
    return settled(lacking, f"{', '.join(MODULES)} are there", sorted(loaded))


def after_boot(view: ComplianceView, machine: Machine, facts: HostFacts) -> Verdict:
    """Find settings and modules that are as they should be only until the next boot."""
    if not facts.of(Release).prepared:
        return Verdict(pending=BOOTSTRAP)
    boot, wanted = facts.of(AtBoot), kernel_values(view.site, machine)
    next_boot = at_boot(boot.sysctl, wanted)
    wrong = [
        f"{name} will be {seen.value} by {seen.path}, and should be {wanted[name]}"
        if seen
        else f"no file sets {name} to {wanted[name]}"
        for name, seen in next_boot.items()
        if seen is None or seen.value != wanted[name]
    ]
    wrong += [f"no file loads the module {name}" for name in MODULES if name not in boot.modules]
    files = sorted({seen.path for seen in next_boot.values() if seen})
    return settled(
        wrong, f"{len(wanted)} settings and {len(MODULES)} modules hold after the next boot", {"files": files}
    )


def version(view: ComplianceView, _machine: Machine, facts: HostFacts) -> Verdict:
    """Find kernels older than what Kubernetes, its proxy or its pod network need on this site."""
    running = facts.of(Release).kernel
    problems = [problem.what for problem in compatibility.kernel(running, view.site.settings)]
    return settled(problems, f"runs Linux {running}", {"kernel": running})


def reboot(_view: ComplianceView, _machine: Machine, facts: HostFacts) -> Verdict:
    """Find hosts that run an older kernel than the newest in /boot, or whose updates wait for a reboot."""
    boot = facts.of(Boot)
    newest = max(boot.kernels, key=natural, default="")
    wrong = []
    if newest and natural(newest) > natural(boot.running):
        wrong.append(f"runs the kernel {boot.running}, and {newest} is installed")
    if boot.required:
        wrong.append(f"updates wait for a reboot: {', '.join(boot.packages) or 'nobody says which'}")
    seen = {"running": boot.running, "installed": list(boot.kernels), "up_days": round(boot.up_seconds / 86400, 1)}
    return settled(wrong, f"runs the newest kernel it has, {boot.running}", seen)


def natural(text: str) -> list[tuple[int, int | str]]:
    """Return a version in a form that compares: numbers as numbers."""
    return [(1, int(part)) if part.isdigit() else (0, part) for part in re.findall(r"\d+|[a-z]+", text)]


CHECKS = (
    HostCheck(
        id="kernel/settings",
        title="The kernel has the settings that nodes need",
        phase="host",
        looks_at="/proc/sys",
        by="sysctl -a",
        remedy="python -m flows.bootstrap --only os",
        owner="os",
        applies=NODES,
        judge=settings,
    ),
    HostCheck(
        id="kernel/modules",
        title="The kernel has the modules that nodes need",
        phase="host",
        looks_at="/sys/module and the list of what is built in",
        by="lsmod",
        remedy="python -m flows.bootstrap --only os",
        owner="os",
        applies=NODES,
        judge=modules,
    ),
    HostCheck(
        id="kernel/at-boot",
        title="Settings and modules of the kernel outlive the next boot",
        phase="host",
        looks_at="sysctl.d and modules-load.d of every folder, in their order, and ufw's own sysctl.conf",
        by="systemd-analyze cat-config sysctl.d; systemd-analyze cat-config modules-load.d; cat /etc/ufw/sysctl.conf",
        remedy="remove that line; what is missing: python -m flows.bootstrap --only os",
        owner="os",
        applies=NODES,
        judge=after_boot,
    ),
    HostCheck(
        id="kernel/version",
        title="The kernel is new enough for the cluster",
        phase="prerequisites",
        looks_at="the running kernel's version",
        by="uname -r",
        remedy="a newer kernel",
        applies=NODES,
        judge=version,
    ),
    HostCheck(
        id="kernel/reboot",
        title="No newer kernel and no update waits for a reboot",
        phase="host",
        severity=Severity.WARNING,
        looks_at="/boot and /run/reboot-required",
        by="ls /boot; uname -r; cat /run/reboot-required.pkgs",
        remedy="drain the node and reboot it",
        applies=SERVERS,
        judge=reboot,
    ),
)
