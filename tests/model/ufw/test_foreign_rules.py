"""Rules of others are told from ufw's, compared without counters, and found where they decide in ufw's stead."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from model.ufw.builtin import undeclared
from model.ufw.foreign_rules import Rulesets, changed, deciding, others, removal_of
from tests.model.ufw.test_state import REFERENCE, TESTS
from tests.model.ufw.ufw_data import file, saved
from tests.mutation import loaded

_NAT = "*nat\n:PREROUTING ACCEPT [{n}:0]\n:KUBE-SERVICES - [0:0]\n-A PREROUTING -j KUBE-SERVICES\nCOMMIT\n"


def rulesets(v4: str | None = None, nft: str = "", legacy: str = "") -> Rulesets:
    return Rulesets({4: saved(4) if v4 is None else v4, 6: saved(6)}, {4: legacy, 6: ""}, nft)


def _before_ufw(*lines: str) -> str:
    first = "-A INPUT -j ufw-before-logging-input\n"
    assert first in saved(4)
    return saved(4).replace(first, "".join(f"{line}\n" for line in lines) + first)


def test_a_host_with_ufw_alone_has_no_rules_of_others() -> None:
    assert others(rulesets()) == ()
    assert deciding(rulesets()) == ()


def test_counters_are_no_change() -> None:
    assert changed(rulesets(saved(4) + _NAT.format(n=1)), rulesets(saved(4) + _NAT.format(n=999))) == ""


@pytest.mark.parametrize("line", ["-A INPUT -s 192.0.2.1/32 -j DROP", "-A FORWARD -j KUBE-FORWARD"])
def test_a_rule_of_others_that_appears_or_goes_is_a_change(line: str) -> None:
    assert line in changed(rulesets(), rulesets(_before_ufw(line)))
    assert line in changed(rulesets(_before_ufw(line)), rulesets())


def test_what_ufw_itself_gains_is_no_change_of_others() -> None:
    assert changed(rulesets("*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n"), rulesets()) == ""


@pytest.mark.parametrize("verdict", ["ACCEPT", "DROP", "REJECT --reject-with tcp-reset"])
def test_a_verdict_before_ufw_is_found(verdict: str) -> None:
    (rule,) = deciding(rulesets(_before_ufw(f"-A INPUT -p tcp -m tcp --dport 5432 -j {verdict}")))
    assert "5432" in rule
    assert "IPv4" in rule


def test_a_verdict_in_a_chain_of_others_is_found_unless_it_is_an_orchestrators() -> None:
    chain = "-A {name} -s 192.0.2.1/32 -j DROP"
    for name, count in (("my-chain", 1), ("KUBE-FIREWALL", 0)):
        text = _before_ufw(f"-A INPUT -j {name}", chain.format(name=name)).replace(
            "*filter\n", f"*filter\n:{name} - [0:0]\n"
        )
        assert len(deciding(rulesets(text))) == count


def test_loopback_is_admitted_by_ufw_itself_and_no_finding() -> None:
    assert deciding(rulesets(_before_ufw("-A INPUT -i lo -j ACCEPT"))) == ()
    assert len(deciding(rulesets(_before_ufw("-A INPUT -i eth0 -j ACCEPT")))) == 1


def _after_ufw(*lines: str, last: str = "-A INPUT -j ufw-track-input\n") -> str:
    assert last in saved(4)
    return saved(4).replace(last, last + "".join(f"{line}\n" for line in lines))


@pytest.mark.parametrize("last", ["-A INPUT -j ufw-track-input\n", "-A INPUT -j ufw-before-input\n"])
def test_an_admission_after_ufw_is_found_for_only_the_policy_drops(last: str) -> None:
    (rule,) = deciding(rulesets(_after_ufw("-A INPUT -p tcp -m tcp --dport 8888 -j ACCEPT", last=last)))
    assert "8888" in rule


def test_an_admission_after_ufw_is_found_in_a_chain_of_others_unless_it_is_an_orchestrators() -> None:
    for name, count in (("my-chain", 1), ("KUBE-NODEPORTS", 0), ("cali-INPUT", 0)):
        text = _after_ufw(f"-A INPUT -j {name}", f"-A {name} -p tcp -m tcp --dport 8888 -j ACCEPT")
        assert len(deciding(rulesets(text.replace("*filter\n", f"*filter\n:{name} - [0:0]\n")))) == count


@pytest.mark.parametrize("verdict", ["DROP", "REJECT --reject-with icmp-port-unreachable"])
def test_a_refusal_after_what_ufw_admits_changes_nothing(verdict: str) -> None:
    rule = f"-A INPUT -s 192.0.2.1/32 -j {verdict}"
    assert deciding(rulesets(_after_ufw(rule))) == ()
    assert len(deciding(rulesets(_after_ufw(rule, last="-A INPUT -j ufw-before-logging-input\n")))) == 1


@pytest.mark.parametrize(("way", "count"), [("jump", 1), ("goto", 1), ("counter", 0)])
def test_a_refusal_is_found_where_a_hooked_chain_of_nft_leads(way: str, count: int) -> None:
    def rule(chain: str, *parts: object) -> dict[str, object]:
        return {"rule": {"family": "inet", "table": "own", "chain": chain, "expr": list(parts)}}

    nft = json.loads(_nft(policy="accept", handle=7))
    nft["nftables"] += [
        rule("in", {way: {"target": "middle"}}),
        rule("middle", {"jump": {"target": "last"}}, {"goto": {"target": "in"}}),
        rule("last", {"drop": None}),
    ]
    assert len(deciding(rulesets(nft=json.dumps(nft)))) == count


def test_a_refusal_is_found_where_a_verdict_map_leads() -> None:
    place = {"family": "inet", "table": "own"}
    port = {"payload": {"protocol": "tcp", "field": "dport"}}
    for data in ("@verdicts", {"set": [[22, {"accept": None}], [80, {"jump": {"target": "last"}}]]}, "@unknown"):
        nft = json.loads(_nft(policy="accept", handle=7))
        nft["nftables"] += [
            {"map": {**place, "name": "verdicts", "map": "verdict", "elem": [[80, {"drop": None}]]}},
            {"rule": {**place, "chain": "in", "handle": 3, "expr": [{"vmap": {"key": port, "data": data}}]}},
            {"rule": {**place, "chain": "last", "handle": 4, "expr": [{"reject": None}]}},
        ]
        (rule,) = deciding(rulesets(nft=json.dumps(nft)))
        assert removal_of(rule) in ("nft delete rule inet own in handle 3", "nft delete rule inet own last handle 4")


def test_a_rule_is_taken_away_by_the_tool_that_has_it() -> None:
    rule = "-A INPUT -p tcp -m tcp --dport 80 -j DROP"
    (line,) = deciding(rulesets(_before_ufw(rule)))
    assert removal_of(line) == "iptables -D INPUT -p tcp -m tcp --dport 80 -j DROP"
    (line,) = deciding(rulesets(legacy=f"*filter\n:INPUT ACCEPT [0:0]\n{rule}\nCOMMIT\n"))
    assert removal_of(line) == "iptables-legacy -D INPUT -p tcp -m tcp --dport 80 -j DROP"


def test_the_clusters_verdict_maps_are_its_own() -> None:
    node = (TESTS / "data" / "nft" / "node-w-1.json").read_text("utf-8")
    assert deciding(rulesets(nft=node)) == ()


def test_rules_of_the_older_iptables_and_of_nft_are_seen() -> None:
    legacy = "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -p tcp -m tcp --dport 80 -j DROP\nCOMMIT\n"
    assert any("legacy" in line for line in deciding(rulesets(legacy=legacy)))
    nft = _nft(policy="drop", handle=7)
    assert any("policy drop" in line for line in deciding(rulesets(nft=nft)))
    assert changed(rulesets(nft=nft), rulesets(nft=_nft(policy="drop", handle=8))) == ""
    assert "accept" in changed(rulesets(nft=nft), rulesets(nft=_nft(policy="accept", handle=7)))


def test_what_bootstrap_refuses_to_pods_is_ours_and_a_rule_that_somebody_adds_before_it_is_not() -> None:
    ours = json.loads((TESTS / "data" / "nft" / "node-w-1.json").read_text("utf-8"))
    assert deciding(rulesets(nft=json.dumps(ours))) == ()
    place = {"family": "inet", "table": "matrix_fleet", "chain": "pod_input"}
    ours["nftables"].append({"rule": {**place, "expr": [{"drop": None}]}})
    assert deciding(rulesets(nft=json.dumps(ours))) == ("nft inet matrix_fleet pod_input: drop",)


def test_tables_that_iptables_keeps_in_nft_are_not_counted_twice() -> None:
    table = {"table": {"family": "ip", "name": "filter", "handle": 1}}
    assert others(rulesets(nft=json.dumps({"nftables": [table]}))) == ()


def _nft(policy: str, handle: int) -> str:
    chain = {
        "family": "inet",
        "table": "own",
        "name": "in",
        "handle": handle,
        "type": "filter",
        "hook": "input",
        "prio": 0,
    }
    return json.dumps({"nftables": [{"metainfo": {"version": "1"}}, {"chain": {**chain, "policy": policy}}]})


def test_what_ufw_opens_by_itself_is_declared_in_the_reference() -> None:
    files = {f"/etc/ufw/before{'' if version == 4 else '6'}.rules": file("before", version) for version in (4, 6)}
    assert undeclared(REFERENCE, files) == ()


def test_an_opening_in_before_rules_that_no_row_declares_is_found() -> None:
    text = file("before", 4).replace("COMMIT", "-A ufw-before-input -p tcp --dport 8081 -j ACCEPT\nCOMMIT")
    assert undeclared(REFERENCE, {"/etc/ufw/before.rules": text}) == (
        "/etc/ufw/before.rules: -p tcp --dport 8081 -j ACCEPT",
    )


def test_without_its_row_a_builtin_opening_is_found() -> None:
    site = loaded(TESTS / "data" / "five-servers")
    rows = tuple(row for row in site.rows if row.builtin != "mdns")
    bare = replace(site, rows=rows)
    rule = undeclared(bare, {"/etc/ufw/before.rules": file("before", 4)})
    assert any("5353" in line for line in rule)
