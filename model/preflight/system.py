"""Is the operating system one on which Kubernetes can run?"""

from __future__ import annotations

from collections.abc import Iterator

from model.host.machine_facts import MachineFacts
from model.kubernetes import compatibility
from model.kubernetes.compatibility import ARCHITECTURES, DEBIAN, Problem
from model.preflight.finding import Check, Seen, View
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


def unsupported(_view: View, _machine: Machine, facts: MachineFacts) -> Iterator[Seen]:
    """Find hosts that run no Debian this program knows."""
    release = facts.system.release
    name = release.get("PRETTY_NAME") or "an unknown system"
    if release.get("ID") != "debian" or facts.system.suite not in DEBIAN:
        known = ", ".join(f"{each.number} ({each.suite})" for each in DEBIAN.values())
        yield Seen(f"runs {name}; known are Debian {known}")


def end_of_life(view: View, _machine: Machine, facts: MachineFacts) -> Iterator[Seen]:
    """Find Debian releases that get no security updates any more."""
    release = DEBIAN.get(facts.system.suite)
    if release is not None and release.until < view.today:
        yield Seen(f"Debian {release.number} ({release.suite}) has had no security updates since {release.until}")


def bundle(view: View, _machine: Machine, facts: MachineFacts) -> Iterator[Seen]:
    """Find hosts for which the offline bundle holds no packages or programs."""
    system = facts.system
    if system.architecture not in ARCHITECTURES:
        yield Seen(f"its architecture is {system.architecture}", f"a server of {' or '.join(ARCHITECTURES)}")
    if view.bundle is None:
        return
    if system.architecture != view.bundle.architecture:
        yield Seen(f"is {system.architecture}, and the bundle {view.bundle.name} is for {view.bundle.architecture}")
    if system.suite and system.suite not in view.bundle.suites:
        yield Seen(
            f"runs {system.suite}, and the bundle {view.bundle.name} has packages for {', '.join(view.bundle.suites)}"
        )


def kernel(view: View, machine: Machine, facts: MachineFacts) -> Iterator[Seen]:
    """Find kernels older than what Kubernetes, its proxy or its pod network need on this site."""
    if machine.node:
        yield from _problems(compatibility.kernel(facts.system.kernel, view.site.settings))


def runtime(view: View, machine: Machine, facts: MachineFacts) -> Iterator[Seen]:
    """
    Find releases whose own containerd is older than the wished one, where it is to come by the name that Debian's has,
    too.
    """
    kubernetes, release = view.site.settings.kubernetes, DEBIAN.get(facts.system.suite)
    wanted = kubernetes.containerd
    if not machine.node or release is None or kubernetes.packages != "apt" or wanted.package != "containerd":
        return
    if compatibility.number_of(release.containerd) < compatibility.number_of(wanted.version):
        yield Seen(
            f"Debian {release.number} brings containerd {release.containerd}, and the site wants {wanted.version}"
        )


def _problems(problems: Iterator[Problem]) -> Iterator[Seen]:
    for problem in problems:
        yield Seen(problem.what, problem.fix, problem.severity)


def modules(view: View, machine: Machine, facts: MachineFacts) -> Iterator[Seen]:
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
        yield Seen(f"the kernel {system.kernel} has no {', '.join(lacking)}, neither built in nor as a module")


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


def control_groups(view: View, machine: Machine, facts: MachineFacts) -> Iterator[Seen]:
    """Find hosts on the first version of control groups, on which kubelet does not start unless the site says so."""
    if machine.node and facts.system.cgroup != "v2" and not view.site.settings.kubernetes.cgroup_v1:
        yield Seen(f"uses control groups {facts.system.cgroup}, and kubelet starts on v2 alone")


def controllers(_view: View, machine: Machine, facts: MachineFacts) -> Iterator[Seen]:
    """Find kernels whose control groups do not limit memory, processors or processes."""
    lacking = [name for name in _CONTROLLERS if name not in facts.system.controllers]
    if machine.node and lacking:
        yield Seen(f"its control groups have no {', '.join(lacking)}")


def apparmor(view: View, machine: Machine, facts: MachineFacts) -> Iterator[Seen]:
    """Find nodes without AppArmor where the site counts on it."""
    if machine.node and view.site.settings.kubernetes.runtime.apparmor and not facts.system.apparmor:
        yield Seen("AppArmor is off, so no container is confined by it")


def reboot(_view: View, _machine: Machine, facts: MachineFacts) -> Iterator[Seen]:
    """Find hosts whose updates wait for a reboot."""
    if facts.system.reboot_required:
        yield Seen(f"waits for a reboot; it runs {facts.system.kernel}")


def cloud_init(_view: View, _machine: Machine, facts: MachineFacts) -> Iterator[Seen]:
    """Find hosts where cloud-init writes /etc/hosts anew at every boot."""
    said = facts.system.cloud_init
    if said.get("state") == "enabled" and said.get("manage_etc_hosts", "").lower() not in ("", "false"):
        yield Seen(f"cloud-init says manage_etc_hosts: {said['manage_etc_hosts']}")


def tools(_view: View, _machine: Machine, facts: MachineFacts) -> Iterator[Seen]:
    """Find hosts that cannot tell their own addresses and listeners: the checks of both would be blind there."""
    lacking = [name for name in ("ip", "ss") if name not in facts.system.programs]
    if lacking:
        yield Seen(f"has no {' and no '.join(lacking)}")


CHECKS = (
    Check("os-unsupported", "error", unsupported, "install Debian 12 or 13 on it"),
    Check("os-end-of-life", "warning", end_of_life, "upgrade it to Debian 12 or 13"),
    Check("bundle-mismatch", "error", bundle, "a bundle for this system, or another system on the server"),
    Check("kernel-too-old", "error", kernel, "a newer kernel"),
    Check(
        "containerd-unfit",
        "warning",
        runtime,
        "nothing where one of `kubernetes.repositories` has it; else `kubernetes.containerd.package: containerd.io`, or a bundle",
    ),
    Check("kernel-features", "error", modules, "boot Debian's own kernel (linux-image-amd64 or linux-image-arm64)"),
    Check(
        "cgroup-v1",
        "error",
        control_groups,
        "boot with systemd.unified_cgroup_hierarchy=1, or say `kubernetes.cgroup_v1: true`",
    ),
    Check("cgroup-controllers", "error", controllers, "boot with cgroup_enable=memory, or Debian's own kernel"),
    Check("apparmor-off", "warning", apparmor, "boot with apparmor=1, or say `kubernetes.runtime.apparmor: false`"),
    Check("reboot-required", "warning", reboot, "reboot it before it becomes a node"),
    Check(
        "cloud-init-hosts",
        "warning",
        cloud_init,
        "nothing: the operating system's phase takes /etc/hosts out of its hands",
    ),
    Check("tools-missing", "error", tools, "apt-get install iproute2"),
)
