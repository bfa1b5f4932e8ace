"""Checks of ports: those that the cluster needs are still free, and so is its address."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from model.base import Address
from model.check.check import Check
from model.check.finding import Finding, Severity
from model.check.preflight.view import PreflightView
from model.host.host_facts import Unseen
from model.host.hostview import is_named
from model.host.machine_facts import MachineFacts
from model.site.hosts import Machine
from model.site.rows import Row
from model.site.site import Site

# Ports that only the node itself uses, so that no row opens them.
_LOCAL = {10248: "kubelet", 10249: "kube-proxy"}
_PLANE_LOCAL = {2381: "etcd"}
# A socket in a wide range of high ports is more likely somebody's outgoing question than a service.
_EPHEMERAL, _WIDE = 32768, 100


def taken(view: PreflightView, machine: Machine, facts: MachineFacts) -> Iterator[Finding]:
    """Find ports of the host's rows, and of its own Kubernetes programs, that somebody else listens on."""
    wanted = _wanted(view.site, machine)
    seen: set[tuple[str, int]] = set()
    for listener in facts.network.listeners:
        key = (listener.protocol, listener.port)
        row = _row(wanted, *key)
        if row is None or key in seen:
            continue
        who, (name, owners) = listener.process, row
        if is_named(who, owners) or (facts.ours and (not owners or not who)):
            continue
        seen.add(key)
        shown = f" is for {' or '.join(owners)}" if owners else ""
        where = f"{listener.port}/{listener.protocol}"
        yield Finding(f"{who or 'the kernel'} listens on {where}, which{shown or ' is needed'} ({name})")


_Wanted = list[tuple[str, int, int, str, tuple[str, ...]]]


def _wanted(site: Site, machine: Machine) -> _Wanted:
    wanted: _Wanted = []
    for row in site.active_rows:
        if row.plane != "pod" and row.protocol != "vrrp" and not row.builtin and machine in _landing(site, row):
            wanted += [
                (row.protocol, low, high, row.name, row.process) for low, high in row.intervals if not _vague(low, high)
            ]
    local: Mapping[int, str] = _LOCAL | (_PLANE_LOCAL if machine.node == "control_plane" else {})
    if machine.node:
        wanted += [("tcp", port, port, "on the node itself", (owner,)) for port, owner in local.items()]
    return wanted


def _landing(site: Site, row: Row) -> tuple[Machine, ...]:
    if row.plane == "external":
        return site.targets(row)
    return tuple(machine for end in row.destination_ends for machine in site.machines_at(end))


def _vague(low: int, high: int) -> bool:
    return low >= _EPHEMERAL and high - low > _WIDE


def _row(wanted: _Wanted, protocol: str, port: int) -> tuple[str, tuple[str, ...]] | None:
    """Return the names of the rows that want the port, and every process that may have it."""
    hits = [(name, owners) for kind, low, high, name, owners in wanted if kind == protocol and low <= port <= high]
    if not hits:
        return None
    return ", ".join(dict.fromkeys(name for name, _ in hits)), tuple(
        dict.fromkeys(owner for _, owners in hits for owner in owners)
    )


def endpoint(view: PreflightView, machine: Machine, facts: MachineFacts) -> Iterator[Finding]:
    """Find the API endpoint's address in the hands of anybody but a control plane of this cluster."""
    wanted = view.site.settings.kubernetes.endpoint
    if wanted.provider != "keepalived":
        return
    for address in wanted.addresses:
        if address in facts.network.addresses:
            if not _rightful(machine, facts):
                yield Finding(
                    f"holds the endpoint's address {address} itself", "take it off this host; keepalived will hold it"
                )
        elif machine.node == "control_plane" and (evidence := _evidence(facts, address, wanted.port)):
            yield from _answered(view, address, evidence)


def _rightful(machine: Machine, facts: MachineFacts) -> bool:
    return machine.node == "control_plane" and (facts.ours or (facts.software.prepared and facts.running("keepalived")))


def _evidence(facts: MachineFacts, address: Address, port: int) -> str:
    """
    Say how somebody showed that the address is in use; empty where nobody did. Raises `Unseen` where the host did not
    say.
    """
    came = facts.asked.connects.get((str(address), port))
    if came is None:
        raise Unseen(f"the host did not say what answers at {address}:{port}")
    if came.result in ("open", "refused"):
        near = f", from {came.neighbour}" if came.neighbour else ""
        return f"{port}/tcp there is {came.result}{near}"
    return f"{came.neighbour} answers for it" if came.neighbour else ""


def _answered(view: PreflightView, address: Address, evidence: str) -> Iterator[Finding]:
    holders = [name for name, machine in view.facts.items() if address in machine.network.addresses]
    if holders:
        # Told of that host already, or all is well.
        return
    unseen = [machine.name for machine in view.site.control_planes if machine.name not in view.facts]
    what = f"the endpoint's address {address} is taken: {evidence}"
    if unseen and any(machine.ours for machine in view.facts.values()):
        yield Finding(f"{what}; maybe by {' or '.join(unseen)}, not looked at", severity=Severity.PENDING)
    else:
        yield Finding(what)


CHECKS = (
    Check(id="port-taken", judge=taken, remedy="stop that program, or have it listen elsewhere"),
    Check(
        id="endpoint-taken",
        judge=endpoint,
        remedy="free the address, or choose another for `kubernetes.endpoint.addresses`",
    ),
)
