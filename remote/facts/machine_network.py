"""The interfaces, routes, listeners and rules of a host."""

from __future__ import annotations

from collections.abc import Mapping

from model.host.machine_facts import Networking
from model.host.shared_facts import Link
from model.packets import kernel_rules
from model.packets.sockets import parse_addresses, parse_listeners
from model.ufw.foreign_rules import Rulesets, deciding


def networking(sections: Mapping[str, str]) -> Networking:
    """Read the sections about networks; raises ValueError or KeyError for what is not there or not understood."""
    held = parse_addresses(sections["addresses"])
    rulesets = Rulesets(
        {4: sections["iptables-save"], 6: sections["ip6tables-save"]},
        {4: sections["iptables-legacy-save"], 6: sections["ip6tables-legacy-save"]},
        sections["nft"],
    )
    # Rules that nobody can read must not pass for none.
    deciding(rulesets)
    kernel_rules.read(rulesets.saved, rulesets.legacy, rulesets.nft)
    links = []
    for line in sections["links"].splitlines():
        if line.strip():
            name, mtu, speed, state, kind, *mac = line.split()
            own = tuple(address for interface, address in held if interface == name)
            # Without hardware an interface's state is often not known, which says nothing against it.
            up = state in ("up", "unknown")
            links.append(
                Link(
                    name=name,
                    mac=mac[0] if mac else "",
                    mtu=int(mtu),
                    speed=max(0, int(speed)),
                    up=up,
                    virtual=kind == "virtual",
                    addresses=own,
                )
            )
    return Networking(
        links=tuple(links),
        default_routes=frozenset(int(line.split()[0]) for line in sections["routes"].splitlines() if line.strip()),
        resolvers=tuple(sections["resolvers"].split()),
        listeners=parse_listeners(sections["listeners"]),
        rulesets=rulesets,
    )
