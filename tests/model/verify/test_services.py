"""Which declared services must answer, at which address, held by whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_address

import pytest

from model import bits
from model.host.hostview import HostView, is_named
from model.packets.sockets import Listener
from model.report.words import Stage
from model.verify.pairs import Pair, endpoint_pairs, pairs
from model.verify.services import Services
from tests.model.packets.listening import listener
from tests.model.verify.simulation import reference

VIP = ip_address("10.20.1.10")
KUBELET = listener("tcp", "::", 10250, "kubelet")
PLANE = (
    KUBELET,
    listener("tcp", "::", 6443, "kube-apiserver"),
    listener("tcp", "::", 8443, "haproxy"),
    listener("tcp", "::", 10257, "kube-controller"),
    listener("tcp", "127.0.0.1", 2379, "etcd"),
    listener("tcp", "10.20.1.11", 2379, "etcd"),
    listener("tcp", "10.20.1.11", 2380, "etcd"),
)


def services(stage: str = "auto", **listeners: tuple[Listener, ...]) -> Services:
    views = {
        name.replace("_", "-"): HostView(chains={}, interfaces={}, listeners=seen_listeners)
        for name, seen_listeners in listeners.items()
    }
    return Services(reference(), views, Stage(stage))


def pair(source: str, destination: str, version: int = 4) -> Pair:
    return next(
        service
        for service in pairs(reference(), ("host",))
        if (service.source, service.destination, service.address.version) == (source, destination, version)
    )


def owed(problems: Services, at: Pair) -> set[int]:
    return set(bits.to_ports(problems.owed(at, "tcp")))


@pytest.mark.parametrize(
    ("process", "names", "same"),
    [
        ("kube-controller", {"kube-controller-manager"}, True),
        ("kube-apiserver", {"kube-apiserver"}, True),
        ("kube-proxy", {"kube-apiserver"}, False),
        ("", {""}, False),
    ],
)
def test_a_process_is_known_by_what_the_kernel_keeps_of_its_name(process: str, names: set[str], same: bool) -> None:
    assert is_named(process, names) is same


def test_a_running_cluster_owes_its_own_services_and_not_yet_those_of_the_rollout() -> None:
    problems = services(cp_1=PLANE, db_1=(KUBELET,), w_1=(KUBELET,))
    assert owed(problems, pair("w-1", "db-1")) == {10250, 10256}
    assert {2379, 2380, 6443, 8443, 10257, 10259} <= owed(problems, pair("cp-2", "cp-1"))


def test_stage_after_on_a_cluster_asks_for_it_on_every_host_and_for_the_rollout_where_it_is() -> None:
    postgres = listener("tcp", "0.0.0.0", 5432, "postgres")
    problems = services("after", cp_1=PLANE, db_1=(), w_1=(KUBELET,))
    assert owed(problems, pair("w-1", "db-1")) == {10250, 10256}
    problems = services("after", cp_1=PLANE, db_1=(postgres,))
    # Pods of w-1 that come with the rollout may scrape node-exporter, hidden behind their node.
    assert owed(problems, pair("w-1", "db-1")) == {5432, 9100, 10250, 10256}


def test_stage_after_without_a_cluster_asks_for_everything() -> None:
    assert {5432, 10250} <= owed(services("after", db_1=()), pair("w-1", "db-1"))


def test_a_service_of_one_family_owes_nothing_at_the_other_and_a_dead_one_owes_at_both() -> None:
    assert {2379, 2380} <= owed(services(cp_1=PLANE), pair("cp-2", "cp-1"))
    assert not {2379, 2380} & owed(services(cp_1=PLANE), pair("cp-2", "cp-1", 6))
    dead = tuple(service for service in PLANE if service.process != "etcd")
    assert {2379, 2380} <= owed(services(cp_1=dead), pair("cp-2", "cp-1", 6))


def test_a_service_on_loopback_alone_still_owes() -> None:
    local = (KUBELET, listener("tcp", "127.0.0.1", 10257, "kube-controller"))
    assert 10257 in owed(services(cp_1=local), pair("cp-2", "cp-1"))


def test_the_apis_own_address_owes_the_endpoint_alone() -> None:
    (first,) = [service for service in endpoint_pairs(reference(), {VIP: "cp-1"}) if service.source == "w-1"]
    assert (first.destination, first.address, first.border) == ("cp-1", VIP, False)
    assert owed(services(cp_1=PLANE), first) == {8443}


def test_across_the_border_only_the_endpoint_must_be_open_at_the_apis_own_address() -> None:
    (first,) = [service for service in endpoint_pairs(reference(), {VIP: "cp-1"}) if service.source == "li-1"]
    assert first.border
    assert list(bits.to_ports(first.open("tcp"))) == [8443]
    assert first.tolerated("tcp") >> 6443 & 1


def declared(problems: Services, at: Pair, protocol: str, listening: Mapping[int, str]) -> dict[int, frozenset[str]]:
    return problems.declared(at, protocol, listening)


def test_every_port_of_a_narrow_row_has_its_owner() -> None:
    names = declared(services(), pair("cp-2", "cp-1"), "tcp", {})
    assert names[2379] == names[2380] == {"etcd"}
    assert 30000 not in names


def test_who_listens_among_node_ports_must_be_the_one_the_row_names() -> None:
    assert declared(services(), pair("cp-1", "w-1"), "tcp", {30500: "nc"})[30500] == {"kube-proxy"}
    # A client's own UDP socket may lie in a wide row by chance.
    assert 30500 not in declared(services(), pair("cp-1", "w-1"), "udp", {30500: "chronyd"})


def test_a_fragment_of_a_wide_row_is_no_narrow_row() -> None:
    first = pair("cp-1", "w-1")
    cut = [service for service in first.openings if service.interval == (30000, 32767)]
    split = replace(first, openings=tuple(replace(service, interval=(30000, 30003)) for service in cut))
    assert declared(services(), split, "tcp", {}) == {}
