"""The collector's words on a host's rules, sockets, certificates on show and name servers, as types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from model.host.certificate_chain import read_chain
from model.host.dns_wire import answers
from model.host.host_facts import ClusterNames, Firewall, Rules, Served, Shown, Socket, Sockets
from model.host.shared_facts import Names
from model.packets import kernel_rules
from model.packets.sockets import parse_listeners
from model.ufw.foreign_rules import Rulesets, deciding

Sections = Mapping[str, Any]


def firewall(sections: Sections) -> Firewall:
    """Read ufw's files."""
    section = sections["ufw"]
    return Firewall(
        section["installed"] is True, dict(section["files"]), section["enabled"] is True, section["ipv6"] is True
    )


def rules(sections: Sections) -> Rules:
    """Read the kernel's rules; rules that nobody can read must not pass for none, so they are parsed here."""
    section = sections["rules"]
    saved, legacy = ({4: texts["4"], 6: texts["6"]} for texts in (section["saved"], section["legacy"]))
    sets = Rulesets(saved, legacy, section["nft"])
    kernel_rules.read(saved, legacy, section["nft"])
    return Rules(saved, deciding(sets), section["nft"], legacy)


def sockets(sections: Sections) -> Sockets:
    """Read `ss -Hlntup`."""
    listeners = parse_listeners(sections["listeners"])
    return Sockets(
        tuple(Socket(listener.protocol, listener.address, listener.port, listener.processes) for listener in listeners)
    )


def served(sections: Sections) -> Served:
    """Read what services show to a TLS client."""
    return Served(
        tuple(
            Shown(port, address, name, read_chain(parts) if parts else (), why)
            for port, address, name, parts, why in sections["served"]
        )
    )


def names(sections: Sections) -> Names:
    """Read name servers' packets."""
    return _names(sections["names"])


def cluster_names(sections: Sections) -> ClusterNames:
    """Read packets of the cluster's own name server."""
    return ClusterNames(_names(sections["cluster_names"]))


def _names(section: Sections) -> Names:
    heard = {server: answers(bytes.fromhex("".join(packets))) for server, packets in section["answers"].items()}
    return Names(heard, dict(section["why"]))
