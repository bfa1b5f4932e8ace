"""Pods of components: which of them stand for a word, whom they probe, and what is made of what was seen."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address
from typing import Any

import pytest

from model import bits
from model.verify.component_pods import component_pairs, controls, proven_rows, read_component_pods, with_ports
from model.verify.evidence import join
from model.verify.facts import FleetFacts
from model.verify.pairs import Pair
from model.verify.pod_rows import pod_cells
from model.verify.pods import ProbePod, is_component, is_pod, node_of
from model.verify.probing import AgentRecords, SeenStream, SentStream, WitnessRecord
from model.verify.verification import Verification
from tests.model.verify.simulation import reference

SITE = reference()
PROBES = tuple(
    ProbePod(node, (ip_address(f"10.244.{number}.2"), ip_address(f"fd44:0:0:{number}::2")), f"c{number}")
    for number, node in enumerate(("cp-1", "w-1", "db-1", "li-1"))
)
_PLACES = {
    "coredns": ("cp-1",),
    "cloudnative-pg": ("w-1",),
    "postgresql": ("db-1", "st-1"),
    "synapse": ("w-1",),
    "haproxy": ("st-1",),
    "ingress": ("w-1",),
}
COMPONENTS = tuple(
    ProbePod(node, (ip_address(f"10.244.{number}.{9 + index}"), ip_address(f"fd44::{number}:9{index}")), "c", word)
    for number, (word, nodes) in enumerate(_PLACES.items())
    for index, node in enumerate(nodes)
)


def every() -> tuple[Pair, ...]:
    return with_ports(SITE, component_pairs(SITE, PROBES, COMPONENTS))


def between(source: str, destination: str, version: int = 4) -> Pair:
    return next(
        pair
        for pair in every()
        if (pair.source, pair.destination, pair.address.version) == (source, destination, version)
    )


def opened(source: str, destination: str) -> set[int]:
    return set(bits.to_ports(between(source, destination).open("tcp")))


def pod(name: str, namespace: str, labels: dict[str, str], node: str = "w-1", **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {"nodeName": node, **spec},
        "status": {
            "podIPs": [{"ip": "10.244.5.2"}],
            "containerStatuses": [{"containerID": f"containerd://{name}", "state": {"running": {}}}],
        },
    }


INSTANCE = {"cnpg.io/cluster": "postgresql"}


def test_one_pod_stands_for_a_word_and_two_where_its_pods_speak_to_each_other() -> None:
    listed = [
        pod("postgresql-3", "matrix", INSTANCE, "st-1"),
        pod("postgresql-1", "matrix", INSTANCE, "db-1"),
        pod("postgresql-2", "matrix", INSTANCE, "db-1"),
        pod("haproxy-1", "matrix", {"matrix-fleet.io/pod": "haproxy"}, "w-1"),
        pod("haproxy-2", "matrix", {"matrix-fleet.io/pod": "haproxy"}, "st-1"),
        pod("dns", "kube-system", {"k8s-app": "kube-dns"}, "cp-1"),
        pod("somebody", "default", INSTANCE),
        pod("on-the-host", "matrix", {"matrix-fleet.io/pod": "synapse"}, hostNetwork=True),
    ]
    read = read_component_pods(SITE, listed)
    assert [(chosen.end, chosen.container) for chosen in read] == [
        ("coredns@cp-1", "dns"),
        ("haproxy@w-1", "haproxy-1"),
        ("postgresql@db-1", "postgresql-1"),
        ("postgresql@st-1", "postgresql-3"),
    ]
    assert all(is_pod(chosen.end) and is_component(chosen.end) for chosen in read)
    assert (node_of("postgresql@db-1"), is_component("pods@db-1"), is_component("db-1")) == ("db-1", False, False)


@pytest.mark.parametrize(
    ("source", "destination", "expected"),
    [
        ("synapse@w-1", "postgresql@db-1", {5432}),
        ("synapse@w-1", "haproxy@st-1", set()),
        ("haproxy@st-1", "synapse@w-1", {8008}),
        ("ingress@w-1", "haproxy@st-1", {8008}),
        ("haproxy@st-1", "postgresql@db-1", set()),
        ("postgresql@db-1", "postgresql@st-1", {5432, 8000}),
        ("cloudnative-pg@w-1", "postgresql@st-1", {5432, 8000}),
        ("synapse@w-1", "coredns@cp-1", {53}),
        ("synapse@w-1", "ingress@w-1", {8080, 8443}),
        ("pods@li-1", "coredns@cp-1", {53}),
        ("pods@db-1", "postgresql@st-1", set()),
        ("cp-1", "cloudnative-pg@w-1", {9443}),
        ("li-1", "cloudnative-pg@w-1", {9443}),
        ("cp-1", "postgresql@db-1", set()),
        ("db-1", "ingress@w-1", {8080, 8443}),
        ("haproxy@st-1", "w-1", set()),
        ("li-1", "ingress@w-1", set()),
        ("cloudnative-pg@w-1", "cp-1", {6443}),
        ("cloudnative-pg@w-1", "db-1", set()),
        ("synapse@w-1", "cp-1", set()),
    ],
)
def test_what_is_open_is_what_rows_say_between_these_two(source: str, destination: str, expected: set[int]) -> None:
    assert opened(source, destination) == expected
    assert between(source, destination, 6).border is between(source, destination).border is True


def test_ports_that_a_node_translates_to_a_pod_are_open_to_pods_there_that_it_may_hear() -> None:
    assert opened("synapse@w-1", "w-1") == {80, 443}
    assert opened("haproxy@st-1", "st-1") == set()


def test_before_pods_of_the_ingress_run_nothing_is_translated_and_policies_keep_pods_from_those_ports() -> None:
    early = [pod for pod in COMPONENTS if pod.word != "ingress"]
    pairs = [pair for pair in component_pairs(SITE, PROBES, early) if pair.destination == "w-1"]
    assert {pair.source for pair in pairs} >= {"synapse@w-1", "coredns@cp-1"}
    assert not any(pair.open("tcp") & (1 << 80 | 1 << 443) for pair in pairs)


def test_ports_of_all_rows_of_pods_are_tried() -> None:
    probed = set(bits.to_ports(between("synapse@w-1", "haproxy@st-1").probed["tcp"]))
    assert {53, 5432, 6379, 8008, 9443, 10250} <= probed


def test_a_node_is_not_asked_whether_it_reaches_its_own_pods_and_a_pod_is_seen_at_its_own_node() -> None:
    ends = {(pair.source, pair.destination) for pair in every()}
    assert ("db-1", "postgresql@db-1") not in ends
    assert ("db-1", "postgresql@st-1") in ends
    assert not between("synapse@w-1", "w-1").border
    vouching = {(pair.source, pair.destination) for pair in controls(SITE, COMPONENTS)}
    assert ("db-1", "postgresql@db-1") in vouching


def test_a_node_comes_under_its_address_in_the_pod_network_and_a_pod_under_its_nodes() -> None:
    assert [str(mask) for mask in between("cp-1", "cloudnative-pg@w-1").masks] == ["10.244.0.0"]
    assert [str(mask) for mask in between("li-1", "cloudnative-pg@w-1", 6).masks] == ["fd44:0:0:3::"]
    assert [str(mask) for mask in between("cloudnative-pg@w-1", "cp-1").masks] == ["10.20.1.21"]


def seen(pair: Pair, ports: int, source: str = "") -> SeenStream:
    return SeenStream(
        source=pair.source,
        address=str(pair.address),
        protocol="tcp",
        arrived=ports,
        passed=ports,
        source_seen=source or str(pair.source_address),
        destination_seen=str(pair.address),
    )


def judged(pair: Pair, *rows: SeenStream, proven: bool = True) -> set[tuple[str, str, str, str]]:
    sent = SentStream(
        target=pair.destination,
        address=str(pair.address),
        protocol="tcp",
        sent=pair.probed["tcp"],
        refused=0,
        unroutable={},
        synack=0,
        rst=0,
        data=0,
        icmp={},
    )
    other = SeenStream(
        source="somebody",
        address=str(pair.address),
        protocol="tcp",
        arrived=2,
        passed=2,
        source_seen="10.9.9.9",
        destination_seen=str(pair.address),
    )
    elsewhere = {"elsewhere": WitnessRecord((seen(pair, 2),), (), 0)} if proven else {}
    records = AgentRecords(
        {pair.source: (sent,)}, {pair.destination: WitnessRecord((*rows, other), (), 0), **elsewhere}
    )
    evidence = join(SITE, [pair], records)
    everybody = frozenset({pair.source, pair.destination})
    verification = Verification(
        facts=FleetFacts(site=SITE, evidence=evidence, sources=everybody, witnesses=everybody, views={}),
        pairs=[evidence.settled(pair)],
    )
    assert not verification.disagreements
    return {
        (cell.expected, cell.seen, cell.verdict, cell.culprit) for cell in verification.cells if cell.protocol == "tcp"
    }


GOOD = {("open", "open", "ok", ""), ("closed", "closed", "ok", "")}


def test_what_a_policy_opens_arrives_and_what_it_closes_does_not() -> None:
    pair = between("synapse@w-1", "postgresql@db-1")
    assert judged(pair, seen(pair, pair.open("tcp"))) == GOOD


def test_a_policy_that_is_gone_shows_by_what_is_shut() -> None:
    pair = between("synapse@w-1", "postgresql@db-1")
    assert ("open", "closed", "violation", "path") in judged(pair)


def test_a_deny_that_is_gone_shows_by_what_comes_through() -> None:
    pair = between("haproxy@st-1", "postgresql@db-1")
    assert judged(pair, seen(pair, pair.probed["tcp"])) == {("closed", "open", "violation", "path")}


def test_silence_proves_nothing_where_nothing_shows_that_the_source_works() -> None:
    pair = between("haproxy@st-1", "postgresql@db-1")
    assert judged(pair, proven=False) == {("closed", "unknown", "unproven", "source")}


def test_a_node_hidden_behind_its_overlay_address_is_still_itself() -> None:
    pair = between("cp-1", "cloudnative-pg@w-1")
    assert judged(pair, seen(pair, pair.open("tcp"), "10.244.0.0")) == GOOD
    assert ("open", "open", "violation", "nat") in judged(pair, seen(pair, pair.open("tcp"), "10.20.1.1"))


def waiting(pairs: Iterable[Pair]) -> set[str]:
    return {cell.rows[0] for cell in pod_cells(SITE, "", proven_rows(pairs))}


def test_rows_that_pairs_are_about_are_not_said_to_wait() -> None:
    assert {"pod-postgresql", "pod-webhooks", "pod-dns-udp"} <= waiting(())
    assert not {"pod-postgresql", "pod-webhooks", "pod-dns-udp"} & waiting(every())
    assert "pod-redis" in waiting(every())
