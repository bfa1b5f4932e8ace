"""V reads what stands before INPUT: it says so of unprobed ports, probes them, and names the rule."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest

from flows._render.cell_notices import cell_notices
from model import bits
from model.host.hostview import HostView
from model.packets.devices import DeviceProgram, Devices
from model.packets.kernel_rules import read
from model.packets.netfilter import ALL, Packet, parse
from model.packets.packet import RulesetVerdict
from model.packets.passage import judge
from model.report.report import Cell
from model.report.words import Plane
from model.verify.cells import cells
from model.verify.evidence import StreamEvidence
from model.verify.facts import StreamFacts
from model.verify.host_rulings import HostRulings
from model.verify.pairs import Pair, pairs
from model.verify.probed_ports import with_ports
from model.verify.verdicts import classify
from model.verify.views import view_of
from tests.model.packets.test_passage import EARLY, table
from tests.model.verify.simulation import reference
from tests.model.verify.test_verdicts import pair
from tests.tasks.scripted import facts

SITE = reference()
FILTER = "*filter\n:INPUT DROP [0:0]\n-A INPUT -p tcp -m tcp --dport 200:400 -j ACCEPT\nCOMMIT\n"
RANGE = bits.from_intervals([(200, 400)])
"""What the pair may reach."""
DEAD = bits.from_intervals([(250, 260)])


def ruled(text: str = "", nft: str = "") -> RulesetVerdict:
    known = read({4: FILTER + text, 6: ""}, {4: "", 6: ""}, nft)
    return judge(known, "in", Packet(ip_address("10.0.0.1"), ip_address("10.0.0.2"), "tcp", "eth0"))


def told(probed: int, evidence: StreamEvidence, verdict: RulesetVerdict) -> list[Cell]:
    asked = pair((200, 400), probed=probed)
    classes = classify(asked, "tcp", evidence, StreamFacts(ingress=verdict))
    return [cell for cell in cells(asked, "tcp", classes, evidence) if cell.verdict != "ok"]


def story(cell: Cell) -> tuple[int, int, str, str, str]:
    return cell.port_lo, cell.port_hi, cell.seen, cell.verdict, cell.culprit


REDIRECT = table("nat", "-A PREROUTING -p tcp -m tcp --dport 100 -j REDIRECT --to-ports 300")
ELSEWHERE = table("nat", "-A PREROUTING -p tcp -m tcp --dport 100 -j DNAT --to-destination 10.0.0.9:80")
SEVERAL = table("nat", "-A PREROUTING -p tcp -m tcp --dport 100 -j DNAT --to-destination 10.0.0.2:90-99")
DOCKERS = table("nat", "-A DOCKER -p tcp -m tcp --dport 100 -j REDIRECT --to-ports 300", "-A PREROUTING -j DOCKER")
PUBLISHED = table(
    "nat", "-A DOCKER ! -i docker0 -m tcp --dport 100 -j DNAT --to-destination 172.17.0.2:80", "-A PREROUTING -j DOCKER"
)
DROP = table("raw", "-A PREROUTING -p tcp -m tcp --dport 250:260 -j DROP")
DOUBT = table("raw", "-A PREROUTING -p tcp -m tcp --dport 250:260 -m set --match-set x src -j DROP")
BIT = 1 << 100
# What is as it should be beside them, and keeps their cells apart.
GOOD = bits.from_ports((249, 261, 300))
AROUND = GOOD | bits.from_ports((99, 101))
CASES = {
    "redirect-unprobed": (REDIRECT, 0, {}, (100, 100, "open", "violation", "nat")),
    "redirect-seen": (
        REDIRECT,
        BIT,
        {"arrived": BIT, "passed": BIT, "translated": BIT},
        (100, 100, "open", "violation", "nat"),
    ),
    "redirect-answered": (REDIRECT, BIT, {"arrived": BIT, "synack": BIT}, (100, 100, "open", "violation", "nat")),
    "redirect-silent": (REDIRECT, BIT, {"arrived": BIT}, (100, 100, "unknown", "unproven", "nat")),
    "elsewhere-unprobed": (ELSEWHERE, 0, {}, (100, 100, "unknown", "violation", "nat")),
    "elsewhere-silent": (ELSEWHERE, BIT, {"arrived": BIT}, (100, 100, "unknown", "violation", "nat")),
    "one-of-several-unprobed": (SEVERAL, 0, {}, (100, 100, "unknown", "unproven", "nat")),
    "one-of-several-silent": (SEVERAL, BIT, {"arrived": BIT}, (100, 100, "unknown", "unproven", "nat")),
    "by-dockers-name": (DOCKERS, 0, {}, (100, 100, "open", "violation", "nat")),
    "elsewhere-strayed": (
        ELSEWHERE,
        BIT,
        {"arrived": BIT, "strayed": BIT},
        (100, 100, "open", "violation", "nat"),
    ),
    "drop-unprobed": (DROP, 0, {}, (250, 260, "closed", "violation", "destination-firewall")),
    "drop-seen": (DROP, DEAD, {"arrived": DEAD}, (250, 260, "closed", "violation", "destination-firewall")),
    "doubt-unprobed": (DOUBT, 0, {}, (250, 260, "unknown", "unproven", "destination-firewall")),
    "doubt-seen": (DOUBT, DEAD, {"arrived": DEAD}, (250, 260, "closed", "violation", "destination-firewall")),
}


@pytest.mark.parametrize("name", sorted(CASES))
def test_a_rule_in_front_is_what_a_cell_says_and_names_and_its_step_takes_it_away(name: str) -> None:
    text, probed, seen, wanted = CASES[name]
    beside = {
        "sent": probed | AROUND,
        "arrived": seen.get("arrived", 0) | AROUND,
        "passed": seen.get("passed", 0) | GOOD,
    }
    (cell,) = told(probed | AROUND, StreamEvidence(**{**seen, **beside}), ruled(text))  # type: ignore[arg-type]
    assert story(cell) == wanted
    rule = next(line for line in text.splitlines() if line.startswith("-A"))
    assert f"by the rule iptables -t {text[1:].split()[0]} {rule}" in cell.note
    (notice,) = cell_notices([cell.to_json()])
    assert f"`iptables -t {text[1:].split()[0]} -D {rule.removeprefix('-A ')}`" in notice.next


@pytest.mark.parametrize(
    ("protocol", "probed", "seen", "wanted"),
    [
        ("tcp", 0, {}, ("unknown", "unproven", "nat")),
        ("tcp", BIT, {"arrived": BIT}, None),
        ("tcp", BIT, {"arrived": BIT, "synack": BIT}, ("open", "violation", "nat")),
        ("udp", 0, {}, ("unknown", "unproven", "nat")),
        ("udp", BIT, {"arrived": BIT}, ("unknown", "unproven", "nat")),
        ("udp", BIT, {"arrived": BIT, "icmp": {"3 10.0.0.2": BIT}}, None),
        ("udp", BIT, {"arrived": BIT, "data": BIT}, ("open", "violation", "nat")),
    ],
)
def test_what_a_container_takes_is_judged_by_what_comes_back(
    protocol: str, probed: int, seen: dict[str, Any], wanted: tuple[str, str, str] | None
) -> None:
    known = read({4: FILTER + PUBLISHED, 6: ""}, {4: "", 6: ""}, "")
    verdict = judge(known, "in", Packet(ip_address("10.0.0.1"), ip_address("10.0.0.2"), protocol, "eth0"))
    assert (verdict.rulings, verdict.published, verdict.contested & BIT) == ((), BIT, BIT)
    asked = replace(pair(), probed={protocol: probed})
    classes = classify(asked, protocol, StreamEvidence(sent=probed, **seen), StreamFacts(ingress=verdict))
    told = [(part.seen, part.verdict, part.culprit) for part, held in classes.items() if held & BIT]
    assert [part for part in told if part[1] != "ok"] == ([wanted] if wanted else [])


def test_a_doubtful_rule_over_ports_that_were_seen_open_leaves_them_proven() -> None:
    probed = DEAD | 1 << 300
    assert told(probed, StreamEvidence(sent=probed, arrived=probed, passed=probed), ruled(DOUBT)) == []


def test_an_open_port_that_is_led_away_is_nats() -> None:
    text = table("nat", "-A PREROUTING -p tcp -m tcp --dport 250 -j REDIRECT --to-ports 9")
    good = bits.from_ports((249, 251, 300))
    for sent in (good, good | 1 << 250):
        evidence = StreamEvidence(sent=sent, arrived=sent, passed=good)
        (cell,) = told(evidence.sent, evidence, ruled(text))
        assert story(cell) == (250, 250, "closed", "violation", "nat")
        assert "port 9" in cell.note or "REDIRECT" in cell.note


def test_ports_are_all_accounted_for() -> None:
    for text in (REDIRECT, ELSEWHERE, DROP, DOUBT, ""):
        verdict = ruled(text)
        led = 0
        for ruling in verdict.rulings:
            led |= ruling.ports if ruling.effect == "leads" else 0
        assert verdict.admitted | verdict.refused | verdict.uncertain | led == ALL


def rulings(text: str) -> HostRulings:
    """The site's db-1 with one table more in front of its firewall."""
    saved = dict.fromkeys((4, 6), FILTER + text)
    view = HostView(
        chains={version: parse(FILTER) for version in (4, 6)},
        interfaces={str(address): "eth0" for address in SITE.by_name["db-1"].own},
        rules=read(saved, {4: "", 6: ""}, ""),
    )
    return HostRulings(SITE, {"db-1": view})


@pytest.mark.parametrize("depth", ["boundaries", "sweep"])
def test_every_port_of_which_such_a_rule_decides_is_probed_where_it_decides(depth: str, any_pairs: list[Pair]) -> None:
    for text in (DROP, DOUBT):
        dealt = with_ports(SITE, any_pairs, depth, {}, None, rulings(text))  # type: ignore[arg-type]
        for chosen in dealt:
            hit = chosen.destination == "db-1"
            assert (chosen.probed["tcp"] & DEAD == DEAD) is hit or depth == "sweep"
            assert not hit or chosen.probed["tcp"] & DEAD == DEAD


def test_what_a_source_drops_at_its_interface_is_left_to_its_rules(any_pairs: list[Pair]) -> None:
    view = HostView(chains={4: parse(FILTER)}, rules=read({4: FILTER}, {4: "", 6: ""}, EARLY))
    source = any_pairs[0].source
    ruled_ports = HostRulings(SITE, {source: view})
    for chosen in with_ports(SITE, any_pairs, "full", {}, None, ruled_ports):
        mine = chosen.source == source and chosen.address.version == 4
        assert bool(chosen.probed["tcp"] >> 5432 & 1) is not mine
    egress = ruled_ports.egress(any_pairs[0], "tcp")
    asked = pair((200, 400), (5432, 5432), probed=AROUND)
    evidence = StreamEvidence(sent=AROUND, arrived=AROUND, passed=GOOD)
    classes = classify(asked, "tcp", evidence, StreamFacts(ingress=None, egress=egress))
    (cell,) = [cell for cell in cells(asked, "tcp", classes, evidence) if cell.verdict != "ok"]
    assert story(cell) == (5432, 5432, "unknown", "unproven", "source-egress")
    assert "nft netdev nd out handle" in cell.note


def test_a_ban_of_a_stranger_costs_no_probe(any_pairs: list[Pair]) -> None:
    banned = rulings(table("raw", "-A PREROUTING -s 192.0.2.7/32 -j DROP"))
    assert all(not banned.contested(chosen, protocol) for chosen in any_pairs for protocol in ("tcp", "udp"))


def test_chosen_ports_stay_the_chosen_ones(any_pairs: list[Pair]) -> None:
    dealt = with_ports(SITE, any_pairs, "boundaries", {}, {"tcp": 1, "udp": 0}, rulings(DROP))
    assert {chosen.probed["tcp"] for chosen in dealt} == {1}


@pytest.fixture
def any_pairs() -> list[Pair]:
    every = pairs(SITE, (Plane.HOST,))
    return [replace(chosen, probed={}) for chosen in every if chosen.destination in ("db-1", "w-1")][:40]


def test_all_ports_of_a_host_with_a_program_at_its_device_are_probed_and_none_of_others(any_pairs: list[Pair]) -> None:
    program = DeviceProgram(words="xdp at eth0 (`ip -d link show dev eth0`)", device="eth0", ways=frozenset({"in"}))
    told = facts()
    sets = replace(told.rulesets, devices=Devices(programs=(program,), bridges=frozenset()))
    links = tuple(("eth0", address) for address in SITE.by_name["db-1"].own)
    known = HostRulings(SITE, {"db-1": view_of("db-1", replace(told, rulesets=sets, addresses=links))})
    for one in any_pairs:
        here = known.contested(one, "tcp").bit_count()
        assert here == (65536 if one.destination == "db-1" else 0)
        ruled = known.ingress(one, "tcp", one.source_address)
        assert (ruled is not None and not ruled.admitted | ruled.refused) is (one.destination == "db-1")
