"""D and C name what decides in front of a host's firewall, for its own addresses and for nobody else's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from model.base import Address
from model.packets.devices import DeviceProgram, Devices
from model.report.outcome import Outcome
from model.ufw.early_rules import early_rules
from model.ufw.foreign_rules import Rulesets
from model.ufw.review import review
from tests.model.packets.test_passage import DOCKER, KUBE, table
from tests.model.ufw.test_state import REFERENCE
from tests.model.ufw.ufw_data import saved
from tests.tasks.scripted import facts

EARLY = (Path(__file__).parents[2] / "data" / "nft" / "early.json").read_text("utf-8")
DB = REFERENCE.by_name["db-1"]
RULES = {
    "redirect": (4, "nat", "-A PREROUTING -p tcp -m tcp --dport 6000 -j REDIRECT --to-ports 10250"),
    "dnat": (4, "nat", "-A PREROUTING -p tcp -m tcp --dport 6000 -j DNAT --to-destination 10.20.1.31:5432"),
    "redirect6": (6, "nat", "-A PREROUTING -p tcp -m tcp --dport 6000 -j REDIRECT --to-ports 10250"),
    "raw": (4, "raw", "-A PREROUTING -p tcp -m tcp --dport 31000:31100 -j DROP"),
    "mangle": (6, "mangle", "-A PREROUTING -p tcp -m tcp --dport 31000:31100 -j DROP"),
    "of-anybody": (4, "raw", "-A PREROUTING -s 192.0.2.7/32 -j DROP"),
    "set": (4, "raw", "-A PREROUTING -m set --match-set banned src -j DROP"),
}


def rulesets(version: int = 4, text: str = "", *, legacy: bool = False, nft: str = "") -> Rulesets:
    texts = {4: saved(4), 6: saved(6)}
    older = {4: "", 6: ""}
    chosen = older if legacy else texts
    chosen[version] += text
    return Rulesets(texts, older, nft)


def finding(sets: Rulesets, *interfaces: tuple[str, Address]) -> list[Outcome]:
    seen = replace(facts(), rulesets=sets, addresses=interfaces)
    return [outcome for outcome in review(REFERENCE, DB, seen).findings if outcome.subject == "foreign-rules"]


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("kind", sorted(RULES))
def test_a_rule_in_front_is_found_by_name_with_a_step_that_takes_it_away(kind: str, legacy: bool) -> None:
    version, where, rule = RULES[kind]
    sets = rulesets(version, table(where, rule), legacy=legacy)
    (ruling,) = early_rules(REFERENCE, DB, sets)
    assert rule.removeprefix("-A ") in ruling.words
    (outcome,) = finding(sets)
    assert outcome.status == "drift"
    assert ruling.words in outcome.message
    tool = f"ip{'6' if version == 6 else ''}tables{'-legacy' if legacy else ''}"
    assert f"`{tool} -t {where} -D {rule.removeprefix('-A ')}`" in outcome.next


def test_every_form_of_nftables_is_named_once() -> None:
    words = [ruling.rule.words for ruling in early_rules(REFERENCE, DB, rulesets(nft=EARLY))]
    assert len(words) == len(set(words))
    for part in ("31000-31100 drop", "vmap { 700", "vmap @verdicts", "@banned", "meta mark", "limit", "numgen"):
        assert any(part in word for word in words), part
    for part in ("redirect", "dnat", "netdev nd in", "own ing"):
        assert any(part in word for word in words), part
    assert not any(part in word for word in words for part in ("702", "accept ")) or "700" in " ".join(words)


def test_what_an_egress_chain_keeps_from_an_open_port_is_named() -> None:
    planes = REFERENCE.by_name["cp-1"]
    words = [ruling.rule.words for ruling in early_rules(REFERENCE, planes, rulesets(nft=EARLY))]
    assert ("netdev nd out" in " ".join(words)) is any("5432" in word for word in words if "out" in word)


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("version", [4, 6])
def test_a_refusal_in_output_is_found_where_it_keeps_the_host_from_an_open_port(version: int, legacy: bool) -> None:
    def kept(port: int) -> list[Outcome]:
        rule = f"-A OUTPUT -p tcp -m tcp --dport {port} -j DROP"
        if legacy:
            return finding(rulesets(version, table("filter", rule), legacy=True))
        sets = rulesets()
        first = sets.saved[version].replace("-A OUTPUT ", f"{rule}\n-A OUTPUT ", 1)
        return finding(Rulesets({**sets.saved, version: first}, sets.legacy, ""))

    (outcome,) = kept(10250)
    tool = f"ip{'6' if version == 6 else ''}tables{'-legacy' if legacy else ''}"
    assert f"`{tool} -t filter -D OUTPUT -p tcp -m tcp --dport 10250 -j DROP`" in outcome.next
    assert kept(9) == []


@pytest.mark.parametrize(
    ("rule", "found"),
    [
        ("-p tcp -m tcp --dport 443 -j DROP", True),
        ("-d 198.51.100.200/32 -p tcp -m tcp --dport 443 -j DROP", True),
        ("-d 10.20.1.1/32 -p udp -m udp --dport 53 -j DROP", True),
        ("-p udp -m udp --dport 443 -j DROP", False),
    ],
)
def test_what_keeps_a_host_from_servers_beyond_the_site_is_found(rule: str, found: bool) -> None:
    site = replace(REFERENCE, settings=REFERENCE.settings.model_copy(update={"egress": "open"}))
    text = f"*raw\n:OUTPUT ACCEPT [0:0]\n-A OUTPUT {rule}\nCOMMIT\n"
    told = [ruling.rule.text for ruling in early_rules(site, site.by_name["w-1"], rulesets(4, text))]
    assert told == [rule] * found


def test_a_refusal_behind_the_firewalls_own_admission_changes_nothing() -> None:
    assert finding(rulesets(4, table("filter", "-A OUTPUT -p tcp -m tcp --dport 10250 -j DROP"))) == []


@pytest.mark.parametrize("text", ["", DOCKER, KUBE], ids=["ufw-alone", "docker", "cluster"])
@pytest.mark.parametrize("legacy", [False, True])
def test_ordinary_hosts_have_none(text: str, legacy: bool) -> None:
    assert early_rules(REFERENCE, DB, rulesets(4, text, legacy=legacy)) == ()
    assert finding(rulesets(4, text, legacy=legacy)) == []


# As kube-proxy, kube-router, Calico and Cilium set them, in front of ufw's own.
CLUSTER = """:KUBE-FIREWALL - [0:0]
:KUBE-NODEPORTS - [0:0]
:KUBE-EXTERNAL-SERVICES - [0:0]
:KUBE-ROUTER-INPUT - [0:0]
:KUBE-POD-FW-A - [0:0]
:cali-INPUT - [0:0]
:cali-wl-to-host - [0:0]
:cali-from-host-endpoint - [0:0]
:CILIUM_INPUT - [0:0]
-A INPUT -m comment --comment "cali:Cz_u1IQiXIMmKD4c" -j cali-INPUT
-A INPUT -m comment --comment "cilium-feeder: CILIUM_INPUT" -j CILIUM_INPUT
-A INPUT -m comment --comment "kube-router netpol - 4IA2OSFRMVNDXBVV" -j KUBE-ROUTER-INPUT
-A INPUT -m comment --comment "kubernetes health check service ports" -j KUBE-NODEPORTS
-A INPUT -m conntrack --ctstate NEW -m comment --comment "externally-visible portals" -j KUBE-EXTERNAL-SERVICES
-A INPUT -j KUBE-FIREWALL
-A KUBE-FIREWALL ! -s 127.0.0.0/8 -d 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP
-A KUBE-FIREWALL -m mark --mark 0x8000/0x8000 -j DROP
-A KUBE-NODEPORTS -p tcp -m comment --comment "x/y health check node port" -m tcp --dport 31244 -j ACCEPT
-A KUBE-EXTERNAL-SERVICES -p tcp -m addrtype --dst-type LOCAL -m tcp --dport 30080 -j REJECT
-A KUBE-EXTERNAL-SERVICES -d 198.51.100.9/32 -p tcp -m tcp --dport 443 -j REJECT
-A KUBE-ROUTER-INPUT -d 10.96.0.0/12 -j RETURN
-A KUBE-ROUTER-INPUT -p tcp -m addrtype --dst-type LOCAL -m multiport --dports 30000:32767 -j RETURN
-A KUBE-ROUTER-INPUT -s 10.244.0.7/32 -j KUBE-POD-FW-A
-A KUBE-ROUTER-INPUT -m mark --mark 0x20000/0x20000 -j ACCEPT
-A KUBE-POD-FW-A -m mark ! --mark 0x10000/0x10000 -j REJECT
-A cali-INPUT -p udp -m multiport --dports 4789 -m set --match-set cali40all-vxlan-net src -j ACCEPT
-A cali-INPUT -p udp -m multiport --dports 4789 -j DROP
-A cali-INPUT -i cali+ -g cali-wl-to-host
-A cali-INPUT -m mark --mark 0x10000/0x10000 -j ACCEPT
-A cali-INPUT -j cali-from-host-endpoint
-A cali-wl-to-host -j ACCEPT
-A CILIUM_INPUT -m mark --mark 0x200/0xf00 -j ACCEPT
"""
LINKS = {address: "eth0" for _, address in DB.every}


def fronted(text: str, version: int = 4) -> Rulesets:
    """Chains of others in the filter table, in front of ufw's."""
    sets = rulesets(version)
    at = sets.saved[version].index("-A INPUT ")
    whole = f"{sets.saved[version][:at]}{text}{sets.saved[version][at:]}"
    return Rulesets({**sets.saved, version: whole}, sets.legacy, "")


def test_what_a_clusters_programs_do_where_the_firewall_stands_is_theirs() -> None:
    assert early_rules(REFERENCE, DB, fronted(CLUSTER), LINKS) == ()


NAMED = {
    "admits": ("-p tcp -m tcp --dport 6000 -j ACCEPT", "admits 6000/tcp"),
    "drops": ("-p tcp -m tcp --dport 5432 -j DROP", "refuses 5432/tcp"),
    "rejects": ("-p udp -m udp --dport 53 -j REJECT --reject-with icmp-port-unreachable", "refuses 53/udp"),
    "of-a-stranger": ("-s 192.0.2.7/32 -p tcp -m tcp --dport 6000 -j ACCEPT", "admits 6000/tcp"),
    "of-a-server": ("-s 10.20.1.11/32 -p tcp -m tcp --dport 5432 -j DROP", "refuses 5432/tcp"),
    "by-a-set": ("-p tcp -m tcp --dport 6000 -m set --match-set some src -j ACCEPT", "cannot be judged, of 6000/tcp"),
    "everything": ("-j ACCEPT", "admits"),
}


@pytest.mark.parametrize("name", ["KUBE-X", "KUBE-NODEPORTS", "cali-INPUT", "DOCKER", "CILIUM_INPUT", "CNI-X"])
@pytest.mark.parametrize("kind", sorted(NAMED))
def test_a_chain_with_a_clusters_name_is_walked_like_any_other(kind: str, name: str) -> None:
    rule, does = NAMED[kind]
    declared = "" if f":{name} " in CLUSTER else f":{name} - [0:0]\n"
    sets = fronted(f"{declared}{CLUSTER}-A INPUT -j {name}\n-A {name} {rule}\n")
    told = early_rules(REFERENCE, DB, sets, LINKS)
    assert {ruling.rule.chain for ruling in told} == {name}
    assert any(does in ruling.words for ruling in told)
    (outcome,) = finding(sets, *(("eth0", address) for _, address in DB.every))
    assert f"`iptables -t filter -D {name} " in outcome.next


def test_such_a_chain_leads_on_to_chains_of_others() -> None:
    text = ":KUBE-X - [0:0]\n:GUARD - [0:0]\n-A INPUT -j KUBE-X\n-A KUBE-X -j GUARD\n-A GUARD -p tcp -j DROP\n"
    (outcome,) = finding(fronted(text))
    assert "-A INPUT -j KUBE-X" in outcome.message


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize(
    ("target", "count"),
    [
        ("DNAT --to-destination 10.20.1.11:6443", 1),
        ("DNAT --to-destination 10.20.1.77:80", 1),
        ("REDIRECT --to-ports 10250", 1),
        ("DNAT --to-destination 172.17.0.2:80", 0),
        ("DNAT --to-destination 10.244.0.9:80", 0),
    ],
)
def test_a_chain_of_dockers_name_leads_to_no_machine_of_the_site(target: str, count: int, legacy: bool) -> None:
    rule = f"-A DOCKER ! -i docker0 -p tcp -m tcp --dport 6000 -j {target}"
    text = table("nat", ":DOCKER - [0:0]", "-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER", rule)
    assert len(early_rules(REFERENCE, DB, rulesets(4, text, legacy=legacy), LINKS)) == count


def test_the_clusters_own_tables_are_nobody_elses() -> None:
    node = (Path(__file__).parents[2] / "data" / "nft" / "node-w-1.json").read_text("utf-8")
    assert early_rules(REFERENCE, REFERENCE.by_name["w-1"], rulesets(nft=node)) == ()


def test_an_address_that_is_not_the_hosts_is_not_its_matter() -> None:
    assert early_rules(REFERENCE, DB, rulesets(4, table("raw", "-A PREROUTING -d 192.0.2.9/32 -j DROP"))) == ()


def test_what_comes_in_elsewhere_is_known_where_the_host_tells() -> None:
    sets = rulesets(4, table("raw", "-A PREROUTING -i wg0 -j DROP"))
    assert len(early_rules(REFERENCE, DB, sets)) == 1
    assert early_rules(REFERENCE, DB, sets, {address: "eth0" for _, address in DB.every}) == ()


def test_what_stands_at_a_device_hides_no_chain_behind_it() -> None:
    program = DeviceProgram(words="xdp at eth0 (`ip -d link show dev eth0`)", device="eth0", ways=frozenset({"in"}))
    sets = fronted(":KUBE-X - [0:0]\n-A INPUT -j KUBE-X\n-A KUBE-X -p tcp -m tcp --dport 6000 -j ACCEPT\n")
    sets = replace(sets, devices=Devices(programs=(program,), bridges=frozenset()))
    assert {ruling.rule.tool for ruling in early_rules(REFERENCE, DB, sets, LINKS)} == {"device", "iptables"}


@pytest.mark.parametrize("device", ["eth0", "eth9"])
def test_what_stands_at_the_device_of_the_hosts_addresses_is_named_once_with_a_step(device: str) -> None:
    program = DeviceProgram(
        words=f"tc at {device} ingress (`tc filter show dev {device} ingress`)", device=device, ways=frozenset({"in"})
    )
    sets = replace(rulesets(), devices=Devices(programs=(program,), bridges=frozenset()))
    found = finding(sets, *(("eth0", address) for _, address in DB.every))
    assert len(found) == (device == "eth0")
    if found:
        assert "`tc filter show dev eth0 ingress`" in found[0].message
        assert "`tc filter del dev eth0 ingress`" in found[0].next
