"""What a site says, in short: for a person and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flows._render.summary import Line
from flows._render.words import counted
from model.matrix.matrix import host_rules
from model.site.site import Site


def facts(site: Site) -> dict[str, Any]:
    """Return hosts with roles and addresses, what is on, and how many rules each host gets."""
    hosts = {
        machine.name: {
            "roles": list(machine.roles),
            "reached": f"{machine.hostname}:{machine.port}",
            "addresses": {network: [str(item) for item in held] for network, held in machine.addresses.items()},
            "rules": len(host_rules(site, machine)) if machine.kind == "server" else 0,
        }
        for machine in site.machines
    }
    rows = {"declared": len(site.rows), "active": len(site.active_rows)}
    on = sorted({*site.settings.active, *site.settings.cni.tags})
    return {"site": site.name, "domain": site.settings.domain, "features": on, "rows": rows, "hosts": hosts}


def lines(site: Site, facts: Mapping[str, Any]) -> list[Line]:
    """Return the same for a person."""
    rows = facts["rows"]
    servers, users = counted(len(site.servers), "server"), f"{site.settings.concurrent_users:,} users"
    head = f"{site.name} ({site.settings.domain}): {servers}, {users}"
    shown = [Line(head, "bold"), Line(f"on      {', '.join(facts['features'])}", indent=2)]
    shown.append(Line(f"matrix  {rows['active']} of {rows['declared']} rows are open, the rest closed", indent=2))
    table = [("host", "roles", "reached at", "addresses", "rules")]
    for name, host in facts["hosts"].items():
        addresses = ", ".join(address for held in host["addresses"].values() for address in held)
        table.append((name, ", ".join(host["roles"]), host["reached"], addresses, str(host["rules"] or "-")))
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    return shown + [
        Line("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip(), indent=2)
        for row in table
    ]
