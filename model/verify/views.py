"""
What verification needs of a host's facts: its rules as chains, its listeners, the room in its connection tracking.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from model.errors import ProtocolError
from model.host.hostview import HostView, harmless
from model.packets import kernel_rules, netfilter
from model.site.site import Site
from model.ufw.facts import FirewallFacts

# Seconds that conntrack remembers an unanswered probe (TCP SYN_SENT's default): what is fired within them adds up.
REMEMBERED = 120
SLOWEST = 100


def view_of(host: str, facts: FirewallFacts) -> HostView:
    """
    Return the pure view of one host's facts.

    Raises `ProtocolError` for rules that cannot be read.
    """
    try:
        chains = {4: netfilter.parse(facts.iptables_save), 6: netfilter.parse(facts.ip6tables_save)}
        read = kernel_rules.read(facts.rulesets.saved, facts.rulesets.legacy, facts.rulesets.nft)
        rules = replace(read, devices=facts.rulesets.devices)
    except ValueError as error:
        raise ProtocolError(host, f"its rules cannot be read: {error}", "look at `iptables-save` there") from error
    interfaces = {str(address): interface for interface, address in facts.addresses}
    port = facts.peer.server_port if facts.peer else 22
    return HostView(
        chains=chains,
        interfaces=interfaces,
        listeners=facts.listeners,
        sshd_port=port,
        nft=facts.rulesets.nft,
        conntrack=facts.conntrack,
        rules=rules,
    )


def requests_for(site: Site, views: Mapping[str, HostView]) -> dict[str, dict[int, str]]:
    """
    Return, by host, the harmless question to ask on each UDP port where a service of a row that knows one listens.
    """
    known = [(low, row.request) for row in site.rows if row.request for low, high in row.intervals if low == high]
    return {name: harmless(known, view.open_ports("udp")) for name, view in views.items()}


def room(view: HostView, probes: int, rate: int) -> int:
    """
    Return the packets a second, at most `rate`, with which `probes` probes leave a host's connection tracking half
    empty.
    """
    limit, used = view.conntrack
    if not limit:
        return rate
    free = limit // 2 - used
    if probes <= free:
        return rate
    return max(SLOWEST, min(rate, free // REMEMBERED))
