"""Versions of Debian, kernel, containerd, Kubernetes and pod network that go together, and until when they are patched.

Looked up in November 2026: kubernetes.io/releases, kubernetes.io "Linux Kernel Version Requirements", containerd's
RELEASES.md, wiki.debian.org/LTS, the pod networks' own requirements.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Literal

from model.bundle.bundle import Bundle
from model.site.settings import Settings

# Last day of patches by minor version. Older ones do not read kubeadm's configuration as v1beta4.
KUBERNETES = {
    "1.31": date(2025, 11, 11),
    "1.32": date(2026, 2, 28),
    "1.33": date(2026, 6, 28),
    "1.34": date(2026, 10, 27),
    "1.35": date(2027, 2, 28),
    "1.36": date(2027, 6, 28),
    "1.37": date(2027, 10, 28),
}
CONTAINERD = {
    "1.6": date(2025, 8, 23),
    "1.7": date(2026, 9, 30),
    "2.0": date(2025, 11, 7),
    "2.1": date(2026, 5, 5),
    "2.2": date(2026, 11, 6),
    "2.3": date(2028, 4, 27),
}


@dataclass(frozen=True, slots=True)
class DebianRelease:
    """A release: the last day of long-term support, and the versions it carries itself."""

    suite: str
    number: int
    until: date
    containerd: str


DEBIAN = {
    "bullseye": DebianRelease("bullseye", 11, date(2026, 8, 31), "1.4"),
    "bookworm": DebianRelease("bookworm", 12, date(2028, 6, 30), "1.6"),
    "trixie": DebianRelease("trixie", 13, date(2030, 6, 30), "1.7"),
}
ARCHITECTURES = ("amd64", "arm64")

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Problem:
    """Two things that do not go together (error), or something that nobody patches any more (warning)."""

    severity: Severity
    what: str
    fix: str


@dataclass(frozen=True, slots=True)
class KernelNeed:
    """A version of the kernel, who needs it, and on which sites."""

    version: tuple[int, int]
    who: str
    fix: str
    holds: Callable[[Settings], bool]


KERNEL_NEEDS = (
    KernelNeed((4, 19), "kubelet", "a newer kernel", lambda _settings: True),
    KernelNeed(
        (5, 8),
        "control groups v2",
        "a newer kernel, or `kubernetes.cgroup_v1: true`",
        lambda site: not site.kubernetes.cgroup_v1,
    ),
    KernelNeed(
        (5, 13),
        "kube-proxy in nftables mode",
        "a newer kernel, or `kubernetes.proxy_mode: iptables`",
        lambda site: site.kubernetes.proxy_mode == "nftables",
    ),
    KernelNeed((5, 6), "WireGuard", "a newer kernel, or `cni.wireguard: false`", lambda site: site.cni.wireguard),
    KernelNeed((5, 10), "Cilium", "a newer kernel, or another `cni.name`", lambda site: site.cni.name == "cilium"),
)


def minor_of(version: str) -> str:
    """Return the minor version: `1.36` of `1.36.3`."""
    return ".".join(version.split(".")[:2])


def number_of(version: str) -> tuple[int, int]:
    """Return the first two numbers of a version, for comparing: (2, 0) of `2`; (0, 0) where it has none."""
    match = re.match(r"v?(\d+)(?:\.(\d+))?", version)
    return (int(match[1]), int(match[2] or 0)) if match else (0, 0)


def of_site(settings: Settings, bundle: Bundle | None, today: date) -> Iterator[Problem]:
    """
    Yield what does not go together whatever the hosts are: versions by themselves, and what the bundle carries.

    Raises `BundleError` for a bundle without containerd.
    """
    yield from kubernetes(settings.kubernetes.version, today)
    if bundle is None:
        if settings.kubernetes.packages == "apt":
            yield from containerd(settings.kubernetes.containerd.version, settings.kubernetes.version, today)
        return
    wanted, has = settings.kubernetes.version, bundle.kubernetes
    same = has == wanted if wanted.count(".") > 1 else minor_of(has) == wanted
    if not same:
        fix = f"`kubernetes.version: {has}`, or a bundle that carries {wanted}"
        yield Problem("error", f"the bundle {bundle.name} carries Kubernetes {has}, and the site wants {wanted}", fix)
    yield from containerd(bundle.binary("containerd").version, has, today)


def kubernetes(version: str, today: date) -> Iterator[Problem]:
    """Yield what speaks against a version of Kubernetes by itself."""
    minor, newest, oldest = minor_of(version), max(KUBERNETES, key=number_of), min(KUBERNETES, key=number_of)
    if minor not in KUBERNETES:
        old = number_of(minor) < number_of(oldest)
        what = (
            "does not read kubeadm's configuration as v1beta4"
            if old
            else "is newer than any that was tried with this program"
        )
        yield Problem("error", f"Kubernetes {version} {what}", f"a version from {oldest} to {newest}")
    elif KUBERNETES[minor] < today:
        what = f"Kubernetes {minor} has had no patches since {KUBERNETES[minor]}"
        yield Problem("warning", what, f"a newer one, up to {newest}")


def containerd(version: str, kubernetes_version: str, today: date) -> Iterator[Problem]:
    """Yield what speaks against a containerd under a Kubernetes."""
    minor = minor_of(version)
    if number_of(version) < (1, 6):
        yield Problem("error", f"containerd {version} does not speak the runtime interface v1", "containerd 2")
    elif number_of(version) < (2, 0) and number_of(kubernetes_version) >= (1, 37):
        what = (
            f"containerd {version} cannot tell its cgroup driver (RuntimeConfig), which Kubernetes "
            f"{kubernetes_version} asks for"
        )
        yield Problem("error", what, "containerd 2 (as a bundle carries), or Kubernetes 1.36")
    elif (until := CONTAINERD.get(minor)) and until < today:
        yield Problem("warning", f"containerd {minor} has had no patches since {until}", "containerd 2.3 or newer")


def kernel(version: str, settings: Settings) -> Iterator[Problem]:
    """Yield what on this site needs a newer kernel than `version`."""
    for need in KERNEL_NEEDS:
        if need.holds(settings) and number_of(version) < need.version:
            wanted = ".".join(str(number) for number in need.version)
            yield Problem("error", f"{need.who} needs Linux {wanted}, and it runs {version}", need.fix)
