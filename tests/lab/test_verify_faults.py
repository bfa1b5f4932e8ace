"""
Every fault on purpose is found, by exactly the cells it breaks, under its own culprit; mended, all is green again.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.lab.conftest import managed_lab
from tests.lab.driver import Lab
from tests.lab.firewalls import run as firewall
from tests.lab.firewalls import sh
from tests.lab.networks import losing

CellOf = dict[str, Any]
Broken = Callable[[CellOf], bool]


@pytest.fixture(scope="module")
def managed(real_machine: None) -> Iterator[Lab]:
    yield from managed_lab("tv")


@pytest.fixture(autouse=True)
def mended(managed: Lab) -> Iterator[None]:
    yield
    managed.do("mend")


def verify(lab: Lab, *flags: str) -> tuple[int, dict[str, Any]]:
    done = lab.run((sys.executable, "-m", "flows.verify_ports", "--json", "-", *flags))
    return done.returncode, json.loads(done.stdout)


def wrong(report: dict[str, Any]) -> list[CellOf]:
    return [cell for cell in report["cells"] if cell["verdict"] not in ("ok", "not_run")]


def holds(cell: CellOf, port: int, protocol: str) -> bool:
    return bool(cell["protocol"] == protocol and cell["port_lo"] <= port <= cell["port_hi"])


def assert_exactly(
    report: dict[str, Any], baseline: dict[str, Any], broken: Broken, verdict: str, culprit: str
) -> None:
    """
    The wrong cells are those of the green run that the fault breaks, no more and no fewer, and each tells the story
    asked for.
    """
    violations = wrong(report)
    ends = {(cell["from"], cell["to"], cell["address"], cell["protocol"]) for cell in violations}
    should = [cell for cell in baseline["cells"] if cell["verdict"] == "ok" and broken(cell)]
    assert should, "the fault breaks nothing: the test is wrong"
    assert ends == {(cell["from"], cell["to"], cell["address"], cell["protocol"]) for cell in should}
    assert {(cell["verdict"], cell["culprit"]) for cell in violations} == {(verdict, culprit)}


@pytest.fixture(scope="module")
def baseline(managed: Lab) -> dict[str, Any]:
    """The green run; it must be green and speak of something."""
    code, report = verify(managed)
    assert (code, report["good"], wrong(report)) == (0, True, [])
    assert report["probes"] > 20_000
    assert {cell["protocol"] for cell in report["cells"]} == {"tcp", "udp", "vrrp"}
    assert {":" in cell["address"] for cell in report["cells"] if cell["plane"] == "external"} == {True, False}
    return report


@pytest.mark.parametrize("kind", ["drop-in", "reject-rst"])
def test_a_drop_at_the_destination_is_its_firewall(managed: Lab, baseline: dict[str, Any], kind: str) -> None:
    managed.do("break", kind, "--at", "db-1", "--port", "5432/tcp")
    code, report = verify(managed)
    assert code == 2
    assert_exactly(
        report,
        baseline,
        lambda cell: cell["to"] == "db-1" and cell["expected"] == "open" and holds(cell, 5432, "tcp"),
        "violation",
        "destination-firewall",
    )
    assert all((cell["evidence"]["A"], cell["evidence"]["P"]) == (1, 0) for cell in wrong(report))
    if kind == "reject-rst":
        assert {cell["evidence"]["R"] for cell in wrong(report)} == {"rst"}


def test_a_drop_for_one_source_breaks_that_source_alone(managed: Lab, baseline: dict[str, Any]) -> None:
    managed.do("break", "drop-in", "--at", "w-1", "--from", "cp-2", "--port", "8472/udp")
    code, report = verify(managed)
    assert code == 2
    assert_exactly(
        report,
        baseline,
        lambda cell: (cell["from"], cell["to"]) == ("cp-2", "w-1") and holds(cell, 8472, "udp"),
        "violation",
        "destination-firewall",
    )


def test_a_drop_at_the_source_is_its_egress(managed: Lab, baseline: dict[str, Any]) -> None:
    managed.do("break", "drop-out", "--at", "cp-1", "--port", "10250/tcp")
    code, report = verify(managed)
    assert code == 2
    assert_exactly(
        report,
        baseline,
        lambda cell: cell["from"] == "cp-1" and cell["expected"] == "open" and holds(cell, 10250, "tcp"),
        "violation",
        "source-egress",
    )


def test_a_drop_at_the_router_is_the_path(managed: Lab, baseline: dict[str, Any]) -> None:
    managed.do("break", "drop-router", "--at", "w-1", "--port", "443/tcp")
    code, report = verify(managed)
    assert code == 2
    assert_exactly(
        report,
        baseline,
        lambda cell: (
            (cell["plane"], cell["to"]) == ("external", "w-1")
            and cell["expected"] == "open"
            and holds(cell, 443, "tcp")
        ),
        "violation",
        "path",
    )


def test_an_opening_that_no_row_declares_is_found_where_probes_look(managed: Lab, baseline: dict[str, Any]) -> None:
    managed.do("break", "extra-open", "--at", "w-1", "--port", "5432/tcp")
    code, report = verify(managed)
    assert code == 2
    assert_exactly(
        report,
        baseline,
        lambda cell: cell["to"] == "w-1" and cell["expected"] == "closed" and holds(cell, 5432, "tcp"),
        "violation",
        "destination-firewall",
    )
    assert any(cell["evidence"] and cell["evidence"]["P"] == 1 for cell in wrong(report))
    assert {"w-1"} == {outcome["host"] for outcome in report["outcomes"] if outcome["status"] == "drift"}


def test_an_opening_that_no_probe_meets_is_found_in_the_rules(managed: Lab, baseline: dict[str, Any]) -> None:
    managed.do("break", "extra-open", "--at", "db-1", "--from", "cp-3", "--port", "12345/tcp")
    code, report = verify(managed)
    assert code == 2
    assert_exactly(
        report,
        baseline,
        lambda cell: (cell["from"], cell["to"]) == ("cp-3", "db-1") and holds(cell, 12345, "tcp"),
        "violation",
        "destination-firewall",
    )
    assert {(cell["port_lo"], cell["port_hi"], cell["probed"], cell["evidence"] is None) for cell in wrong(report)} == {
        (12345, 12345, 0, True)
    }


def test_a_hole_inside_an_open_range_is_found_in_the_rules(managed: Lab, baseline: dict[str, Any]) -> None:
    managed.do("break", "drop-in", "--at", "w-1", "--port", "31000/tcp")
    code, report = verify(managed)
    assert code == 2
    assert_exactly(
        report,
        baseline,
        lambda cell: cell["to"] == "w-1" and cell["expected"] == "open" and holds(cell, 31000, "tcp"),
        "violation",
        "destination-firewall",
    )


ORDINARY = """
set -e
iptables -t nat -N DOCKER
iptables -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
iptables -t nat -A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80
iptables -t raw -A PREROUTING -d 172.17.0.2/32 ! -i docker0 -j DROP
iptables -t nat -N KUBE-SERVICES
iptables -t nat -I PREROUTING -j KUBE-SERVICES
iptables -t nat -A KUBE-SERVICES -p tcp -m tcp --dport 9 -j DNAT --to-destination 10.244.0.9:80
iptables -t nat -N CNI-HOSTPORT-DNAT
iptables -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT
iptables -t mangle -A PREROUTING -m conntrack --ctstate INVALID -j DROP
"""
IN_FRONT = {
    "redirect": (
        "iptables -t nat -I PREROUTING -p tcp --dport 6000 -j REDIRECT --to-ports 10250",
        "iptables -t nat -D PREROUTING 1",
        ((6000, 6000), "violation", "nat", "iptables -t nat -D PREROUTING"),
    ),
    "redirect6": (
        "ip6tables -t nat -I PREROUTING -p udp --dport 6000 -j REDIRECT --to-ports 8472",
        "ip6tables -t nat -D PREROUTING 1",
        ((6000, 6000), "violation", "nat", "ip6tables -t nat -D PREROUTING"),
    ),
    "elsewhere": (
        "iptables -t nat -I PREROUTING -p tcp --dport 6000 -j DNAT --to-destination 10.20.1.11:10250",
        "iptables -t nat -D PREROUTING 1",
        ((6000, 6000), "violation", "nat", "iptables -t nat -D PREROUTING"),
    ),
    "raw": (
        "iptables -t raw -I PREROUTING -p tcp --dport 31000:31100 -j DROP",
        "iptables -t raw -D PREROUTING 1",
        ((31000, 31100), "violation", "destination-firewall", "iptables -t raw -D PREROUTING"),
    ),
    "prerouting": (
        "nft add table inet seed; nft 'add chain inet seed pre { type filter hook prerouting priority -250; }';"
        "nft add rule inet seed pre tcp dport 31000-31100 drop",
        "nft delete table inet seed",
        ((31000, 31100), "violation", "destination-firewall", "nft delete rule inet seed pre handle"),
    ),
    "ingress": (
        "nft add table netdev seed;"
        "nft 'add chain netdev seed in { type filter hook ingress device eth0 priority 0; }';"
        "nft add rule netdev seed in udp dport 31000-31010 drop",
        "nft delete table netdev seed",
        ((31000, 31010), "violation", "destination-firewall", "nft delete rule netdev seed in handle"),
    ),
    "vmap": (
        "nft add table inet seed; nft 'add chain inet seed in { type filter hook input priority -5; }';"
        "nft 'add rule inet seed in tcp dport vmap { 31005 : drop }'",
        "nft delete table inet seed",
        ((31005, 31005), "violation", "destination-firewall", "nft delete rule inet seed in handle"),
    ),
    "legacy": (
        "iptables-legacy -I INPUT -p tcp --dport 31000 -j DROP",
        "iptables-legacy -D INPUT 1",
        ((31000, 31000), "violation", "destination-firewall", "iptables-legacy -t filter -D INPUT"),
    ),
}


@pytest.mark.parametrize(
    "kind",
    [
        kind if kind in ("redirect", "raw") else pytest.param(kind, marks=pytest.mark.faults)
        for kind in sorted(IN_FRONT)
    ],
)
def test_what_stands_before_input_is_found_named_and_taken_away_by_its_step(managed: Lab, kind: str) -> None:
    rule, undo, (ports, verdict, culprit, step) = IN_FRONT[kind]
    sh(managed, "w-1", rule)
    try:
        code, report = verify(managed)
        dry = firewall(managed, "--dry-run", "--limit", "w-1")
    finally:
        sh(managed, "w-1", undo)
    cells = wrong(report)
    assert (code, {cell["to"] for cell in cells}) == (2, {"w-1"})
    assert {(cell["port_lo"], cell["port_hi"], cell["verdict"], cell["culprit"]) for cell in cells} == {
        (*ports, verdict, culprit)
    }
    assert all(cell["probed"] == ports[1] - ports[0] + 1 for cell in cells)
    assert all("by the rule " in cell["note"] for cell in cells)
    (outcome,) = [outcome for outcome in report["outcomes"] if outcome["subject"] == "ruleset"]
    assert step in outcome["next"]
    assert (dry.exit, dry.status("w-1"), dry.status("w-1", "foreign-rules")) == (2, "ok", "drift")
    assert " -D " in dry.outcome("w-1", "foreign-rules")["next"] or step in dry.outcome("w-1", "foreign-rules")["next"]


def test_what_a_source_drops_at_its_own_interface_is_its_egress(managed: Lab) -> None:
    table = (
        "nft add table netdev seed; nft 'add chain netdev seed out { type filter hook egress device eth0 priority 0; }'"
    )
    sh(managed, "cp-1", f"{table}; nft add rule netdev seed out tcp dport 31000-31010 drop")
    try:
        code, report = verify(managed)
    finally:
        sh(managed, "cp-1", "nft delete table netdev seed")
    assert (code, {cell["from"] for cell in wrong(report)}) == (3, {"cp-1"})
    assert {(cell["verdict"], cell["culprit"], cell["port_lo"]) for cell in wrong(report)} == {
        ("unproven", "source-egress", 31000)
    }
    assert all("nft netdev seed out handle" in cell["note"] for cell in wrong(report))


def test_chains_of_docker_and_of_a_cluster_are_nobodys_fault(managed: Lab) -> None:
    sh(managed, "w-1", ORDINARY)
    try:
        code, report = verify(managed)
        dry = firewall(managed, "--dry-run", "--limit", "w-1")
    finally:
        sh(managed, "w-1", "for t in nat raw mangle; do iptables -t $t -F; iptables -t $t -X; done")
    assert (code, report["good"], wrong(report), dry.exit) == (0, True, [], 0)


def test_loss_is_no_violation_and_names_its_path(managed: Lab) -> None:
    with losing(managed, "w-1", 10):
        code, report = verify(managed)
    assert (code, wrong(report)) == (0, [])
    (outcome,) = [outcome for outcome in report["outcomes"] if outcome["subject"] == "loss"]
    assert "w-1" in outcome["message"]
    assert report["rounds"] > 3


def test_a_dead_witness_proves_nothing_and_hides_nobody(managed: Lab, baseline: dict[str, Any]) -> None:
    managed.do("break", "dead-witness", "--at", "cp-2")
    code, report = verify(managed)
    assert code == 3
    assert_exactly(report, baseline, lambda cell: cell["to"] == "cp-2", "unproven", "witness")


def test_a_dead_host_costs_its_own_cells_and_no_others(managed: Lab, baseline: dict[str, Any]) -> None:
    managed.do("poweroff", "db-1")
    try:
        code, report = verify(managed)
    finally:
        managed.do("poweron", "db-1")
    assert code == 3
    violations = wrong(report)
    assert {cell["verdict"] for cell in violations} == {"unproven"}
    assert {cell["culprit"] for cell in violations if cell["to"] == "db-1"} == {"witness"}
    assert {cell["culprit"] for cell in violations if cell["from"] == "db-1"} == {"source"}
    assert all("db-1" in (cell["from"], cell["to"]) for cell in violations)
    assert {outcome["status"] for outcome in report["outcomes"] if outcome["host"] == "db-1"} == {"failed"}
    count = len({(cell["from"], cell["to"], cell["address"], cell["protocol"]) for cell in violations})
    assert count == len(
        {
            (cell["from"], cell["to"], cell["address"], cell["protocol"])
            for cell in baseline["cells"]
            if "db-1" in (cell["from"], cell["to"]) and cell["verdict"] == "ok"
        }
    )


def test_mended_it_is_green_again(managed: Lab) -> None:
    code, report = verify(managed)
    assert (code, report["good"], wrong(report)) == (0, True, [])


@pytest.mark.parametrize(
    "flags",
    [("--limit", "li-1"), ("--destination", "vantage-1"), ("--source", "vantage-1", "--ports", "22/tcp")],
    ids=["one-host", "egress", "one-port"],
)
def test_a_narrowed_run_proves_as_much_of_what_it_looks_at(managed: Lab, flags: tuple[str, ...]) -> None:
    code, report = verify(managed, *flags)
    assert (code, report["good"], wrong(report)) == (0, True, [])
    assert any(cell["verdict"] == "ok" for cell in report["cells"])
