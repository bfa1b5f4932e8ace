"""Rows from networks of people are judged by rules, and what nobody can witness is said to be so."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

import pytest

from model.report.report import Cell
from model.verify.network_rows import network_cells, somebody, unwitnessed
from model.verify.verification import Verification
from tests.model.verify.simulation import Fleet, reference

EVERYBODY = [machine.name for machine in reference().servers]


def judged(verification: Verification) -> list[Cell]:
    return list(network_cells(verification.facts, EVERYBODY))


def test_every_row_from_a_network_of_people_is_judged_in_both_families() -> None:
    cells = judged(Fleet(reference()).verification())
    rows = {
        row.name
        for row in reference().active_rows
        if {"management", "admins", "li_clients"} & set(row.source_ends) and row.plane == "host"
    }
    assert {name for cell in cells for name in cell.rows} == rows - {"prometheus", "grafana"}
    assert {cell.verdict for cell in cells} == {"ok"}
    assert {cell.evidence for cell in cells} == {None}
    assert {":" in cell.address for cell in cells} == {True, False}


@pytest.mark.parametrize("rule", ["-p tcp --dport 9001 -j DROP", "-p tcp -m multiport --dports 9000,9001 -j REJECT"])
def test_a_rule_that_shuts_one_out_is_a_violation(rule: str) -> None:
    wrong = [
        cell for cell in judged(Fleet(reference(), first_in={"st-1": (rule,)}).verification()) if cell.verdict != "ok"
    ]
    assert {(cell.source, cell.destination, cell.port_lo) for cell in wrong} == {("admins", "st-1", 9001)}
    assert {(cell.verdict, cell.culprit, cell.seen) for cell in wrong} == {
        ("violation", "destination-firewall", "closed")
    }


@pytest.mark.parametrize("fault", ["dead", "blind"])
def test_a_host_without_a_witness_vouches_for_nothing(fault: str) -> None:
    verification = Fleet(reference(), **{fault: frozenset({"st-1"})}).verification()  # type: ignore[arg-type]
    mine = [cell for cell in judged(verification) if cell.destination == "st-1"]
    assert {(cell.verdict, cell.culprit) for cell in mine} == {("unproven", "witness")}
    assert {cell.verdict for cell in judged(verification) if cell.destination != "st-1"} == {"ok"}


def test_only_hosts_that_were_chosen_are_spoken_of() -> None:
    assert {cell.destination for cell in network_cells(Fleet(reference()).verification().facts, ["li-1"])} == {"li-1"}


@pytest.mark.parametrize(
    ("network", "address"),
    [
        ("10.20.1.0/24", "10.20.1.2"),
        ("10.20.2.0/24", "10.20.2.1"),
        ("192.0.2.7/32", "192.0.2.7"),
        ("fd20:1::/64", "fd20:1::2"),
    ],
)
def test_somebody_of_a_network_is_no_declared_host(network: str, address: str) -> None:
    assert str(somebody(Fleet(reference()).verification().facts, ip_network(network))) == address


def test_a_network_of_declared_hosts_alone_has_nobody_else() -> None:
    assert somebody(Fleet(reference()).verification().facts, ip_network("10.20.1.11/32")) is None


def test_rows_to_the_organisations_servers_are_told_as_unwitnessed() -> None:
    assert set(unwitnessed(reference(), ("external",))) == {"dns-udp", "dns-tcp", "dns-li-udp", "dns-li-tcp", "ntp"}
    assert unwitnessed(reference(), ("host",)) == ()


def test_without_a_vantage_host_nothing_from_the_internet_is_passed_over() -> None:
    site = replace(
        reference(), machines=tuple(machine for machine in reference().machines if machine.kind != "vantage")
    )
    assert {"https", "turn-udp"} <= set(unwitnessed(site, ("external",)))
