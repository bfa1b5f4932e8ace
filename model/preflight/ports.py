"""Are the ports and the address that the cluster needs still free?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from model.base import Address
from model.host.machine_facts import MachineFacts
from model.preflight.finding import Check, Seen, View
from model.site.hosts import Machine
from model.site.rows import Row
from model.site.site import Site

# Ports that only the node itself uses, so that no row opens them.
_LOCAL = {10248: "kubelet", 10249: "kube-proxy"}
_PLANE_LOCAL = {2381: "etcd"}
# The kernel keeps no more of a process's name.
_NAME = 15
# A socket in a wide range of high ports is more likely somebody's outgoing question than a service.
_EPHEMERAL, _WIDE = 32768, 100


def taken(view: View, machine: Machine, facts: MachineFacts) -> Iterator[Seen]:
    """Find ports of the host's rows, and of its own Kubernetes programs, that somebody else listens on."""
    wanted = _wanted(view.site, machine)
    seen: set[tuple[str, int]] = set()
    for listener in facts.network.listeners:
        key = (listener.protocol, listener.port)
        row = _row(wanted, *key)
        if row is None or key in seen:
            continue
        who, (name, owners) = listener.process, row
        if who[:_NAME] in {owner[:_NAME] for owner in owners} or (facts.ours and (not owners or not who)):
            continue
        seen.add(key)
        shown = f" is for {' or '.join(owners)}" if owners else ""
        yield Seen(
            f"{who or 'the kernel'} listens on {listener.port}/{listener.protocol}, which{shown or ' is needed'} ({name})"
        )


_Wanted = list[tuple[str, int, int, str, tuple[str, ...]]]


def _wanted(site: Site, machine: Machine) -> _Wanted:
    found: _Wanted = []
    for row in site.active_rows:
        if row.plane != "pod" and row.protocol != "vrrp" and not row.builtin and machine in _landing(site, row):
            found += [
                (row.protocol, low, high, row.name, row.process) for low, high in row.intervals if not _vague(low, high)
            ]
    local: Mapping[int, str] = _LOCAL | (_PLANE_LOCAL if machine.node == "control_plane" else {})
    if machine.node:
        found += [("tcp", port, port, "on the node itself", (owner,)) for port, owner in local.items()]
    return found


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
        dict.fromkeys(o for _, owners in hits for o in owners)
    )


def endpoint(view: View, machine: Machine, facts: MachineFacts) -> Iterator[Seen]:
    """Find the API endpoint's address in the hands of anybody but a control plane of this cluster."""
    wanted = view.site.settings.kubernetes.endpoint
    if wanted.provider != "keepalived":
        return
    for address in wanted.addresses:
        if address in facts.network.addresses:
            if not _rightful(machine, facts):
                yield Seen(
                    f"holds the endpoint's address {address} itself", "take it off this host; keepalived will hold it"
                )
        elif machine.node == "control_plane" and (evidence := _evidence(facts, address, wanted.port)):
            yield from _answered(view, address, evidence)


def _rightful(machine: Machine, facts: MachineFacts) -> bool:
    return machine.node == "control_plane" and (facts.ours or (facts.software.prepared and facts.running("keepalived")))


def _evidence(facts: MachineFacts, address: Address, port: int) -> str:
    """Say how somebody showed that the address is in use; empty where nobody did."""
    came = facts.asked.connects.get((str(address), port))
    if came is None:
        return ""
    if came.result in ("open", "refused"):
        near = f", from {came.neighbour}" if came.neighbour else ""
        return f"{port}/tcp there is {came.result}{near}"
    return f"{came.neighbour} answers for it" if came.neighbour else ""


def _answered(view: View, address: Address, evidence: str) -> Iterator[Seen]:
    holders = [name for name, each in view.facts.items() if address in each.network.addresses]
    if holders:
        # Told of that host already, or all is well.
        return
    unseen = [plane.name for plane in view.site.control_planes if plane.name not in view.facts]
    what = f"the endpoint's address {address} is taken: {evidence}"
    if unseen and any(each.ours for each in view.facts.values()):
        yield Seen(f"{what}; maybe by {' or '.join(unseen)}, not looked at", severity="pending")
    else:
        yield Seen(what)


CHECKS = (
    Check("port-taken", "error", taken, "stop that program, or have it listen elsewhere"),
    Check(
        "endpoint-taken", "error", endpoint, "free the address, or choose another for `kubernetes.endpoint.addresses`"
    ),
)
