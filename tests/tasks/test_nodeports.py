"""Claims about the table that keeps Services' ports to the matrix's sources."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_network

import pytest

from model.matrix.nodeports import RANGE, gates, pod_gates
from model.site.hosts import Machine
from tasks.nodeports import FILE, UNIT, desired, ruleset
from tests.mutation import loaded
from tests.tasks.namespaces import NodeNamespace

SITE = loaded()
WORKER = SITE.by_name["w-1"]
OTHER_NODE, STRANGER, LI = "10.20.1.11", "10.20.1.250", "10.20.2.11"
POD, POD6 = "10.244.3.5", "fd44::3:5"
NODE, NODE6 = "10.20.1.21", "fd20:1::21"
# What kube-proxy does, in a table of its own: a node port, a cluster address, an external one; and a port of the host
# given to a pod.
KUBE_PROXY = f"""
table ip kube-proxy
delete table ip kube-proxy
table ip kube-proxy {{
  chain services {{
    type nat hook prerouting priority dstnat; policy accept;
    ip daddr {NODE} meta l4proto {{ tcp, udp }} th dport 30080 dnat to {POD}:8080
    ip daddr {{ {NODE}, 203.0.113.7 }} tcp dport {{ 443, 8446 }} dnat to {POD}:8080
    ip daddr 10.96.0.10 tcp dport 80 dnat to {POD}:8080
  }}
}}
table ip6 kube-proxy
delete table ip6 kube-proxy
table ip6 kube-proxy {{
  chain services {{
    type nat hook prerouting priority dstnat; policy accept;
    ip6 daddr {NODE6} tcp dport 30080 dnat to [{POD6}]:8080
  }}
}}
"""


def test_only_nodes_of_the_matrix_are_admitted_to_node_ports() -> None:
    admitted = {str(source) for gate in gates(SITE, WORKER, RANGE) if gate.admit for source in gate.sources}
    assert f"{OTHER_NODE}/32" in admitted
    assert f"{LI}/32" not in admitted
    assert f"{NODE}/32" not in admitted
    assert all(ip_network(network).prefixlen in (32, 128) for network in admitted)


def test_nobody_is_admitted_to_node_ports_of_an_isolated_node() -> None:
    assert gates(SITE, SITE.by_name["li-1"], RANGE) == ()


def test_a_node_with_two_legs_admits_at_the_one_of_its_roles() -> None:
    destinations = {str(gate.destination) for gate in gates(SITE, SITE.by_name["db-1"], RANGE)}
    assert destinations == {"10.20.1.31", "fd20:1::31"}


def test_refusals_stand_before_admissions() -> None:
    admissions = [gate.admit for gate in gates(SITE, WORKER)]
    assert admissions == sorted(admissions)
    assert not admissions[0]


@pytest.mark.parametrize("machine", SITE.servers, ids=lambda machine: machine.name)
def test_the_file_is_loaded_before_the_network_and_replaced_in_one_step(machine: Machine) -> None:
    state = desired(SITE, machine)
    text = state.files[0].text
    assert state.files[0].path == FILE
    assert state.files[0].reload == (UNIT,)
    assert text.index("delete table inet matrix_fleet") < text.index("chain node_ports")
    assert "Before=network-pre.target" in state.files[1].text


def test_another_matrix_has_another_digest() -> None:
    marks = {ruleset(SITE, machine).partition('comment "')[2].partition('"')[0] for machine in SITE.servers}
    assert len(marks) == len(SITE.servers)


@pytest.fixture(scope="module")
def node(real_machine: None) -> Iterator[NodeNamespace]:
    with NodeNamespace() as node:
        node.nft(KUBE_PROXY)
        yield node


@pytest.fixture
def guarded(node: NodeNamespace) -> NodeNamespace:
    node.nft(ruleset(SITE, WORKER))
    return node


def test_without_the_table_everybody_reaches_a_node_port(node: NodeNamespace) -> None:
    node.run("nft", "flush", "ruleset")
    node.nft(KUBE_PROXY)
    assert node.reaches(STRANGER, NODE, 30080)
    assert node.reaches(LI, NODE, 30080)


def test_the_matrixs_sources_reach_a_node_port_and_others_do_not(guarded: NodeNamespace) -> None:
    assert guarded.reaches(OTHER_NODE, NODE, 30080)
    assert not guarded.reaches(STRANGER, NODE, 30080)
    assert not guarded.reaches(LI, NODE, 30080)


def test_so_it_is_over_udp_and_ipv6(guarded: NodeNamespace) -> None:
    assert guarded.reaches(OTHER_NODE, NODE, 30080, "udp")
    assert not guarded.reaches(STRANGER, NODE, 30080, "udp")
    assert guarded.reaches("fd20:1::11", NODE6, 30080)
    assert not guarded.reaches("fd20:1::250", NODE6, 30080)


def test_a_port_given_to_a_pod_is_the_matrixs_too(guarded: NodeNamespace) -> None:
    assert guarded.reaches(STRANGER, NODE, 443)
    assert not guarded.reaches(LI, NODE, 443)
    assert not guarded.reaches(OTHER_NODE, NODE, 8446)


def test_an_external_address_of_a_service_is_the_matrixs_too(guarded: NodeNamespace) -> None:
    assert guarded.reaches(STRANGER, "203.0.113.7", 443)
    assert not guarded.reaches(STRANGER, "203.0.113.7", 8446)


def test_a_services_own_address_and_pods_are_left_alone(guarded: NodeNamespace) -> None:
    assert guarded.reaches(STRANGER, "10.96.0.10", 80)
    assert guarded.reaches(STRANGER, POD, 8080)


def test_a_pod_is_nobody_to_its_own_nodes_node_ports(guarded: NodeNamespace) -> None:
    assert not guarded.reaches(POD, NODE, 30080, where="pod")


def test_other_ports_of_the_host_are_left_to_its_firewall(guarded: NodeNamespace) -> None:
    assert guarded.reaches(STRANGER, NODE, 8080)
    assert not guarded.reaches(STRANGER, NODE, 30900)


def test_an_open_connection_outlives_a_reload(guarded: NodeNamespace) -> None:
    with guarded.connection(OTHER_NODE, NODE, 30080) as talk:
        guarded.nft(ruleset(SITE, WORKER))
        assert talk("still there") == "still there"


def test_it_stands_while_kube_proxy_and_the_firewall_rewrite_their_tables(guarded: NodeNamespace) -> None:
    guarded.nft(KUBE_PROXY)
    for program in ("iptables", "ip6tables"):
        guarded.run(program, "-F")
        guarded.run(program, "-X")
        guarded.run(program, "-t", "nat", "-F")
    assert guarded.reaches(OTHER_NODE, NODE, 30080)
    assert not guarded.reaches(STRANGER, NODE, 30080)


def test_reading_the_file_again_changes_nothing(guarded: NodeNamespace) -> None:
    before = guarded.run("nft", "-s", "list", "table", "inet", "matrix_fleet")
    guarded.nft(ruleset(SITE, WORKER))
    assert guarded.run("nft", "-s", "list", "table", "inet", "matrix_fleet") == before


def test_a_broken_file_leaves_the_table_as_it_was(guarded: NodeNamespace) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        guarded.nft(ruleset(SITE, WORKER) + "nonsense\n")
    assert not guarded.reaches(STRANGER, NODE, 30080)


@pytest.mark.parametrize("name", [machine.name for machine in SITE.servers])
def test_the_kernel_takes_every_servers_table(node: NodeNamespace, name: str) -> None:
    node.nft(ruleset(SITE, SITE.by_name[name]))


def test_a_pod_reaches_what_the_matrix_opens_to_pods_on_its_node_and_nothing_else(guarded: NodeNamespace) -> None:
    for pod, node in ((POD, NODE), (POD6, NODE6)):
        assert guarded.reaches(pod, node, 10250, where="pod")
        assert not guarded.reaches(pod, node, 8080, where="pod")
    assert not guarded.reaches(POD, NODE, 8080, "udp", where="pod")


def test_the_pod_networks_own_address_of_the_node_is_kept_alike(guarded: NodeNamespace) -> None:
    assert guarded.reaches(POD, "10.244.3.1", 10250, where="pod")
    assert not guarded.reaches(POD, "10.244.3.1", 8080, where="pod")


@contextmanager
def rule(node: NodeNamespace, *words: str) -> Iterator[None]:
    node.run("iptables", "-I", "INPUT", *words)
    try:
        yield
    finally:
        node.run("iptables", "-D", "INPUT", *words)


def test_whoever_accepts_pods_packets_before_the_firewall_opens_nothing(guarded: NodeNamespace) -> None:
    with rule(guarded, "-s", POD, "-j", "ACCEPT"):
        assert not guarded.reaches(POD, NODE, 8080, where="pod")


def test_without_the_table_it_would(node: NodeNamespace) -> None:
    node.nft("table inet matrix_fleet\ndelete table inet matrix_fleet")
    with rule(node, "-s", POD, "-j", "ACCEPT"):
        assert node.reaches(POD, NODE, 8080, where="pod")


def test_what_is_admitted_goes_on_to_the_hosts_firewall(guarded: NodeNamespace) -> None:
    with rule(guarded, "-p", "tcp", "--dport", "10250", "-j", "DROP"):
        assert not guarded.reaches(POD, NODE, 10250, where="pod")


def test_others_than_pods_and_answers_of_pods_are_left_alone(guarded: NodeNamespace) -> None:
    assert guarded.reaches(STRANGER, NODE, 8080)
    assert guarded.reaches("10.244.3.1", POD, 8080, where="node")
    assert guarded.reaches(NODE, NODE, 8080, where="node")


@contextmanager
def refused_by_icmp(node: NodeNamespace) -> Iterator[None]:
    """Other pods, and a Service without endpoints, are refused as kube-router and kube-proxy refuse."""
    networks = ("10.244.9.0/24", "10.96.0.99/32")
    routes = [("ip", "route", "{}", network, "dev", "eth0") for network in networks]
    rules = [("iptables", "{}", "FORWARD", "-d", network, "-j", "REJECT") for network in networks]
    for words in (*routes, *rules):
        node.run(*(word.format("add" if words[0] == "ip" else "-I") for word in words))
    try:
        yield
    finally:
        for words in (*rules, *routes):
            node.run(*(word.format("del" if words[0] == "ip" else "-D") for word in words))


def test_a_policys_refusal_leaves_no_error_in_a_pods_connection(guarded: NodeNamespace) -> None:
    with refused_by_icmp(guarded):
        assert not guarded.leaves_error(POD, "10.244.9.9", 6379)
        # Nobody is there: that is said at once, as before.
        assert guarded.leaves_error(POD, "10.96.0.99", 6379)


def test_without_the_table_it_does(node: NodeNamespace) -> None:
    node.nft("table inet matrix_fleet\ndelete table inet matrix_fleet")
    with refused_by_icmp(node):
        assert node.leaves_error(POD, "10.244.9.9", 6379)


def test_a_node_of_an_isolated_network_is_closed_to_its_pods() -> None:
    assert pod_gates(SITE, SITE.by_name["li-1"]) == ()


def test_a_network_that_holds_the_pods_is_narrowed_to_them() -> None:
    sources = {str(source) for gate in pod_gates(SITE, WORKER) for source in gate.sources}
    assert sources == {"10.244.0.0/16", "fd44::/56"}
