"""Whether a host's rules would lock out the SSH session that changes them."""

from __future__ import annotations

from collections.abc import Mapping

from model.packets.netfilter import Packet, judge, parse
from model.site.hosts import Machine
from model.site.site import Site
from model.ufw.facts import FirewallFacts
from model.ufw.state import admits, desired_rules


def lockout(site: Site, machine: Machine, facts: FirewallFacts) -> str | None:
    """
    Say why carrying out the matrix would lock this session's own peer out; None where it would not.

    What counts is the peer that the host itself sees, so NAT and jump hosts count, and the port its sshd really answers
    on.
    """
    peer = facts.peer
    if peer is None:
        return (
            f"{machine.name}: cannot tell from where the host sees this session come; "
            "connect through its OpenSSH server"
        )
    if admits(desired_rules(site, machine, peer.client.version), peer.client, peer.server, peer.server_port):
        return None
    return (
        f"{machine.name}: the host sees this session come from {peer.client}, and the matrix does not admit that "
        f"address to {peer.server_port}/tcp, where its sshd answers"
    )


def lockout_by(host: str, saved: Mapping[int, str], facts: FirewallFacts) -> str | None:
    """Say why a ruleset (iptables-save by IP version) would lock this session's peer out; None where it would not."""
    peer = facts.peer
    if peer is None:
        return f"{host}: cannot tell from where the host sees this session come"
    if peer.client.is_loopback or peer.client == peer.server:
        return None
    packet = Packet(peer.client, peer.server, "tcp")
    if judge(parse(saved[peer.client.version]), "INPUT", packet).admitted >> peer.server_port & 1:
        return None
    return f"{host}: the rules to bring back would not surely admit {peer.client} to {peer.server_port}/tcp"
