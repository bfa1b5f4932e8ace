"""What ufw should hold on a host is what the port matrix says, and nothing else."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

import pytest

from model.matrix.matrix import host_rules, openings
from model.site.site import Site
from model.ufw.kernel import EMPTY
from model.ufw.rule import parse
from model.ufw.state import AFTER, BEFORE, CONF, DEFAULTS, USER, admits, desired_rules, desired_state
from model.ufw.text import option
from tests.model.ufw.ufw_data import file
from tests.mutation import loaded

TESTS = Path(__file__).parents[2]
REFERENCE = loaded()
FIVE = loaded(TESTS / "data" / "five-servers")
SITES = pytest.mark.parametrize("site", [REFERENCE, FIVE], ids=["reference", "five-servers"])


@SITES
def test_refusals_come_before_what_they_are_exceptions_of(site: Site) -> None:
    for machine in site.servers:
        for version in (4, 6):
            actions = [rule.action for rule in desired_rules(site, machine, version)]
            assert actions == sorted(actions, key=("deny", "allow").index)


@SITES
def test_ufw_never_sees_the_same_rule_twice(site: Site) -> None:
    for machine in site.servers:
        for version in (4, 6):
            rules = [rule.uncommented for rule in desired_rules(site, machine, version)]
            assert len(rules) == len(set(rules))


@SITES
def test_every_row_behind_a_rule_is_named_in_its_comment(site: Site) -> None:
    for machine in site.servers:
        named = {
            name
            for version in (4, 6)
            for rule in desired_rules(site, machine, version)
            for name in rule.comment.split()
        }
        assert {rule.row for rule in host_rules(site, machine)} <= named


@SITES
def test_ssh_is_admitted_exactly_from_where_the_matrix_says(site: Site) -> None:
    peers = [address for machine in site.machines for address in machine.own] + [ip_address("10.20.0.10")]
    for machine in site.servers:
        for own in machine.own:
            rules = desired_rules(site, machine, own.version)
            for peer in (peer for peer in peers if peer.version == own.version and peer not in machine.own):
                named = any(
                    opening.protocol == "tcp" and opening.interval[0] <= 22 <= opening.interval[1]
                    for opening in openings(site, peer, machine, own)
                )
                assert admits(rules, peer, own, 22) == named


def test_a_host_always_admits_itself() -> None:
    own = FIVE.servers[0].own[0]
    assert admits((), own, own, 22)
    assert admits((), ip_address("::1"), ip_address("::1"), 22)
    assert not admits((), ip_address("192.0.2.1"), own, 22)


def test_a_refusal_that_comes_first_decides() -> None:
    rules = parse(file("user", 4))
    server = ip_address("10.20.1.31")
    assert not admits(rules, ip_address("10.20.2.5"), server, 9001)
    assert not admits(rules, ip_address("10.20.1.13"), server, 2380)
    assert admits(rules, ip_address("10.20.1.12"), server, 2380)


def test_nodes_forward_for_pods_and_services() -> None:
    routes = {rule.words() for rule in desired_rules(REFERENCE, REFERENCE.by_name["w-1"], 4) if rule.route}
    assert "allow routed from anywhere to 10.244.0.0/16 # matrix-fleet pod-network" in routes
    assert "allow routed from 10.96.0.0/12 # matrix-fleet pod-network" in routes


def _files() -> dict[str, str]:
    return {
        **{BEFORE[version]: file("before", version) for version in (4, 6)},
        **{AFTER[version]: file("after", version) for version in (4, 6)},
        DEFAULTS: 'IPV6=no\nDEFAULT_INPUT_POLICY="ACCEPT"\nOTHER=kept\n',
        CONF: "# kept\nENABLED=no\nLOGLEVEL=medium\n",
    }


def test_everything_is_denied_that_no_rule_admits_and_the_logging_level_stays() -> None:
    state = desired_state(FIVE, FIVE.servers[0], _files(), ipv6=True)
    defaults, conf = state.files[DEFAULTS], state.files[CONF]
    assert [option(defaults, key) for key in ("IPV6", "DEFAULT_INPUT_POLICY", "DEFAULT_FORWARD_POLICY", "OTHER")] == [
        "yes",
        "DROP",
        "DROP",
        "kept",
    ]
    assert conf == "# kept\nENABLED=yes\nLOGLEVEL=medium\n"
    assert "UFW AUDIT" in state.files[USER[4]]
    assert state.kernel[4].policies["INPUT"] == state.kernel[6].policies["INPUT"] == "DROP"


def test_a_kernel_without_ipv6_is_not_expected_to_hold_any_of_it() -> None:
    assert desired_state(FIVE, FIVE.servers[0], _files(), ipv6=False).kernel[6] is EMPTY
