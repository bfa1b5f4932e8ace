"""What of the lab is alive."""

from __future__ import annotations

from typing import Any

from lab import containers, faults
from lab.instance import Instance
from lab.plan import LabPlan
from lab.topology import controller_addresses


def read(instance: Instance, plan: LabPlan) -> dict[str, Any]:
    """Return the lab's state as plain data, ready for JSON."""
    alive = containers.leaders(instance, [host.name for host in plan.hosts])
    hosts = [
        {
            "name": host.name,
            "roles": list(host.roles),
            "hostname": host.hostname,
            "addresses": {leg.network: [str(address) for address in leg.addresses] for leg in host.legs},
            "leader": alive.get(host.name, 0),
            "namespace": instance.namespace(host.name),
            "alive": host.name in alive,
        }
        for host in plan.hosts
    ]
    controller = {"namespace": instance.namespace(), "addresses": [str(address) for address in controller_addresses()]}
    broken = [{"id": fault.id, "kind": fault.kind, "at": fault.at} for fault in faults.present(instance)]
    return {
        "profile": plan.profile,
        "bare": plan.bare,
        "suite": plan.suite,
        "inventory": str(instance.inventory),
        "controller": controller,
        "hosts": hosts,
        "faults": broken,
    }


def table(state: dict[str, Any]) -> str:
    """Return the state for a person to read."""
    kind = "bare" if state["bare"] else "full"
    lines = [f"{state['profile']}, {kind}, {state['suite']}; site: {state['inventory']}"]
    for host in state["hosts"]:
        condition = f"up, pid {host['leader']}" if host["alive"] else "down"
        lines.append(f"{host['name']:<12} {host['hostname']:<16} {', '.join(host['roles']):<18} {condition}")
    lines += [f"fault {fault['id']}: {fault['kind']} at {fault['at']}" for fault in state["faults"]]
    return "\n".join(lines)
