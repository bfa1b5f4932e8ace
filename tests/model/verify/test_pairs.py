"""Who probes whom and on how many ports, counted again by slow loops over the site's files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import pytest
import yaml

from model import bits
from model.site.site import Site
from model.verify.assignments import assignments
from model.verify.pairs import PROTOCOLS, Pair, pairs
from model.verify.probed_ports import Depth, count, with_ports
from tests.model.verify.simulation import INVENTORY
from tests.mutation import loaded

EVERY = ("host", "external")


@cache
def site() -> Site:
    return loaded()


@cache
def dealt(depth: Depth) -> tuple[Pair, ...]:
    return with_ports(site(), pairs(site(), EVERY), depth, {})


def read(name: str) -> Any:
    return yaml.safe_load((INVENTORY / name).read_text())


def servers() -> dict[str, dict[str, Any]]:
    """Hosts whose role is not a device's or an outsider's, from the files alone."""
    groups = read("groups.yaml")
    return {
        name: host
        for name, host in read("hosts.yaml").items()
        if groups[host["groups"][0]]["data"].get("kind", "server") == "server"
    }


def family(address: str) -> int:
    return 6 if ":" in address else 4


def by_hand() -> Iterator[tuple[str, str]]:
    """Every (source, address) of both planes, by loops over the files."""
    outside = read("hosts.yaml")["vantage-1"]["data"]["addresses"]["internet"]
    for source in servers():
        for target, host in servers().items():
            for addresses in host["data"]["addresses"].values():
                yield from ((source, address) for address in addresses if source != target)
        yield from ((source, address) for address in outside)
    for external in read("site.yaml")["external"].values():
        yield from (("vantage-1", address) for address in external["addresses"])


def boundaries_by_hand() -> set[int]:
    ports = set()
    for row in read("ports.yaml")["rows"]:
        for text in map(str, row.get("ports", ())):
            low, _, high = text.partition("-")
            first, last = int(low), int(high or low)
            for port in (first - 1, first, (first + last) // 2, last, last + 1):
                if 1 <= port <= 65535:
                    ports.add(port)
    return ports


def canonical(found: Iterable[tuple[str, str]]) -> Counter[tuple[str, str]]:
    texts = ((source, str(IPv6Address(text) if ":" in text else IPv4Address(text))) for source, text in found)
    return Counter(texts)


def test_every_ordered_pair_of_ends_meets_at_every_declared_address_of_both_families() -> None:
    result = Counter((pair.source, str(pair.address)) for pair in pairs(site(), EVERY))
    assert result == canonical(by_hand())
    assert set(result.values()) == {1}
    assert {family(address) for _, address in result} == {4, 6}


def test_a_source_speaks_from_its_own_network_in_the_family_of_the_address() -> None:
    for pair in pairs(site(), EVERY):
        assert pair.source_address.version == pair.address.version
        assert pair.source_address in site().by_name[pair.source].own


def test_boundaries_count_as_by_hand() -> None:
    assert count(dealt("boundaries")) == len(boundaries_by_hand()) * 2 * len(list(by_hand()))
    assert {frozenset(bits.to_ports(pair.probed["tcp"])) for pair in dealt("boundaries")} == {
        frozenset(boundaries_by_hand())
    }


def test_full_is_every_port_of_every_pair() -> None:
    assert count(dealt("full")) == 65535 * 2 * len(list(by_hand()))


def test_a_sweep_is_every_port_of_every_address_exactly_once() -> None:
    addresses = {address for _, address in canonical(by_hand())}
    assert count(dealt("sweep")) == 65535 * 2 * len(addresses)
    for protocol in PROTOCOLS:
        seen: dict[str, int] = {}
        for pair in dealt("sweep"):
            ports = pair.probed[protocol]
            assert not seen.get(str(pair.address), 0) & ports, "dealt to two sources"
            seen[str(pair.address)] = seen.get(str(pair.address), 0) | ports
        assert {bits.count(ports) for ports in seen.values()} == {65535}
        assert set(seen) == addresses


def test_a_sweep_deals_over_one_source_of_each_role() -> None:
    target = site().by_name["db-1"].own[0]
    sources = [pair.source for pair in dealt("sweep") if pair.address == target and pair.probed["tcp"]]
    roles = [site().by_name[source].roles[0] for source in sources]
    assert len(roles) == len(set(roles))
    assert {"control_plane", "worker", "storage", "call", "li", "monitoring", "database"} == set(roles)


def test_real_listeners_of_the_destination_are_probed_as_well() -> None:
    chosen = pairs(site(), EVERY)
    listening = with_ports(site(), chosen, "boundaries", {"w-1": {"tcp": 1 << 12345 | 1}})
    for pair in listening:
        assert (pair.probed["tcp"] >> 12345 & 1) == (pair.destination == "w-1")
        assert not pair.probed["tcp"] & 1, "port 0 is none"
    assert any(pair.external and pair.destination == "w-1" for pair in listening)


def test_chosen_ports_replace_the_depths_choice() -> None:
    only = {"tcp": bits.from_intervals([(1, 1024)])}
    result = with_ports(site(), pairs(site(), ("host",)), "full", {}, only)
    assert {(bits.count(pair.probed["tcp"]), pair.probed["udp"]) for pair in result} == {(1024, 0)}


def test_a_border_stands_exactly_between_different_networks_and_before_the_outside() -> None:
    hosts = servers()
    network = {
        address: name
        for host in hosts.values()
        for name, result in host["data"]["addresses"].items()
        for address in result
    }
    named = {str(IPv6Address(text) if ":" in text else IPv4Address(text)): name for text, name in network.items()}
    for pair in pairs(site(), EVERY):
        if pair.plane == "external":
            assert pair.border
        else:
            own = "li" if "li" in hosts[pair.source]["groups"] else "main"
            assert pair.border == (named[str(pair.address)] != own), pair


def test_across_the_li_border_nothing_but_the_named_flows_is_open() -> None:
    opened: dict[tuple[str, str], set[tuple[str, tuple[int, int]]]] = {}
    for pair in pairs(site(), ("host",)):
        if "li-1" in (pair.source, pair.destination):
            roles = ("+".join(site().by_name[pair.source].roles), "+".join(site().by_name[pair.destination].roles))
            result = {(other_pair.protocol, other_pair.interval) for other_pair in pair.openings}
            if str(pair.address) not in ("10.20.0.31", "fd20::31"):
                assert opened.setdefault(roles, result) == result, "hosts of one role differ"
            else:
                assert not result, "the management leg serves management only"
    overlay = ("udp", (8472, 8472))
    assert opened["li", "control_plane"] == {overlay, ("tcp", (6443, 6443)), ("tcp", (8443, 8443))}
    assert opened["li", "database"] == {overlay, ("tcp", (5432, 5432))}
    assert opened["li", "monitoring"] == {overlay}
    assert opened["control_plane", "li"] == {overlay, ("tcp", (10250, 10250))}
    assert opened["storage+worker", "li"] == opened["worker", "li"]
    assert opened["worker", "li"] == {overlay, ("tcp", (8000, 8000))}
    assert opened["database", "li"] == {overlay}


def external(name: str) -> dict[tuple[str, tuple[int, int]], tuple[str, ...]]:
    pair = next(pair for pair in pairs(site(), ("external",)) if pair.external == name)
    return {(other_pair.protocol, other_pair.interval): other_pair.rows for other_pair in pair.openings}


def test_the_external_plane_opens_the_active_rows_at_their_address_and_names_its_host() -> None:
    assert external("ingress") == {("tcp", (80, 80)): ("http",), ("tcp", (443, 443)): ("https",)}
    assert external("livekit") == {
        ("tcp", (7881, 7881)): ("livekit-ice-tcp",),
        ("udp", (7882, 7882)): ("livekit-media",),
    }
    result = {(pair.external, pair.destination) for pair in pairs(site(), ("external",)) if pair.external}
    assert result == {("ingress", "w-1"), ("turn", "call-1"), ("livekit", "call-2")}


def test_the_way_out_is_closed_after_installation_and_open_as_declared_before() -> None:
    def ways_out(where: Site) -> set[tuple[tuple[int, int], ...]]:
        result = (pair for pair in pairs(where, ("external",)) if not pair.external)
        return {tuple(other_pair.interval for other_pair in pair.openings) for pair in result}

    assert ways_out(site()) == {()}
    installing = replace(site(), settings=site().settings.model_copy(update={"egress": "open"}))
    assert ways_out(installing) == {((80, 80), (443, 443))}


def test_rows_that_overlap_at_one_external_address_are_cut_into_stretches() -> None:
    rows = {row.name: row for row in site().rows}
    wide = rows["turn-udp"].model_copy(update={"name": "wide", "ports": ("3000-4000",)})
    twice = rows["turn-udp"].model_copy(update={"name": "twice"})
    more = replace(site(), rows=(*site().rows, wide, twice))
    pair = next(pair for pair in pairs(more, ("external",)) if pair.external == "turn")
    result = {other_pair.interval: set(other_pair.rows) for other_pair in pair.openings if other_pair.protocol == "udp"}
    assert result == {
        (3000, 3477): {"wide"},
        (3478, 3478): {"turn-udp", "wide", "twice"},
        (3479, 4000): {"wide"},
        (49152, 65535): {"turn-relay"},
    }


@pytest.mark.parametrize("depth", ["boundaries", "sweep"])
def test_assignments_hold_every_probe_once(depth: Depth) -> None:
    given = assignments(dealt(depth), {"call-1": {3478: "stun"}})
    assert len({other_pair.source for other_pair in given}) == len(given)
    total = sum(
        bits.count(target.tcp) + bits.count(target.udp) for other_pair in given for target in other_pair.targets
    )
    assert total == count(dealt(depth))
    for other_pair in given:
        addresses = [target.address for target in other_pair.targets]
        assert len(addresses) == len(set(addresses))
        assert {family(address) for address in addresses} <= {
            family(address) for address in other_pair.source_addresses
        }
    asked = {target.name for other_pair in given for target in other_pair.targets if target.requests}
    assert asked == {"call-1"}


def test_a_host_behind_two_external_addresses_may_hold_rules_for_both_and_must_open_at_each_its_own() -> None:
    known = site()
    plans = known.settings.external
    both = {**plans, "livekit": plans["livekit"].model_copy(update={"targets": plans["turn"].targets})}
    shared = replace(known, settings=known.settings.model_copy(update={"external": both}))
    inbound = [pair for pair in pairs(shared, ("external",)) if pair.external]
    turn = next(pair for pair in inbound if pair.external == "turn")
    livekit = next(pair for pair in inbound if pair.external == "livekit")
    for protocol in PROTOCOLS:
        assert turn.tolerated(protocol) == livekit.open(protocol)
        assert livekit.tolerated(protocol) == turn.open(protocol)
        assert not turn.open(protocol) & livekit.open(protocol)
    assert turn.open("tcp")
    assert all(not pair.may for pair in inbound if pair.external == "ingress")
    assert all(not pair.may for pair in pairs(known, ("external",)))
