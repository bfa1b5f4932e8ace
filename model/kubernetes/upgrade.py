"""Whether a cluster may go from the versions it has to another one, and who is left to change."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_VERSION = re.compile(r"v?(\d+)\.(\d+)\.(\d+)")


@dataclass(frozen=True, slots=True)
class Running:
    """What runs on a node: kubelet's version, the API server's (empty on a worker), the container runtime's."""

    name: str
    kubelet: str
    plane: str = ""
    runtime: str = ""


def numbers(version: str) -> tuple[int, int, int]:
    """Return a version's three numbers. Raises `ValueError` for what is none."""
    match = _VERSION.match(version)
    if match is None:
        raise ValueError(f"{version!r} is no version")
    return int(match[1]), int(match[2]), int(match[3])


def objection(running: Iterable[Running], target: str) -> str:
    """Say why the cluster must not go to `target`; empty where it may. One minor version at a time, and never back."""
    wanted = numbers(target)
    for node in running:
        for what, version in (("kubelet", node.kubelet), ("API server", node.plane)):
            if not version:
                continue
            now = numbers(version)
            if now > wanted:
                return f"{node.name}: its {what} is {version}, newer than {target}: Kubernetes never goes back"
            if now[0] != wanted[0] or wanted[1] - now[1] > 1:
                between = f"{now[0]}.{now[1] + 1}"
                return (
                    f"{node.name}: its {what} is {version}, and {target} skips a minor version: go to {between} first"
                )
    return ""


def behind(node: Running, target: str, runtime: str) -> tuple[str, ...]:
    """Say what of a node is not yet at the wanted versions; `runtime` is the container runtime's."""
    wanted = numbers(target)
    steps = [
        f"{what} {version} -> {target}"
        for what, version in (("control plane", node.plane), ("kubelet", node.kubelet))
        if version and numbers(version) != wanted
    ]
    if runtime and node.runtime.rpartition("://")[2] != runtime:
        steps.append(f"containerd {node.runtime.rpartition('://')[2]} -> {runtime}")
    return tuple(steps)
