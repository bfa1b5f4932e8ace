"""Rules in front of Services, as a real node's kernel printed them, and whom they keep away."""

from __future__ import annotations

import json
from ipaddress import ip_address
from pathlib import Path

import pytest

from model.packets.netfilter import ALL, RulesetVerdict
from model.verify.service_gate import before_firewall, gate

NODE = (Path(__file__).parents[2] / "data" / "nft" / "node-w-1.json").read_text("utf-8")
OWN = ip_address("10.20.1.21")


def word(source: str, port: int, protocol: str = "tcp", nft: str = NODE) -> str:
    source_dnat = ip_address(source)
    own = OWN if source_dnat.version == 4 else ip_address("fd20:1::21")
    return gate(nft, source_dnat, own, protocol, "eth0").on(port)


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
@pytest.mark.parametrize("source", ["10.20.1.11", "10.20.1.31", "fd20:1::31"])
def test_nodes_that_the_matrix_names_come_to_node_ports(source: str, protocol: str) -> None:
    assert [word(source, port, protocol) for port in (30000, 30080, 32767)] == ["admit"] * 3


@pytest.mark.parametrize("source", ["10.20.2.11", "10.244.5.2", "198.51.100.9", "fd20:2::11", "fd44:0:0:5::2"])
def test_nobody_else_does(source: str) -> None:
    assert [word(source, port) for port in (30000, 30080, 32767)] == ["refuse"] * 3


def test_other_ports_that_a_service_takes_are_kept_after_dnat() -> None:
    assert word("10.20.1.11", 9999) == "refuse"
    assert word("10.20.1.11", 10250) == "admit"
    # Port 443 is everybody's, but for LI.
    assert (word("198.51.100.9", 443), word("10.20.2.11", 443)) == ("admit", "refuse")


def test_without_our_table_everybody_is_admitted() -> None:
    objects = json.loads(NODE)["nftables"]
    bare = [entry for entry in objects if "matrix_fleet" not in json.dumps(entry)]
    assert word("198.51.100.9", 30080, nft=json.dumps({"nftables": bare})) == "admit"


def test_a_strangers_condition_on_where_dnat_leads_is_uncertain() -> None:
    chain = {"family": "ip", "table": "x", "name": "f", "handle": 1, "hook": "forward", "prio": -5, "type": "filter"}
    match = {"left": {"payload": {"protocol": "tcp", "field": "dport"}}, "op": "==", "right": 8080}
    rule = {"family": "ip", "table": "x", "chain": "f", "handle": 2, "expr": [{"match": match}, {"drop": None}]}
    nft = json.dumps({"nftables": [{"chain": chain}, {"rule": rule}]})
    assert word("10.20.1.11", 30080, nft=nft) == ""


@pytest.mark.parametrize("nft", ["", "no JSON", "{}"])
def test_rules_that_cannot_be_read_say_nothing(nft: str) -> None:
    assert gate(nft, ip_address("10.20.1.11"), OWN, "tcp", None).uncertain == ALL
    assert before_firewall(nft, ip_address("10.244.5.2"), OWN, "tcp").uncertain == ALL


def at_input(source: str, port: int, protocol: str = "tcp", nft: str = NODE) -> str:
    own = OWN if "." in source else ip_address("fd20:1::21")
    return before_firewall(nft, ip_address(source), own, protocol).on(port)


@pytest.mark.parametrize("source", ["10.244.5.2", "fd44:0:0:5::2"])
def test_pods_come_to_what_the_matrix_opens_to_them_and_to_nothing_else(source: str) -> None:
    assert [at_input(source, port) for port in (9100, 10250)] == ["admit"] * 2
    assert [at_input(source, port) for port in (22, 10256, 6443)] == ["refuse"] * 3
    assert at_input(source, 10250, "udp") == "refuse"


def test_others_are_left_to_the_hosts_firewall() -> None:
    assert at_input("10.20.1.11", 22) == "admit"


def test_without_our_table_pods_are_left_to_whoever_comes_next() -> None:
    bare = [entry for entry in json.loads(NODE)["nftables"] if "matrix_fleet" not in json.dumps(entry)]
    assert at_input("10.244.5.2", 22, nft=json.dumps({"nftables": bare})) == "admit"


def test_a_packet_must_pass_the_gate_and_the_firewall() -> None:
    gate, firewall = RulesetVerdict(0b0110, 0b0001, ALL & ~0b0111), RulesetVerdict(0b0011, 0b0100, ALL & ~0b0111)
    both = firewall.within(gate)
    assert (both.admitted, both.refused, both.uncertain) == (0b0010, 0b0101, ALL & ~0b0111)
