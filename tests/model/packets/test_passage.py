"""What stands before INPUT decides first, and whatever decides is named: tables as real kernels printed them."""

from __future__ import annotations

import json
from ipaddress import ip_address, ip_network
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
:KUBE-NODEPORTS - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT
-A CNI-HOSTPORT-DNAT -p tcp -m multiport --dports 80,443 -j CNI-DN-1
-A CNI-DN-1 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.244.1.5:8080
-A KUBE-SERVICES -d 10.96.0.10/32 -p udp -m udp --dport 53 -j KUBE-SVC-1
-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS
-A KUBE-NODEPORTS -p tcp -m comment --comment "default/echo" -m tcp --dport 30080 -j KUBE-EXT-1
-A KUBE-EXT-1 -j KUBE-MARK-MASQ
-A KUBE-EXT-1 -j KUBE-SVC-1
-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
-A KUBE-SVC-1 ! -s 10.244.0.0/16 -d 10.96.0.10/32 -p udp -m udp --dport 53 -j KUBE-MARK-MASQ
-A KUBE-SVC-1 -m statistic --mode random --probability 0.50000000000 -j KUBE-SEP-1
-A KUBE-SVC-1 -j KUBE-SEP-2
-A KUBE-SEP-1 -s 10.244.1.5/32 -j KUBE-MARK-MASQ
-A KUBE-SEP-1 -p tcp -m tcp -j DNAT --to-destination 10.244.1.5:8080
-A KUBE-SEP-2 -p tcp -m tcp -j DNAT --to-destination 10.20.1.22:8080
COMMIT
*mangle
:PREROUTING ACCEPT [0:0]
:KUBE-KUBELET-CANARY - [0:0]
:cali-PREROUTING - [0:0]
-A PREROUTING -m comment --comment "cali:x" -j cali-PREROUTING
-A cali-PREROUTING -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A cali-PREROUTING -m mark --mark 0x10000/0x10000 -j ACCEPT
-A cali-PREROUTING -j cali-from-host-endpoint
-A cali-PREROUTING -m mark --mark 0x10000/0x10000 -j ACCEPT
:cali-from-host-endpoint - [0:0]
-A PREROUTING -m conntrack --ctstate INVALID -j DROP
-A PREROUTING -p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN -m conntrack --ctstate NEW -j DROP
COMMIT
"""


# What strangers may call a chain changes nothing of what it does.
NAMES = ("KUBE-X", "KUBE-SERVICES", "DOCKER", "DOCKER-USER", "cali-PREROUTING", "CNI-HOSTPORT-DNAT", "NETAVARK-X")
MACHINES = (ip_network("10.20.1.0/24"), ip_network("fd20:1::/64"))


def called(name: str, where: str, target: str, version: int = 4) -> KernelRules:
    """A chain that does this with 6000/tcp, in front of the firewall."""
    jump, rule = f"-A PREROUTING -j {name}", f"-A {name} -p tcp -m tcp --dport 6000 -j {target}"
    return rules(table(where, f":{name} - [0:0]", jump, rule), version=version)


def table(name: str, *rules: str, policy: str = "ACCEPT") -> str:
    return "\n".join([f"*{name}", f":PREROUTING {policy} [0:0]", *rules, "COMMIT", ""])


def rules(text: str = "", *, version: int = 4, legacy: str = "", nft: str = "") -> KernelRules:
    other = 10 - version
    return read({version: FILTER + text, other: FILTER}, {version: legacy, other: ""}, nft)


def judged(known: KernelRules, version: int = 4, interface: str | None = "eth0") -> RulesetVerdict:
    packet = Packet(SOURCE[version], OWN[version], "tcp", interface)
    verdict = judge(known, "in", packet, set(OWN.values()), MACHINES)
    assert not verdict.admitted & verdict.refused
    assert not (verdict.admitted | verdict.refused) & verdict.uncertain
    return verdict


def named(known: KernelRules, version: int = 4) -> list[Ruling]:
    """What D and C ask: any source."""
    return list(beside(known, "in", Packet(None, OWN[version], "tcp", "eth0"), set(OWN.values()), MACHINES))


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
        published = 1 << 8080 if text == DOCKER else 1 << 80 | 1 << 30080
        assert judged(known).published == judged(known).contested == published, "and the proof sends probes there"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("where", "target", "effect", "landing"),
    [
        ("raw", "DROP", "refuses", ""),
        ("mangle", "DROP", "refuses", ""),
        ("nat", "REDIRECT --to-ports 10250", "leads", "admit"),
        ("nat", "DNAT --to-destination 10.20.1.21:10250", "leads", "admit"),
        ("nat", "DNAT --to-destination 10.20.1.31:5432", "leads", ""),
        ("nat", "DNAT --to-destination 127.0.0.1:10250", "leads", ""),
        ("nat", "DNAT --to-destination 10.20.1.31-10.20.1.33", "leads", ""),
    ],
)
def test_the_name_of_a_chain_excuses_nothing_that_it_does(
    name: str, where: str, target: str, effect: str, landing: str
) -> None:
    ruling = only(called(name, where, target))
    assert (ruling.effect, ruling.landing, ruling.ports) == (effect, landing, 1 << 6000)
    assert ruling.rule.removal == f"iptables -t {where} -D {name} -p tcp -m tcp --dport 6000 -j {target}"


def test_a_chain_of_any_other_name_publishes_nothing() -> None:
    (ruling,) = judged(called("OWN", "nat", "DNAT --to-destination 172.17.0.2:80")).rulings
    assert (ruling.to, ruling.landing, ruling.away) == ("port 80 of 172.17.0.2", "", True)


def test_node_ports_alone_may_lead_to_an_end_of_a_service_at_a_node() -> None:
    led = only(called("KUBE-SEP-X", "nat", "DNAT --to-destination 10.20.1.31:5432"))
    assert (led.effect, led.ports) == ("leads", 1 << 6000)


def test_a_jump_that_cannot_be_judged_to_what_is_published_is_probed() -> None:
    text = DOCKER.replace("-A PREROUTING -m addrtype --dst-type LOCAL", "-A PREROUTING -m set --match-set some src")
    assert text != DOCKER
    verdict = judged(rules(text))
    assert (verdict.rulings, verdict.published) == ((), 1 << 8080)


@pytest.mark.parametrize(
    ("name", "count"),
    [("kube-proxy", 0), ("kube-proxy-2", 1), ("flannel-ipv4", 0), ("flannel", 1), ("calico", 0), ("calicos", 1)],
)
def test_a_table_of_nftables_is_the_clusters_by_its_whole_name(name: str, count: int) -> None:
    place = {"family": "ip", "table": name}
    port = {"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": 6000}}
    nft = {
        "nftables": [
            {"table": {"family": "ip", "name": name, "handle": 1}},
            {"chain": {**place, "name": "in", "handle": 2, "type": "filter", "hook": "prerouting", "prio": -1}},
            {"rule": {**place, "chain": "in", "handle": 3, "expr": [port, {"drop": None}]}},
        ]
    }
    assert len(named(rules(nft=json.dumps(nft)))) == count


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


OUTWARD = """*filter
:INPUT DROP [0:0]
:OUTPUT {policy} [0:0]
:ufw-user-output - [0:0]
:KUBE-FIREWALL - [0:0]
{rules}-A OUTPUT -j ufw-user-output
-A OUTPUT -j KUBE-FIREWALL
-A ufw-user-output -p tcp -m tcp --dport 25 -j DROP
-A KUBE-FIREWALL ! -s 127.0.0.0/8 -d 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP
-A KUBE-FIREWALL -m mark --mark 0x8000/0x8000 -j DROP
-A KUBE-FIREWALL -p udp -m udp --dport 4789 -m set --match-set cali40all-vxlan-net dst -j ACCEPT
COMMIT
"""


def outward(rules: str = "", policy: str = "ACCEPT") -> tuple[Ruling, ...]:
    """What D, C and the proof of ports are told of the filter table on the way out."""
    known = read({4: OUTWARD.format(rules=rules, policy=policy), 6: FILTER}, {4: "", 6: ""}, "")
    packet = Packet(OWN[4], SOURCE[4], "tcp", "eth0")
    verdict = judge(known, "out", packet)
    assert (verdict.rulings, bool(verdict.refused & 1 << 25)) == (beside(known, "out", packet), True)
    return verdict.rulings


def test_a_refusal_of_others_on_the_way_out_is_named_where_the_firewall_refuses_nothing() -> None:
    (ruling,) = outward("-A OUTPUT -p tcp -m tcp --dport 10250 -j DROP\n")
    assert (ruling.effect, ruling.ports) == ("refuses", 1 << 10250)
    assert ruling.rule.removal == "iptables -t filter -D OUTPUT -p tcp -m tcp --dport 10250 -j DROP"


@pytest.mark.parametrize("policy", ["ACCEPT", "DROP"])
def test_what_the_firewall_or_a_cluster_keeps_in_is_not_others(policy: str) -> None:
    assert outward(policy=policy) == ()


@pytest.mark.parametrize("name", ["KUBE-X", "cali-OUTPUT", "DOCKER"])
@pytest.mark.parametrize(("condition", "effect"), [("", "refuses"), (" -m set --match-set banned dst", "unknown")])
def test_a_refusal_on_the_way_out_is_others_whatever_its_chain_is_called(
    name: str, condition: str, effect: str
) -> None:
    rule = f"-A {name} -p tcp -m tcp --dport 10250{condition} -j DROP"
    (ruling,) = outward(f":{name} - [0:0]\n-A OUTPUT -j {name}\n{rule}\n")
    assert (ruling.effect, ruling.rule.chain, ruling.ports) == (effect, name, 1 << 10250)


def test_a_doubtful_admission_on_the_way_out_changes_nothing_where_all_goes_out() -> None:
    assert outward("-A OUTPUT -p tcp -m tcp --dport 10250 -m set --match-set some dst -j ACCEPT\n") == ()
