"""Checks of rules: nobody else filters packets on the host."""

from __future__ import annotations

import json
from collections.abc import Iterator

from model.check.check import Check
from model.check.finding import Finding, Severity
from model.check.judgement.links import interfaces
from model.check.judgement.rules import foreign
from model.check.preflight.view import PreflightView
from model.host.machine_facts import MachineFacts
from model.packets.known_rules import of_a_cluster
from model.site.hosts import Machine
from model.ufw.early_rules import early_rules
from model.ufw.foreign_rules import Rulesets, deciding

_SHOWN = 3
# Tables that iptables keeps in nftables, by which ufw and container networks work.
_OF_IPTABLES = {(family, table) for family in ("ip", "ip6") for table in ("filter", "nat", "mangle", "raw", "security")}


def decide(view: PreflightView, machine: Machine, facts: MachineFacts) -> Iterator[Finding]:
    """Find rules of others that admit, refuse or lead away packets in ufw's stead."""
    rulesets = facts.network.rulesets
    early = early_rules(view.site, machine, rulesets, interfaces(facts.network.links))
    yield from foreign(early, deciding(rulesets), node=facts.ours, shown=_SHOWN)


def tables(_view: PreflightView, _machine: Machine, facts: MachineFacts) -> Iterator[Finding]:
    """Find nftables tables that are neither iptables' nor the cluster's."""
    others = [f"{family} {name}" for family, name in tables_of(facts.network.rulesets) if not of_a_cluster(name)]
    if others:
        yield Finding(f"has nftables tables of others: {', '.join(others)}")


def tables_of(rulesets: Rulesets) -> tuple[tuple[str, str], ...]:
    """Return family and name of every native nftables table."""
    entries = json.loads(rulesets.nft).get("nftables", []) if rulesets.nft.strip() else []
    places = [(entry["table"]["family"], entry["table"]["name"]) for entry in entries if "table" in entry]
    return tuple(place for place in places if place not in _OF_IPTABLES)


def legacy(_view: PreflightView, _machine: Machine, facts: MachineFacts) -> Iterator[Finding]:
    """Find tables of the older iptables, whose rules hold beside the newer one's and are shown by neither."""
    lines = [line for text in facts.network.rulesets.legacy.values() for line in text.splitlines()]
    rules = [line for line in lines if line.startswith("-A")]
    names = sorted({line[1:].strip() for line in lines if line.startswith("*")})
    if rules:
        yield Finding(f"has {len(rules)} rules in tables of iptables-legacy ({', '.join(names)}): {rules[0]}")
    elif names:
        yield Finding(f"has tables of iptables-legacy without rules ({', '.join(names)})", severity=Severity.WARNING)


def daemons(_view: PreflightView, _machine: Machine, facts: MachineFacts) -> Iterator[Finding]:
    """Find firewalls that would write their rules over ufw's."""
    if facts.running("firewalld"):
        yield Finding("firewalld runs", "systemctl disable --now firewalld")


CHECKS = (
    Check(id="foreign-rules", judge=decide, remedy="find out who sets them and remove them there"),
    Check(
        id="foreign-nftables",
        severity=Severity.WARNING,
        judge=tables,
        remedy="find out who keeps them; `systemctl disable --now nftables` if it is Debian's own",
    ),
    Check(
        id="legacy-iptables",
        judge=legacy,
        remedy="remove them (iptables-legacy -F), and `update-alternatives --set iptables /usr/sbin/iptables-nft`",
    ),
    Check(
        id="other-firewall",
        judge=daemons,
        remedy="stop and disable it: ufw is what this program manages",
    ),
)
