"""What does the collector say of a host's rules, sockets, certificates on show and name servers?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from model.host.certificate_chain import read_chain
from model.host.dns_wire import answers
from model.host.host_facts import ClusterNames, Firewall, Rules, Served, Shown, Socket, Sockets
from model.host.shared_facts import Names
from model.packets.sockets import parse_listeners
from model.ufw.foreign_rules import Rulesets, deciding

Said = Mapping[str, Any]


def firewall(said: Said) -> Firewall:
    """Read ufw's files."""
    section = said["ufw"]
    return Firewall(
        section["installed"] is True, dict(section["files"]), section["enabled"] is True, section["ipv6"] is True
    )


def rules(said: Said) -> Rules:
    """Read the kernel's rules; rules that nobody can read must not pass for none, so they are parsed here."""
    section = said["rules"]
    saved, legacy = ({4: texts["4"], 6: texts["6"]} for texts in (section["saved"], section["legacy"]))
    sets = Rulesets(saved, legacy, section["nft"])
    return Rules(saved, deciding(sets))


def sockets(said: Said) -> Sockets:
    """Read `ss -Hlntup`."""
    found = parse_listeners(said["listeners"])
    return Sockets(tuple(Socket(each.protocol, each.address, each.port, each.processes) for each in found))


def served(said: Said) -> Served:
    """Read what services show to a TLS client."""
    return Served(
        tuple(
            Shown(port, address, name, read_chain(parts) if parts else (), why)
            for port, address, name, parts, why in said["served"]
        )
    )


def names(said: Said) -> Names:
    """Read name servers' packets."""
    return _names(said["names"])


def cluster_names(said: Said) -> ClusterNames:
    """Read packets of the cluster's own name server."""
    return ClusterNames(_names(said["cluster_names"]))


def _names(section: Said) -> Names:
    found = {server: answers(bytes.fromhex("".join(packets))) for server, packets in section["answers"].items()}
    return Names(found, dict(section["why"]))
