"""What iptables rules do with a packet: against real ufw, against a naive evaluator, and rule by rule."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model import bits
from model.packets.netfilter import ALL, Packet, RulesetVerdict, judge, parse

DATA = Path(__file__).parents[2] / "data" / "netfilter"
PEER, OWN = "10.20.1.12", "10.20.1.21"


def packet(source: str = PEER, protocol: str = "tcp", interface: str | None = "eth0") -> Packet:
    own = OWN if "." in source else "fd20:1::21"
    return Packet(ip_address(source), ip_address(own), protocol, interface)


def ports(*intervals: tuple[int, int]) -> int:
    return bits.from_intervals(intervals)


def judged(
    *rules: str, policy: str = "DROP", given: Packet | None = None, chains: tuple[str, ...] = ()
) -> RulesetVerdict:
    declared = "".join(f":{chain} - [0:0]\n" for chain in chains)
    text = f"*filter\n:INPUT {policy} [0:0]\n:OUTPUT ACCEPT [0:0]\n{declared}" + "".join(f"{rule}\n" for rule in rules)
    judgement = judge(parse(text + "COMMIT\n"), "INPUT", given or packet())
    assert judgement.admitted | judgement.refused | judgement.uncertain == ALL
    assert sum(map(bits.count, (judgement.admitted, judgement.refused, judgement.uncertain))) == bits.count(ALL)
    return judgement


def saved(name: str) -> str:
    return (DATA / name).read_text()


def test_real_ufw_admits_exactly_what_a_person_told_it() -> None:
    chains = parse(saved("ufw-0.36.2.iptables-save"))
    assert judge(chains, "INPUT", packet()) == RulesetVerdict(
        ports((6443, 6443), (2379, 2380)), ALL & ~ports((6443, 6443), (2379, 2380), (22, 22)), ports((22, 22))
    )
    assert judge(chains, "INPUT", packet(protocol="udp")).admitted == ports((8000, 8010))
    assert judge(chains, "INPUT", packet("10.20.1.13")).admitted == 0, "a deny stands before the subnet's allow"
    assert judge(chains, "INPUT", packet("10.20.2.11")).admitted == 0
    assert judge(chains, "OUTPUT", packet()).admitted == ALL


def test_real_ufw_of_ipv6_is_read_the_same_way() -> None:
    chains = parse(saved("ufw-0.36.2.ip6tables-save"))
    judgement = judge(chains, "INPUT", packet("fd20:1::12"))
    assert judgement.admitted == ports((5432, 5432), (9000, 9000))
    assert judgement.uncertain == ports((22, 22))
    assert judge(chains, "INPUT", packet("fd20:2::11")).admitted == 0
    assert judge(chains, "INPUT", packet("fd20:2::11", "udp")).admitted == ports((8000, 8010))


def test_ufws_own_openings_do_not_meet_a_probe() -> None:
    udp = judge(parse(saved("ufw-0.36.2.iptables-save")), "INPUT", packet(protocol="udp"))
    for port in (68, 1900, 5353):
        assert udp.refused >> port & 1, port


OneRule = tuple[str, *tuple[tuple[int, int], ...]]
ONE_RULE: list[OneRule] = [
    ("-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT", (22, 22)),
    ("-A INPUT -p tcp -m multiport --dports 22,80:90,65535 -j ACCEPT", (22, 22), (80, 90), (65535, 65535)),
    ("-A INPUT -p tcp -m tcp --dport 0:100 -m multiport --dports 90:200 -j ACCEPT", (90, 100)),
    ("-A INPUT -p tcp -m tcp ! --dport 1:65535 -j ACCEPT", (0, 0)),
    ("-A INPUT -p udp -m udp --dport 22 -j ACCEPT",),
    ("-A INPUT ! -p udp -j ACCEPT", (0, 65535)),
    ("-A INPUT -s 10.20.1.0/24 -j ACCEPT", (0, 65535)),
    ("-A INPUT ! -s 10.20.1.0/24 -j ACCEPT",),
    ("-A INPUT -d 10.20.1.22/32 -j ACCEPT",),
    ("-A INPUT ! -d 10.20.1.22/32 -p tcp -m tcp --dport 5 -j ACCEPT", (5, 5)),
    ("-A INPUT -i eth0 -j ACCEPT", (0, 65535)),
    ("-A INPUT -i eth+ -j ACCEPT", (0, 65535)),
    ("-A INPUT -i lo -j ACCEPT",),
    ("-A INPUT ! -i lo -p tcp -m tcp --dport 7 -j ACCEPT", (7, 7)),
    ("-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",),
    ("-A INPUT -m conntrack --ctstate NEW,RELATED -j ACCEPT", (0, 65535)),
    ("-A INPUT -m conntrack ! --ctstate NEW -j ACCEPT",),
    ("-A INPUT -m state --state INVALID -j ACCEPT",),
    ("-A INPUT -m addrtype --dst-type LOCAL -j ACCEPT", (0, 65535)),
    ("-A INPUT -m addrtype --dst-type UNICAST -j ACCEPT",),
    ("-A INPUT -m addrtype --dst-type BROADCAST,LOCAL -j ACCEPT", (0, 65535)),
    ("-A INPUT -m addrtype ! --dst-type LOCAL -j ACCEPT",),
    ("-A INPUT -m addrtype --src-type LOCAL -j ACCEPT",),
    ("-A INPUT -p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -j ACCEPT", (0, 65535)),
    ("-A INPUT -p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN -j ACCEPT",),
    ("-A INPUT -p tcp -m tcp --tcp-flags RST RST -j ACCEPT",),
    ("-A INPUT -p tcp -m tcp --sport 67 -j ACCEPT",),
    ("-A INPUT -p tcp -m tcp --sport 1024:65535 -j ACCEPT", (0, 65535)),
    ("-A INPUT -p tcp -m tcp ! --sport 67 -j ACCEPT", (0, 65535)),
    ("-A INPUT -p icmp -m icmp --icmp-type 8 -j ACCEPT",),
    ("-A INPUT -m mark --mark 0x8000/0x8000 -j ACCEPT",),
    ("-A INPUT -m mark ! --mark 0x8000/0x8000 -j ACCEPT", (0, 65535)),
    ("-A INPUT -m mark --mark 0x0/0xffff -j ACCEPT", (0, 65535)),
    ('-A INPUT -p tcp -m tcp --dport 9 -m comment --comment "-j DROP it\'s ! a \\"trap\\"" -j ACCEPT', (9, 9)),
]


@pytest.mark.parametrize("case", ONE_RULE, ids=[case[0] for case in ONE_RULE])
def test_one_rule_admits_exactly_the_ports_it_names(case: OneRule) -> None:
    rule, *intervals = case
    judgement = judged(rule)
    assert judgement.admitted == ports(*intervals)
    assert judgement.uncertain == 0


@pytest.mark.parametrize(
    "condition",
    [
        "-m limit --limit 3/min",
        "-m recent --update --seconds 30 --hitcount 6 --name DEFAULT --rsource",
        "-m hashlimit --hashlimit-upto 1/sec --hashlimit-name x",
        "-m owner --uid-owner 0",
        "-m set --match-set friends src",
        "-m whatever --new-thing 3",
        "-p tcp -m tcp --sport 40000:50000",
        "-m time --timestart 09:00:00 --timestop 18:00:00",
    ],
)
def test_what_a_header_does_not_decide_is_uncertain_for_exactly_the_ports_it_concerns(condition: str) -> None:
    dport = "-p tcp -m multiport --dports 22" if "-p" not in condition else "-m multiport --dports 22"
    judgement = judged(f"-A INPUT {condition} {dport} -j ACCEPT", "-A INPUT -p tcp -m tcp --dport 22:23 -j ACCEPT")
    assert judgement.uncertain == ports((22, 22))
    assert judgement.admitted == ports((23, 23))


def test_an_unknown_target_is_uncertain_and_a_logging_one_passes() -> None:
    assert judged("-A INPUT -p tcp -m tcp --dport 5 -j NFQUEUE --queue-num 1").uncertain == ports((5, 5))
    assert judged('-A INPUT -m limit --limit 1/s -j LOG --log-prefix "x "', "-A INPUT -j ACCEPT").admitted == ALL


def test_chains_return_go_back_and_goto_as_the_kernel_does() -> None:
    judgement = judged(
        "-A INPUT -j first",
        "-A INPUT -p tcp -m tcp --dport 10 -j ACCEPT",
        "-A first -p tcp -m tcp --dport 10 -j RETURN",
        "-A first -p tcp -m tcp --dport 20 -g second",
        "-A first -p tcp -m tcp --dport 10:30 -j ACCEPT",
        "-A second -p tcp -m tcp --dport 21 -j ACCEPT",
        chains=("first", "second"),
    )
    assert judgement.admitted == ports((10, 10), (11, 19), (21, 30))
    assert judged("-A INPUT -p tcp -m tcp --dport 1 -j RETURN", "-A INPUT -j DROP", policy="ACCEPT").admitted == 2


def test_chains_of_kubernetes_and_calico_before_ufw_are_walked() -> None:
    rules = (
        "-A INPUT -m comment --comment cali:Cz_u1IQiXIMmKD4c -j cali-INPUT",
        "-A INPUT -m conntrack --ctstate NEW -m comment --comment health -j KUBE-NODEPORTS",
        "-A INPUT -j KUBE-FIREWALL",
        "-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT",
        "-A KUBE-FIREWALL ! -s 127.0.0.0/8 -d 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP",
        "-A KUBE-FIREWALL -m mark --mark 0x8000/0x8000 -j DROP",
        "-A cali-INPUT -i cali+ -g cali-wl-to-host",
        "-A cali-INPUT -j MARK --set-xmark 0x0/0xf0000",
        "-A cali-INPUT -p tcp -m tcp --dport 23 -j MARK --set-xmark 0x10000/0x10000",
        '-A cali-INPUT -m comment --comment "accepted" -m mark --mark 0x10000/0x10000 -j ACCEPT',
        "-A cali-wl-to-host -j ACCEPT",
    )
    judgement = judged(*rules, chains=("cali-INPUT", "cali-wl-to-host", "KUBE-FIREWALL", "KUBE-NODEPORTS"))
    assert judgement.admitted == ports((22, 23)), "only what a rule before has marked"
    assert judgement.uncertain == 0


_ROUTER = ("KUBE-ROUTER-INPUT", "KUBE-POD-FW-A", "KUBE-NWPLCY-A", "KUBE-NWPLCY-DEFAULT")
_POD_FIREWALL = (
    '-A INPUT -m comment --comment "kube-router netpol - 4IA2OSFRMVNDXBVV" -j KUBE-ROUTER-INPUT',
    "-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT",
    "-A KUBE-ROUTER-INPUT -s 10.20.1.12/32 -j KUBE-POD-FW-A",
    "-A KUBE-ROUTER-INPUT -m mark --mark 0x20000/0x20000 -j ACCEPT",
    "-A KUBE-POD-FW-A -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
    "-A KUBE-POD-FW-A -s 10.20.1.12/32 -j {policy}",
    "-A KUBE-POD-FW-A -m mark ! --mark 0x10000/0x10000 -m limit --limit 10/min -j NFLOG --nflog-group 100",
    "-A KUBE-POD-FW-A -m mark ! --mark 0x10000/0x10000 -j REJECT --reject-with icmp-port-unreachable",
    "-A KUBE-POD-FW-A -j MARK --set-xmark 0x0/0x10000",
    "-A KUBE-POD-FW-A -j MARK --set-xmark 0x20000/0x20000",
    "-A KUBE-NWPLCY-DEFAULT -j MARK --set-xmark 0x10000/0x10000",
    "-A KUBE-NWPLCY-A {condition}-p tcp -m tcp --dport 5 -j MARK --set-xmark 0x10000/0x10000",
)


def pod_firewall(policy: str, condition: str = "", source: str = "10.20.1.12") -> RulesetVerdict:
    rules = [line.format(policy=policy, condition=condition) for line in _POD_FIREWALL]
    return judged(*rules, chains=_ROUTER, given=packet(source=source))


def test_a_pod_that_no_policy_holds_is_accepted_before_the_hosts_firewall() -> None:
    assert pod_firewall("KUBE-NWPLCY-DEFAULT").admitted == ALL
    assert pod_firewall("KUBE-NWPLCY-DEFAULT", source="10.20.1.13").admitted == ports((22, 22))


def test_a_pod_that_a_policy_holds_is_refused_what_it_does_not_open() -> None:
    judgement = pod_firewall("KUBE-NWPLCY-A")
    assert (judgement.admitted, judgement.refused) == (ports((5, 5)), ALL & ~ports((5, 5)))


def test_what_a_set_of_addresses_decides_is_uncertain_for_the_ports_it_concerns() -> None:
    judgement = pod_firewall("KUBE-NWPLCY-A", "-m set --match-set KUBE-DST-A dst ")
    assert (judgement.admitted, judgement.uncertain) == (0, ports((5, 5)))


def test_a_rule_for_an_interface_nobody_named_is_uncertain_save_for_loopback() -> None:
    nowhere = packet(interface=None)
    assert judged("-A INPUT -i eth0 -p tcp -m tcp --dport 5 -j ACCEPT", given=nowhere).uncertain == ports((5, 5))
    assert judged("-A INPUT -i lo -j ACCEPT", given=nowhere).refused == ALL
    assert judged("-A INPUT ! -i lo -j ACCEPT", given=nowhere).admitted == ALL


def test_vrrp_is_judged_as_one_port() -> None:
    vrrp = packet(protocol="vrrp")
    text = "*filter\n:INPUT DROP [0:0]\n-A INPUT -s 10.20.1.12/32 -p vrrp -j ACCEPT\nCOMMIT\n"
    assert judge(parse(text), "INPUT", vrrp) == RulesetVerdict(1, 0, 0)
    assert judge(parse(text.replace("vrrp", "112")), "INPUT", vrrp) == RulesetVerdict(1, 0, 0)
    assert judge(parse(text.replace("vrrp", "tcp")), "INPUT", vrrp) == RulesetVerdict(0, 1, 0)


def test_a_table_that_is_not_there_admits_everything_and_other_tables_are_passed_over() -> None:
    assert judge(parse(""), "INPUT", packet()).admitted == ALL
    nat = "*nat\n:INPUT ACCEPT [0:0]\n-A INPUT -j DROP\nCOMMIT\n*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n"
    assert judge(parse(nat), "INPUT", packet()).admitted == ALL


@pytest.mark.parametrize(
    "text",
    [
        "*filter\nhello\n",
        "*filter\n-I INPUT -j ACCEPT\n",
        "# Table `filter' contains incompatible base-chains, use 'nft' tool to list them.\n",
    ],
)
def test_text_that_is_not_the_whole_filter_table_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="iptables"):
        parse(text)


# A second, slow evaluator: one port and one rule at a time, from the same abstract rules that are rendered as text.
CHAINS = ("INPUT", "one", "two")
abstract = st.fixed_dictionaries(
    {
        "chain": st.sampled_from(CHAINS),
        "source": st.sampled_from([None, "10.20.1.12/32", "10.20.1.0/24", "10.20.2.0/24"]),
        "not_source": st.booleans(),
        "protocol": st.sampled_from([None, "tcp", "udp"]),
        "ports": st.lists(
            st.tuples(st.integers(0, 40), st.integers(0, 12)).map(lambda span: (span[0], span[0] + span[1])), max_size=3
        ),
        "not_ports": st.booleans(),
        "state": st.sampled_from([None, "NEW", "ESTABLISHED", "NEW,ESTABLISHED"]),
        "target": st.sampled_from(["ACCEPT", "DROP", "RETURN", "REJECT", "one", "two", "-g two", "LOG"]),
    }
)


def rendered(rule: dict[str, object]) -> str:
    words = [f"-A {rule['chain']}"]
    if rule["source"]:
        words.append(("! " if rule["not_source"] else "") + f"-s {rule['source']}")
    if rule["protocol"]:
        words.append(f"-p {rule['protocol']}")
        if rule["ports"]:
            intervals: Iterable[tuple[int, int]] = rule["ports"]  # type: ignore[assignment]
            listed = ",".join(f"{low}:{high}" if high > low else str(low) for low, high in intervals)
            words.append("-m multiport " + ("! " if rule["not_ports"] else "") + f"--dports {listed}")
    if rule["state"]:
        words.append(f"-m conntrack --ctstate {rule['state']}")
    target = str(rule["target"])
    return " ".join([*words, target if target.startswith("-g") else f"-j {target}"])


def naive(rules: list[dict[str, object]], chain: str, protocol: str, port: int) -> str:
    for rule in rules:
        if rule["chain"] != chain or not meets(rule, protocol, port):
            continue
        target = str(rule["target"])
        if target in ("ACCEPT", "DROP", "REJECT"):
            return target
        if target == "RETURN":
            return ""
        if target in CHAINS:
            if verdict := naive(rules, target, protocol, port):
                return verdict
        elif target.startswith("-g"):
            return naive(rules, "two", protocol, port)
    return ""


def meets(rule: dict[str, object], protocol: str, port: int) -> bool:
    inside = rule["source"] is None or (ip_address(PEER) in ip_network(str(rule["source"]))) != rule["not_source"]
    right = rule["protocol"] in (None, protocol)
    listed = any(low <= port <= high for low, high in rule["ports"])  # type: ignore[attr-defined]
    ported = not (rule["protocol"] and rule["ports"]) or listed != rule["not_ports"]
    return inside and right and ported and rule["state"] in (None, "NEW", "NEW,ESTABLISHED")


@given(st.lists(abstract, max_size=12), st.sampled_from(["ACCEPT", "DROP"]), st.sampled_from(["tcp", "udp"]))
def test_bitsets_judge_as_a_walk_of_single_ports_does(
    rules: list[dict[str, object]], policy: str, protocol: str
) -> None:
    acyclic = [
        rule
        for rule in rules
        if not (
            (rule["chain"] == "two" and rule["target"] in ("one", "two", "-g two"))
            or (rule["chain"] == "one" and rule["target"] == "one")
        )
    ]
    judgement = judged(*map(rendered, acyclic), policy=policy, given=packet(protocol=protocol), chains=CHAINS[1:])
    for port in range(60):
        verdict = naive(acyclic, "INPUT", protocol, port) or policy
        assert (judgement.admitted >> port & 1) == (verdict == "ACCEPT"), (port, verdict, [*map(rendered, acyclic)])


def test_a_loop_of_chains_ends_and_is_uncertain() -> None:
    assert judged("-A INPUT -j a", "-A a -j b", "-A b -j a", chains=("a", "b")).uncertain == ALL
