"""What a device's `nft -j list ruleset` holds, and which way its routes lead."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any

from model.base import Address, Network

# libnftables' name for every address family a chain may have that an IP packet meets.
FAMILIES = {4: ("inet", "ip"), 6: ("inet", "ip6")}


@dataclass(frozen=True, slots=True)
class NftRule:
    """One rule: its statements in order, and its handle, by which a person finds it on the device."""

    statements: tuple[Mapping[str, Any], ...]
    handle: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """
    A chain; `hook` is empty for one that is only jumped to. Chains of one hook run by ascending `priority`.

    `devices`: those of an ingress or egress chain, where nft tells them; older ones do not.
    """

    table: tuple[str, str]
    name: str
    rules: tuple[NftRule, ...]
    kind: str = ""
    hook: str = ""
    priority: int = 0
    policy: str = "accept"
    devices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NamedSet:
    """A named set or map; `steady` is false where packets or time change its elements."""

    elements: tuple[Any, ...]
    steady: bool


@dataclass(frozen=True, slots=True)
class Ruleset:
    """Chains and sets by (family, table, name); flow tables and objects do not decide who may pass."""

    chains: Mapping[tuple[str, str, str], Chain]
    sets: Mapping[tuple[str, str, str], NamedSet]

    def base(self, hook: str, version: int) -> list[Chain]:
        """Return the chains of a hook that an IP packet of this version meets, in the order it meets them."""
        families = (*FAMILIES[version], *(("netdev",) if hook in ("ingress", "egress") else ()))
        mine = [chain for chain in self.chains.values() if chain.hook == hook and chain.table[0] in families]
        return sorted(mine, key=lambda chain: chain.priority)


@dataclass(frozen=True, slots=True)
class PerimeterDevice:
    """What a device says of itself: its rules, its routes (network, interface), and its own addresses."""

    rules: Ruleset
    routes: tuple[tuple[Network, str], ...] = ()
    own: frozenset[Address] = field(default=frozenset())

    def interface(self, address: Address) -> str | None:
        """Return the interface the longest matching route leads to; None where no route is known."""
        routes = [(network.prefixlen, name) for network, name in self.routes if address in network]
        return max(routes)[1] if routes else None


def parse(text: str) -> PerimeterDevice:
    """
    Read `nft -j list ruleset`, or one object that holds beside `nftables` what `ip -j` says: `addresses`, `routes4`,
    `routes6`.

    Raises ValueError for anything else.
    """
    try:
        document = json.loads(text)
        rules = _rules(document["nftables"])
        own = [
            ip_address(entry["local"])
            for link in document.get("addresses", ())
            for entry in link.get("addr_info", ())
            if "local" in entry
        ]
        routes = [
            (_network(route["dst"], version), str(route["dev"]))
            for version, key in ((4, "routes4"), (6, "routes6"))
            for route in document.get(key, ())
            if "dev" in route and route.get("type", "unicast") == "unicast"
        ]
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"no ruleset as `nft -j` prints it: {type(error).__name__} {error}") from error
    return PerimeterDevice(rules, tuple(routes), frozenset(own))


def _network(text: str, version: int) -> Network:
    everything = "0.0.0.0/0" if version == 4 else "::/0"
    return ip_network(everything if text == "default" else text)


def _rules(objects: list[dict[str, Any]]) -> Ruleset:
    chains: dict[tuple[str, str, str], dict[str, Any]] = {}
    rules: dict[tuple[str, str, str], list[NftRule]] = {}
    sets: dict[tuple[str, str, str], NamedSet] = {}
    for entry in objects:
        ((kind, body),) = entry.items()
        if kind == "chain":
            chains[_key(body, "name")] = body
        elif kind == "rule":
            rules.setdefault(_key(body, "chain"), []).append(NftRule(tuple(body.get("expr", ())), int(body["handle"])))
        elif kind in ("set", "map"):
            unsteady = body.get("timeout") or {"dynamic", "timeout"} & set(body.get("flags", ()))
            sets[_key(body, "name")] = NamedSet(tuple(body.get("elem", ())), not unsteady)
    built = {key: _chain(body, tuple(rules.get(key, ()))) for key, body in chains.items()}
    return Ruleset(built, sets)


def _key(body: Mapping[str, Any], name: str) -> tuple[str, str, str]:
    return str(body["family"]), str(body["table"]), str(body[name])


def _chain(body: Mapping[str, Any], rules: tuple[NftRule, ...]) -> Chain:
    return Chain(
        table=(str(body["family"]), str(body["table"])),
        name=str(body["name"]),
        rules=rules,
        kind=str(body.get("type", "")),
        hook=str(body.get("hook", "")),
        priority=int(body.get("prio", 0)),
        policy=str(body.get("policy", "accept")),
        devices=_devices(body.get("dev", ())),
    )


def _devices(told: str | list[str]) -> tuple[str, ...]:
    return (told,) if isinstance(told, str) else tuple(told)
