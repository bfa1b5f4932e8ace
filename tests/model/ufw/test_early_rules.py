"""D and C name what decides in front of a host's firewall, for its own addresses and for nobody else's."""

from __future__ import annotations

from pathlib import Path

import pytest

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


def finding(sets: Rulesets) -> list[Outcome]:
    seen = facts()
    object.__setattr__(seen, "rulesets", sets)
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


@pytest.mark.parametrize("text", ["", DOCKER, KUBE], ids=["ufw-alone", "docker", "cluster"])
@pytest.mark.parametrize("legacy", [False, True])
def test_ordinary_hosts_have_none(text: str, legacy: bool) -> None:
    assert early_rules(REFERENCE, DB, rulesets(4, text, legacy=legacy)) == ()
    assert finding(rulesets(4, text, legacy=legacy)) == []


def test_the_clusters_own_tables_are_nobody_elses() -> None:
    node = (Path(__file__).parents[2] / "data" / "nft" / "node-w-1.json").read_text("utf-8")
    assert early_rules(REFERENCE, REFERENCE.by_name["w-1"], rulesets(nft=node)) == ()


def test_an_address_that_is_not_the_hosts_is_not_its_matter() -> None:
    assert early_rules(REFERENCE, DB, rulesets(4, table("raw", "-A PREROUTING -d 192.0.2.9/32 -j DROP"))) == ()


def test_what_comes_in_elsewhere_is_known_where_the_host_tells() -> None:
    sets = rulesets(4, table("raw", "-A PREROUTING -i wg0 -j DROP"))
    assert len(early_rules(REFERENCE, DB, sets)) == 1
    assert early_rules(REFERENCE, DB, sets, {address: "eth0" for _, address in DB.every}) == ()
