"""Rules of what pods ask for: the servers that they belong on have it, also while one of them is away."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

from model.check.check import Check
from model.check.finding import Finding, Severity
from model.check.lint.flaw import LintView, flaw
from model.kubernetes.manifests import Manifest
from model.rollout.invariants.stack import Stack
from model.rollout.own_objects import renderable
from model.site import sizing
from model.site.hosts import Machine
from model.site.site import Site

_ROLE = "matrix-fleet.io/role-"
# What the pod network, its enforcer and kubelet itself take of every node: CPUs, bytes.
_EVERYWHERE = {"cpu": 0.3, "memory": 256 * 2**20}
_UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "m": 0.001}
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


@dataclass(frozen=True, slots=True)
class _Pool:
    """So many pods on servers of these roles, what each asks for (CPUs, bytes), and whether a server takes but one."""

    roles: frozenset[str]
    pods: int
    asks: Mapping[str, float]
    apart: bool

    def of(self, word: str, nodes: int) -> float:
        """Return what its pods ask for together where so many servers are there."""
        return self.asks[word] * (min(self.pods, nodes) if self.apart else self.pods)


def beyond_servers(view: LintView) -> Iterator[Finding]:
    """
    Find servers that have less CPU or memory than what our own templates put there asks for, with the largest one away.

    A server has what hosts.yaml says, or else what is recommended for its roles, less what runs on every node.
    """
    pools = tuple(_pools(Stack(view.site, renderable(view.site)))) if view.renders else ()
    for roles in sorted({pool.roles for pool in pools}, key=sorted):
        machines = [machine for machine in view.site.servers if roles.intersection(machine.roles)]
        inside = [pool for pool in pools if pool.roles <= roles]
        for word, unit, size in (("cpu", "CPUs", 1), ("memory", "GiB", 2**30)):
            had = sorted(_capacity(view.site, machine)[word] for machine in machines)
            # A single server has nobody to stand in for it.
            left = had[:-1] or had
            asked = sum(pool.of(word, len(left)) for pool in inside)
            if asked > sum(left):
                names = ", ".join(sorted(roles))
                message = (
                    f"pods on its servers ask for {asked / size:.1f} {unit}, and these have {sum(left) / size:.1f}"
                )
                lost = " while the largest is away" if len(had) > 1 else ""
                fix = "more or larger servers of this role, or fewer users"
                yield flaw("hosts.yaml", names, value=f"{asked / size:.1f}", message=message + lost, fix=fix)


def _capacity(site: Site, machine: Machine) -> Mapping[str, float]:
    sizes = sizing.recommended(site, machine)
    cpus = machine.data.cpus or sum(size.cpus for size in sizes)
    gib = machine.data.ram_gib or sum(size.ram_gib for size in sizes)
    # Of a role without a size nobody knows anything.
    had = {"cpu": cpus or inf, "memory": gib * 2**30 or inf}
    return {word: value - _EVERYWHERE[word] for word, value in had.items()}


def _pools(stack: Stack) -> Iterator[_Pool]:
    for workload in stack.workloads:
        if workload.lasting and workload.manifest["kind"] != "DaemonSet":
            affinity = workload.pod.get("affinity") or {}
            apart = bool((affinity.get("podAntiAffinity") or {}).get(_REQUIRED))
            asks = [container.get("resources") or {} for container in workload.containers]
            yield _Pool(_roles(affinity), workload.fewest, _asks(asks), apart)
    for _, cluster in stack.of("Cluster"):
        yield _database(cluster)


def _database(cluster: Manifest) -> _Pool:
    spec = cluster["spec"]
    apart = spec.get("affinity", {}).get("podAntiAffinityType") == "required"
    return _Pool(_roles(spec.get("affinity", {})), spec["instances"], _asks([spec.get("resources", {})]), apart)


def _roles(affinity: Mapping[str, Any]) -> frozenset[str]:
    terms = affinity.get("nodeAffinity", {}).get(_REQUIRED, {}).get("nodeSelectorTerms", ())
    keys = [part["key"] for term in terms for part in term.get("matchExpressions", ())]
    return frozenset(key.removeprefix(_ROLE) for key in keys if key.startswith(_ROLE))


def _asks(resources: list[Mapping[str, Any]]) -> Mapping[str, float]:
    given = [part.get("requests") or {} for part in resources]
    return {word: sum(_number(part.get(word, 0)) for part in given) for word in ("cpu", "memory")}


def _number(quantity: object) -> float:
    """Read a quantity of Kubernetes: CPUs, or bytes."""
    text = str(quantity)
    unit = next((unit for unit in _UNITS if text.endswith(unit)), "")
    return float(text.removesuffix(unit)) * _UNITS.get(unit, 1)


CHECKS = (
    Check(
        id="requests-fit",
        why="What asks for more than servers have left is never started: the first to be away takes others along.",
        severity=Severity.WARNING,
        judge=beyond_servers,
    ),
)
