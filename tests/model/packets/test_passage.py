"""What stands before INPUT decides first, and whatever decides is named: tables as real kernels printed them."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

import pytest

from model import bits
from model.packets.kernel_rules import KernelRules, read
from model.packets.packet import Packet, RulesetVerdict
from model.packets.passage import beside, judge
from model.packets.ruling import Ruling

EARLY = (Path(__file__).parents[2] / "data" / "nft" / "early.json").read_text("utf-8")
NODE = (Path(__file__).parents[2] / "data" / "nft" / "node-w-1.json").read_text("utf-8")
OWN = {4: ip_address("10.20.1.21"), 6: ip_address("fd20:1::21")}
SOURCE = {4: ip_address("10.20.1.11"), 6: ip_address("fd20:1::11")}
FILTER = "*filter\n:INPUT DROP [0:0]\n-A INPUT -p tcp -m tcp --dport 10250 -j ACCEPT\nCOMMIT\n"
DOCKER = """*nat
:PREROUTING ACCEPT [0:0]
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80
COMMIT
*raw
:PREROUTING ACCEPT [0:0]
-A PREROUTING -d 172.17.0.2/32 ! -i docker0 -j DROP
COMMIT
"""
KUBE = """*nat
:PREROUTING ACCEPT [0:0]
:KUBE-SERVICES - [0:0]
:CNI-HOSTPORT-DNAT - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT
-A CNI-HOSTPORT-DNAT -p tcp -m multiport --dports 80,443 -j CNI-DN-1
-A CNI-DN-1 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.244.1.5:8080
-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS
COMMIT
*mangle
:PREROUTING ACCEPT [0:0]
:KUBE-KUBELET-CANARY - [0:0]
:cali-PREROUTING - [0:0]
-A PREROUTING -m comment --comment "cali:x" -j cali-PREROUTING
-A cali-PREROUTING -j DROP
-A PREROUTING -m conntrack --ctstate INVALID -j DROP
-A PREROUTING -p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN -m conntrack --ctstate NEW -j DROP
COMMIT
"""


def table(name: str, *rules: str, policy: str = "ACCEPT") -> str:
    return "\n".join([f"*{name}", f":PREROUTING {policy} [0:0]", *rules, "COMMIT", ""])


def rules(text: str = "", *, version: int = 4, legacy: str = "", nft: str = "") -> KernelRules:
    other = 10 - version
    return read({version: FILTER + text, other: FILTER}, {version: legacy, other: ""}, nft)


def judged(known: KernelRules, version: int = 4, interface: str | None = "eth0") -> RulesetVerdict:
    verdict = judge(known, "in", Packet(SOURCE[version], OWN[version], "tcp", interface), set(OWN.values()))
    assert not verdict.admitted & verdict.refused
    assert not (verdict.admitted | verdict.refused) & verdict.uncertain
    return verdict


def named(known: KernelRules, version: int = 4) -> list[Ruling]:
    """What D and C ask: any source."""
    return list(beside(known, "in", Packet(None, OWN[version], "tcp", "eth0"), set(OWN.values())))


def only(known: KernelRules, version: int = 4) -> Ruling:
    (seen,), (anybody,) = judged(known, version).rulings, named(known, version)
    assert (seen.rule, seen.ports) == (anybody.rule, anybody.ports)
    return seen


@pytest.mark.parametrize(("version", "tool"), [(4, "iptables"), (6, "ip6tables")])
def test_a_redirected_port_is_led_to_what_its_rules_do_with_the_other(version: int, tool: str) -> None:
    rule = "-A PREROUTING -p tcp -m tcp --dport 6000 -j REDIRECT --to-ports {}"
    led = only(rules(table("nat", rule.format(10250)), version=version), version)
    assert (led.effect, led.ports, led.to, led.landing) == ("leads", 1 << 6000, "port 10250", "admit")
    assert led.rule.removal == f"{tool} -t nat -D PREROUTING -p tcp -m tcp --dport 6000 -j REDIRECT --to-ports 10250"
    known = rules(table("nat", rule.format(9)), version=version)
    assert only(known, version).landing == "refuse"
    assert not (judged(known, version).admitted | judged(known, version).refused) >> 6000 & 1


@pytest.mark.parametrize(
    ("version", "to", "where"),
    [
        (4, "10.20.1.31:5432", "port 5432 of 10.20.1.31"),
        (4, "10.20.1.31", "the same port of 10.20.1.31"),
        (6, "[fd20:1::31]:5432", "port 5432 of fd20:1::31"),
        (6, "fd20:1::31", "the same port of fd20:1::31"),
        (4, "10.20.1.31-10.20.1.33", "one of several places"),
        (4, ":10250-10260", "one of several places"),
    ],
)
def test_what_is_led_to_another_host_is_not_this_hosts_to_judge(version: int, to: str, where: str) -> None:
    led = only(
        rules(table("nat", f"-A PREROUTING -p tcp -m tcp --dport 6000 -j DNAT --to-destination {to}"), version=version),
        version,
    )
    assert (led.effect, led.to, led.landing) == ("leads", where, "")


def test_a_translation_to_the_very_same_place_is_none() -> None:
    known = rules(table("nat", "-A PREROUTING -p tcp -m tcp --dport 10250 -j DNAT --to-destination 10.20.1.21:10250"))
    assert (judged(known).rulings, judged(known).admitted) == ((), 1 << 10250)


@pytest.mark.parametrize("name", ["raw", "mangle"])
@pytest.mark.parametrize("legacy", [False, True])
def test_a_drop_in_front_is_a_refusal_by_name(name: str, legacy: bool) -> None:
    text = table(name, "-A PREROUTING -p tcp -m tcp --dport 10250 -j DROP")
    known = rules(legacy=text) if legacy else rules(text)
    ruling, tool = only(known), "iptables-legacy" if legacy else "iptables"
    assert (ruling.effect, ruling.ports) == ("refuses", 1 << 10250)
    assert ruling.rule.words == f"{tool} -t {name} -A PREROUTING -p tcp -m tcp --dport 10250 -j DROP"
    assert not judged(known).admitted


def test_a_policy_that_drops_is_named_with_what_takes_it_back() -> None:
    ruling = only(rules(table("raw", policy="DROP")))
    assert ruling.rule.words == "iptables -t raw -P PREROUTING DROP"
    assert ruling.rule.removal == "iptables -t raw -P PREROUTING ACCEPT"


def test_the_older_iptables_drops_at_input_beside_the_newer() -> None:
    known = rules(legacy="*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -p tcp -m tcp --dport 10250 -j DROP\nCOMMIT\n")
    assert not judged(known).admitted
    assert [ruling.rule.tool for ruling in judged(known).rulings] == ["iptables-legacy"]


def test_a_mark_written_in_front_is_read_by_the_firewall() -> None:
    marked = table("mangle", "-A PREROUTING -p tcp -m tcp --dport 10250 -j MARK --set-xmark 0x1/0xffffffff")
    text = FILTER.replace("-A INPUT", "-A INPUT -m mark --mark 0x1 -j DROP\n-A INPUT", 1)
    assert not judge(
        read({4: text + marked, 6: ""}, {4: "", 6: ""}, ""), "in", Packet(SOURCE[4], OWN[4], "tcp", "eth0")
    ).admitted


NFT = {
    700: ("refuses", "own pre handle"),
    701: ("refuses", "own other handle"),
    800: ("refuses", "own pre handle"),
    810: ("unknown", "@banned"),
    820: ("unknown", "meta mark"),
    830: ("unknown", "limit"),
    840: ("unknown", "numgen"),
    902: ("leads", "redirect to :903"),
    904: ("leads", "dnat to 10.0.0.1:80"),
    950: ("unknown", "netdev nd in handle"),
    953: ("unknown", "inet own ing handle"),
    31050: ("refuses", "tcp dport 31000-31100 drop"),
}


@pytest.mark.parametrize("port", sorted(NFT))
def test_every_form_of_nftables_is_judged_or_said_not_to_be(port: int) -> None:
    effect, words = NFT[port]
    known = rules(nft=EARLY)
    for rulings in (judged(known).rulings, named(known)):
        (ruling,) = [ruling for ruling in rulings if ruling.ports >> port & 1]
        assert (ruling.effect, words in ruling.rule.words) == (effect, True), ruling.rule.words
        assert ruling.rule.removal.startswith("nft delete rule ")
    assert bool(judged(known).uncertain >> port & 1) is (effect == "unknown")
    assert not judged(known).admitted >> port & 1


def test_no_other_port_is_touched_by_them() -> None:
    everything = 0
    for ruling in judged(rules(nft=EARLY)).rulings:
        everything |= ruling.ports
    assert everything == bits.from_ports(NFT) | bits.from_intervals([(31000, 31100)])


def test_an_egress_chain_is_on_the_way_out_alone() -> None:
    known = rules(nft=EARLY)
    packet = Packet(OWN[4], ip_address("10.20.1.31"), "tcp", "eth0")
    (ruling,) = judge(known, "out", packet).rulings
    assert (ruling.effect, ruling.ports) == ("unknown", 1 << 5432)
    assert ruling.rule.removal.startswith("nft delete rule netdev nd out handle")


def test_what_a_newer_nft_tells_of_another_interface_is_nothing() -> None:
    told = EARLY.replace('"hook": "ingress",', '"hook": "ingress", "dev": ["eth9"],')
    assert told != EARLY
    assert not {950, 953} & {port for port in NFT for r in judged(rules(nft=told)).rulings if r.ports >> port & 1}
    mine = EARLY.replace('"hook": "ingress",', '"hook": "ingress", "dev": "eth0",')
    assert {r.effect for r in judged(rules(nft=mine)).rulings if r.ports & (1 << 950 | 1 << 953)} == {"refuses"}


@pytest.mark.parametrize("text", [DOCKER, KUBE], ids=["docker", "cluster"])
def test_what_docker_and_a_cluster_lead_to_their_containers_is_theirs(text: str) -> None:
    for known in (rules(text), rules(text, nft=NODE), rules(legacy=text)):
        assert (judged(known).rulings, named(known)) == ((), [])
        assert judged(known).admitted == 1 << 10250


def test_a_jump_on_a_condition_that_cannot_be_judged_counts_where_its_chain_decides() -> None:
    jump = "-A PREROUTING -m set --match-set some src -j OWN"
    for target, count in (("ACCEPT", 0), ("MARK --set-xmark 0x1/0x1", 0), ("RETURN", 0), ("DROP", 1)):
        known = rules(table("mangle", ":OWN - [0:0]", jump, f"-A OWN -p tcp -m tcp --dport 10250 -j {target}"))
        assert len(named(known)) == len(judged(known).rulings) == count


def test_a_doubtful_acceptance_makes_the_refusal_behind_it_doubtful() -> None:
    spared = "-A PREROUTING -m limit --limit 5/sec -j ACCEPT"
    ruling = only(rules(table("raw", spared, "-A PREROUTING -p tcp -m tcp --dport 10250 -j DROP")))
    assert (ruling.effect, ruling.ports) == ("unknown", 1 << 10250)


def test_a_match_that_says_nothing_by_options_is_a_doubt() -> None:
    assert only(rules(table("mangle", "-A PREROUTING -p tcp -m socket -j DROP"))).effect == "unknown"


def test_of_anybody_every_rule_is_named_and_no_doubt_hides_the_next() -> None:
    banned = [f"-A PREROUTING -s 192.0.2.{number}/32 -j DROP" for number in (1, 2)]
    known = rules(table("raw", *banned, "-A PREROUTING -p tcp -m tcp --dport 10250 -j DROP"))
    assert [ruling.effect for ruling in named(known)] == ["unknown", "unknown", "refuses"]
    assert [ruling.effect for ruling in judged(known).rulings] == ["refuses"]


def test_what_cannot_be_read_is_an_error() -> None:
    for text in ("nonsense", "# Table `raw' is incompatible, use 'nft' tool.\n*raw\n"):
        with pytest.raises(ValueError, match="iptables"):
            rules("*raw\n" + text if text == "nonsense" else text)
    with pytest.raises(ValueError, match="nft"):
        rules(nft="{")
