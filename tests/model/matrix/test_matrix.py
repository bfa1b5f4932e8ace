"""What the matrix opens is exactly what its rows say, from every source to every port."""

from __future__ import annotations

from functools import cache
from ipaddress import ip_address
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.base import Address
from model.matrix.matrix import Opening, boundary_ports, host_rules, openings
from model.site.hosts import Machine
from model.site.site import Site
from tests.data.li_border import ALLOWED
from tests.mutation import loaded, site

FIVE = Path(__file__).parents[2] / "data" / "five-servers"
SITES = {"reference": loaded(), "five-servers": loaded(FIVE)}
STRANGERS = (
    "10.20.0.77",
    "10.20.2.77",
    "198.51.100.77",
    "8.8.8.8",
    "10.244.3.3",
    "192.168.20.3",
    "192.168.20.200",
    "2001:db8::1",
)


@cache
def _edges(name: str) -> list[int]:
    return sorted(boundary_ports(SITES[name]) | {1, 65535})


def _naive(loaded: Site, source: Address, machine: Machine, address: Address, protocol: str, port: int) -> bool:
    """Walk the rules as the kernel does: the first that matches decides, and none means closed."""
    for rule in host_rules(loaded, machine):
        if rule.protocol != protocol or source not in rule.source or rule.destination not in (None, address):
            continue
        if rule.source.version == address.version and rule.interval[0] <= port <= rule.interval[1]:
            return rule.action == "allow"
    return False


def _open(among: tuple[Opening, ...], protocol: str, port: int) -> bool:
    return any(opening.protocol == protocol and opening.interval[0] <= port <= opening.interval[1] for opening in among)


@settings(max_examples=settings().max_examples * 3, deadline=None)
@given(st.data())
def test_openings_equal_the_rules_port_by_port(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(SITES)))
    loaded = SITES[name]
    machine = data.draw(st.sampled_from(loaded.servers))
    _, address = data.draw(st.sampled_from(machine.every))
    inside = [item for other in loaded.machines for _, item in other.every]
    source = data.draw(st.sampled_from([*inside, *map(ip_address, STRANGERS)]))
    protocol = data.draw(st.sampled_from(["tcp", "udp"]))
    result = openings(loaded, source, machine, address)
    for port in (*_edges(name), data.draw(st.integers(1, 65535))):
        assert _open(result, protocol, port) == _naive(loaded, source, machine, address, protocol, port), port


@pytest.mark.parametrize("name", SITES)
def test_openings_are_disjoint_and_name_their_rows(name: str) -> None:
    loaded = SITES[name]
    names = {row.name for row in loaded.active_rows}
    for machine in loaded.servers:
        for source in loaded.servers:
            for _, address in machine.every:
                result = openings(loaded, source.own[0], machine, address)
                spans = sorted((item.protocol, *item.interval) for item in result)
                assert all(first[0] != two[0] or first[2] < two[1] for first, two in pairwise(spans))
                assert all(item.rows and set(item.rows) <= names for item in result)


def test_exactly_the_named_flows_cross_the_li_border() -> None:
    loaded = SITES["reference"]
    li = loaded.by_name["li-1"]
    crossing = set()
    for machine in loaded.servers:
        if machine is not li:
            crossing |= _flows(loaded, li, machine) | _flows(loaded, machine, li)
    # db-1 has a leg in the management network, and may therefore do there what management may.
    managing = {("10.20.0.31", "10.20.2.11", "tcp", "22"), ("fd20::31", "fd20:2::11", "tcp", "22")}
    hosts = managing | {flow for flow in ALLOWED if "/" not in flow[0] and flow[1] != "10.20.1.10"}
    assert crossing == hosts
    assert _open(openings(loaded, ip_address("10.20.0.9"), li, li.own[0]), "tcp", 22)
    assert openings(loaded, ip_address("198.51.100.200"), li, li.own[0]) == ()


def _flows(loaded: Site, source: Machine, destination: Machine) -> set[tuple[str, str, str, str]]:
    return {
        (str(own), str(address), item.protocol, "-".join(map(str, dict.fromkeys(item.interval))))
        for _, own in source.every
        for _, address in destination.every
        if own.version == address.version
        for item in openings(loaded, own, destination, address)
    }


def test_isolated_network_is_not_meant_by_a_word_for_everybody() -> None:
    loaded = SITES["reference"]
    call = loaded.by_name["call-1"]
    assert _open(openings(loaded, ip_address("8.8.8.8"), call, call.own[0]), "udp", 3478)
    assert not _open(openings(loaded, ip_address("10.20.2.200"), call, call.own[0]), "udp", 3478)


def test_host_in_two_networks_is_managed_at_both_and_served_at_one() -> None:
    loaded = SITES["reference"]
    db = loaded.by_name["db-1"]
    manager, worker = ip_address("10.20.0.9"), ip_address("10.20.1.21")
    for _, address in db.every:
        if address.version == 4:
            assert _open(openings(loaded, manager, db, address), "tcp", 22)
    assert _open(openings(loaded, worker, db, ip_address("10.20.1.31")), "tcp", 5432)
    assert not _open(openings(loaded, worker, db, ip_address("10.20.0.31")), "tcp", 5432)


def test_host_with_two_roles_has_the_rules_of_both() -> None:
    loaded = SITES["reference"]
    rows = {rule.row for rule in host_rules(loaded, loaded.by_name["st-1"])}
    assert "s3" in rows
    database = loaded.by_name["db-2"]
    assert _open(openings(loaded, ip_address("10.20.1.41"), database, database.own[0]), "tcp", 5432)
    assert not _open(openings(loaded, ip_address("10.20.1.42"), database, database.own[0]), "tcp", 5432)


@pytest.mark.parametrize(
    ("cni", "opened"),
    [
        ({"name": "flannel", "mode": "vxlan"}, {("udp", 8472)}),
        ({"name": "calico", "mode": "vxlan"}, {("udp", 4789)}),
        ({"name": "calico", "mode": "bgp"}, {("tcp", 179)}),
        ({"name": "calico", "mode": "bgp", "typha": True}, {("tcp", 179), ("tcp", 5473)}),
        ({"name": "calico", "wireguard": True}, {("udp", 4789), ("udp", 51820), ("udp", 51821)}),
    ],
)
def test_only_the_chosen_pod_network_is_open(
    cni: dict[str, object], opened: set[tuple[str, int]], tmp_path: Path
) -> None:
    loaded = site(tmp_path, set={"site:cni": cni})
    worker, other = loaded.by_name["w-1"], loaded.by_name["w-2"]
    result = openings(loaded, other.own[0], worker, worker.own[0])
    ports = [("tcp", 179), ("tcp", 5473), ("udp", 4789), ("udp", 8472), ("udp", 51820), ("udp", 51821)]
    assert {pair for pair in ports if _open(result, *pair)} == opened


def test_feature_that_is_off_is_closed(tmp_path: Path) -> None:
    loaded = site(tmp_path, set={"site:features": {"turn": False}}, delete=["site:external.turn"])
    call = loaded.by_name["call-1"]
    assert not _open(openings(loaded, ip_address("8.8.8.8"), call, call.own[0]), "udp", 3478)


def test_boundary_ports_hold_each_interval_with_its_neighbours() -> None:
    ports = boundary_ports(SITES["reference"])
    for low, high in ((30000, 32767), (49152, 65535), (50000, 60000), (2379, 2380)):
        assert {low - 1, low, (low + high) // 2, high} <= ports
    assert 65536 not in ports
    assert {178, 179, 180, 51819, 51822} <= ports


def test_five_servers_have_as_many_rules_as_counted_by_hand() -> None:
    loaded = SITES["five-servers"]
    counts = {machine.name: len(host_rules(loaded, machine)) for machine in loaded.servers}
    assert counts == {"n-1": 68, "n-2": 62, "n-3": 62, "n-4": 36, "n-5": 41}
    # n-4 (worker, storage), by row and sources: ssh 1; from four other nodes kubelet, kube-proxy, NodePorts over TCP
    # and UDP, VXLAN: 5 x 4; S3 from the three others that hold worker, database or storage, and its console from one
    # network; node-exporter from monitoring; to kubelet and node-exporter from pods, whom the four other nodes may
    # hide.
    assert counts["n-4"] == 1 + 5 * 4 + 3 + 1 + 1 + 2 * (1 + 4)


def test_a_pod_that_its_node_hides_is_admitted_by_its_nodes_address_and_li_is_not() -> None:
    loaded = SITES["reference"]
    worker, storage, li = (loaded.by_name[name] for name in ("w-1", "st-1", "li-1"))
    ends = (loaded.by_name["w-2"].own[0], ip_address("10.244.7.7"))
    assert all(_open(openings(loaded, end, worker, worker.own[0]), "tcp", 9100) for end in ends)
    assert not _open(openings(loaded, li.own[0], storage, storage.own[0]), "tcp", 9100)
