"""What Kubernetes makes of NetworkPolicies, written from its definition: who may speak to whom."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any

Policy = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A pod by its namespace and labels, or anything else by its address."""

    namespace: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    address: str = ""


class World:
    """A cluster that holds pods to these policies."""

    def __init__(self, policies: Sequence[Policy]) -> None:
        self.policies = policies
        self._known: dict[tuple[str, Place], list[Mapping[str, Any]] | None] = {}

    def admits(self, source: Place, destination: Place, protocol: str, port: int) -> bool:
        """Return whether the policies of both ends let a packet through."""
        return self._side("Egress", source, destination, protocol, port) and self._side(
            "Ingress", destination, source, protocol, port
        )

    def _side(self, direction: str, own: Place, other: Place, protocol: str, port: int) -> bool:
        key = (direction, own)
        if key not in self._known:
            self._known[key] = self._rules(direction, own)
        rules = self._known[key]
        word = "to" if direction == "Egress" else "from"
        return rules is None or any(
            _ports(rule.get("ports"), protocol, port) and _peers(rule.get(word), other) for rule in rules
        )

    def _rules(self, direction: str, own: Place) -> list[Mapping[str, Any]] | None:
        """Return the rules of the policies that select a pod; None where none does, and everything is open."""
        selecting = [
            policy
            for policy in self.policies
            if own.namespace
            and policy["metadata"]["namespace"] == own.namespace
            and direction in policy["spec"]["policyTypes"]
            and _selects(policy["spec"]["podSelector"], dict(own.labels))
        ]
        return (
            [rule for policy in selecting for rule in policy["spec"].get(direction.lower(), ())] if selecting else None
        )


def _peers(peers: Iterable[Mapping[str, Any]] | None, place: Place) -> bool:
    # No peers at all, or an empty list of them: everybody.
    return not peers or any(_peer(peer, place) for peer in peers)


def _peer(peer: Mapping[str, Any], place: Place) -> bool:
    if "ipBlock" in peer:
        block = peer["ipBlock"]
        return (
            bool(place.address)
            and _inside(place.address, block["cidr"])
            and not any(_inside(place.address, part) for part in block.get("except", ()))
        )
    if not place.namespace:
        return False
    spaces = _selects(peer["namespaceSelector"], {"kubernetes.io/metadata.name": place.namespace})
    return spaces and _selects(peer.get("podSelector", {}), dict(place.labels))


def _inside(address: str, network: str) -> bool:
    return ip_address(address) in ip_network(network)


def _selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    return bool(selector.get("matchLabels", {}).items() <= labels.items())


def _ports(ports: Iterable[Mapping[str, Any]] | None, protocol: str, port: int) -> bool:
    return not ports or any(
        entry["protocol"] == protocol.upper() and entry["port"] <= port <= entry.get("endPort", entry["port"])
        for entry in ports
    )
