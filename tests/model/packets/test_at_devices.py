"""Where something stands at a device, the host's rules say nothing of what comes through it."""

from __future__ import annotations

import json
from dataclasses import replace
from ipaddress import ip_address

import pytest

from model.packets.devices import DeviceProgram, Devices
from model.packets.kernel_rules import KernelRules
from model.packets.packet import Packet, RulesetVerdict
from model.packets.passage import beside, judge
from model.packets.ruling import removal
from tests.model.packets.test_passage import OWN, SOURCE, rules

EVERY = (1 << 65536) - 1
XDP = DeviceProgram(words="xdp at eth0 (`ip -d link show dev eth0`)", device="eth0", ways=frozenset({"in"}))
OUT = DeviceProgram(
    words="tc at eth0 egress (`tc filter show dev eth0 egress`)", device="eth0", ways=frozenset({"out"})
)
GROUP = DeviceProgram(words="bpf program of the root cgroup, ingress (`bpftool cgroup show /sys/fs/cgroup`)")


def known(*programs: DeviceProgram, nft: str = "", **about: object) -> KernelRules:
    devices = replace(Devices(programs=programs, bridges=frozenset()), **about)  # type: ignore[arg-type]
    return replace(rules(nft=nft), devices=devices)


def incoming(at: KernelRules, interface: str | None = "eth0") -> RulesetVerdict:
    return judge(at, "in", Packet(SOURCE[4], OWN[4], "tcp", interface))


@pytest.mark.parametrize("program", [XDP, GROUP])
def test_all_that_comes_in_there_cannot_be_judged_and_is_probed(program: DeviceProgram) -> None:
    verdict = incoming(known(program))
    assert (verdict.admitted, verdict.refused) == (0, 0)
    assert verdict.uncertain == verdict.contested == EVERY & verdict.uncertain
    assert verdict.uncertain.bit_count() == 65536
    (ruling,) = verdict.rulings
    assert (ruling.effect, ruling.rule.words) == ("unknown", program.words)
    (named,) = beside(known(program), "in", Packet(None, OWN[4], "tcp", "eth0"))
    assert named.rule == ruling.rule


def test_what_goes_another_way_or_through_another_device_is_judged_as_ever() -> None:
    plain = incoming(known())
    assert plain.admitted == 1 << 10250
    assert incoming(known(OUT)) == plain
    assert incoming(known(XDP), "eth1") == plain
    assert incoming(known(XDP), None).uncertain, "nobody knows where it comes in"
    outward = judge(known(OUT), "out", Packet(OWN[4], SOURCE[4], "tcp", "eth0"))
    assert ([ruling.rule.words for ruling in outward.rulings], bool(outward.admitted)) == ([OUT.words], False)


def test_what_stands_below_a_vlan_or_a_bond_meets_its_packets() -> None:
    lower = {"bond0.5": ("bond0",), "bond0": ("eth0", "eth1")}
    assert incoming(known(XDP, lower=lower), "bond0.5").uncertain
    assert not incoming(known(replace(XDP, device="eth2"), lower=lower), "bond0.5").uncertain


def _bridge(hook: str = "input", policy: str = "accept", rule: bool = True) -> str:
    place = {"family": "bridge", "table": "t"}
    chain = {**place, "name": "c", "handle": 2, "type": "filter", "hook": hook, "prio": 0, "policy": policy}
    filled = [{"rule": {**place, "chain": "c", "handle": 3, "expr": [{"drop": None}]}}] if rule else []
    return json.dumps({"nftables": [{"table": {"family": "bridge", "name": "t"}}, {"chain": chain}, *filled]})


@pytest.mark.parametrize(
    ("nft", "bridges", "counts"),
    [
        (_bridge(), frozenset({"eth0"}), True),
        (_bridge("prerouting"), frozenset({"eth0"}), True),
        (_bridge(policy="drop", rule=False), frozenset({"eth0"}), True),
        (_bridge(), None, True),
        (_bridge(rule=False), frozenset({"eth0"}), False),
        (_bridge("forward"), frozenset({"eth0"}), False),
        (_bridge("output"), frozenset({"eth0"}), False),
        (_bridge(), frozenset({"docker0"}), False),
    ],
)
def test_rules_of_the_family_bridge_count_where_the_address_stands_at_a_bridge(
    nft: str, bridges: frozenset[str] | None, counts: bool
) -> None:
    verdict = incoming(known(nft=nft, bridges=bridges))
    assert bool(verdict.uncertain) is counts
    assert [ruling.rule.words for ruling in verdict.rulings] == [
        "rules of nft's family bridge (`nft -a list chain bridge t c`)"
    ] * counts


@pytest.mark.parametrize(
    ("words", "step"),
    [
        (XDP.words, "ip link set dev eth0 xdp off"),
        (OUT.words, "tc filter del dev eth0 egress"),
        (GROUP.words, "bpftool cgroup show /sys/fs/cgroup"),
        ("rules of nft's family bridge (`nft -a list chain bridge t c`)", "nft -a list chain bridge t c"),
    ],
)
def test_each_is_taken_away_or_shown_by_a_command(words: str, step: str) -> None:
    assert removal(words) == step


def test_an_address_of_another_version_is_met_as_well() -> None:
    packet = Packet(ip_address("fd20:1::11"), OWN[6], "udp", "eth0")
    assert judge(known(XDP), "in", packet).uncertain.bit_count() == 65536
