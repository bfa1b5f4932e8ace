"""The router's misbehaviour towards one host."""

from __future__ import annotations

import json
from collections.abc import Sequence

from lab import network
from lab.fault import Fault
from lab.instance import Instance
from lab.perimeter import TABLE
from lab.plan import LabPlan
from lab.topology import ROUTER


def drop(instance: Instance, plan: LabPlan, fault: Fault) -> None:
    """Drop what goes to a host's port after translation, before the rule that lets known connections through."""
    what = f"{fault.protocol} dport {fault.ports} drop"
    _insert(instance, "forward", _to(plan, fault, what), fault)


def hide(instance: Instance, plan: LabPlan, fault: Fault) -> None:
    """Put the router's own address in the place of every source that speaks to a host."""
    _insert(instance, "postrouting", _to(plan, fault, "masquerade"), fault)


def _to(plan: LabPlan, fault: Fault, what: str) -> Sequence[str]:
    addresses = [address for leg in plan.host(fault.at).legs for address in leg.addresses]
    return [f"{'ip' if address.version == 4 else 'ip6'} daddr {address} {what}" for address in addresses]


def _insert(instance: Instance, chain: str, rules: Sequence[str], fault: Fault) -> None:
    lines = "".join(f'insert rule {TABLE} {chain} {rule} comment "{fault.mark}"\n' for rule in rules)
    network.within(instance, ROUTER, ("nft", "-f", "-"), lines)


def remove(instance: Instance, _: LabPlan, fault: Fault) -> None:
    """Take out every rule that carries the fault's mark; none is left on a router that lost its power since."""
    if not network.exists(instance.namespace(ROUTER)):
        return
    listing = json.loads(network.within(instance, ROUTER, ("nft", "--json", "list", "ruleset")))
    rules = [entry["rule"] for entry in listing["nftables"] if "rule" in entry]
    lines = "".join(
        f"delete rule {rule['family']} {rule['table']} {rule['chain']} handle {rule['handle']}\n"
        for rule in rules
        if rule.get("comment") == fault.mark
    )
    if lines:
        network.within(instance, ROUTER, ("nft", "-f", "-"), lines)
