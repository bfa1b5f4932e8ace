"""Probe pods: whom they probe, what the matrix says of it, and what is made of how their packets were seen."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from model import bits
from model.host.hostview import HostView
from model.report.report import Cell
from model.verify.evidence import join
from model.verify.facts import FleetFacts
from model.verify.pairs import Pair
from model.verify.pod_rows import pod_cells
from model.verify.pods import ProbePod, controls, is_pod, node_of, pod_pairs, read_pods, row_ports, with_ports
from model.verify.probing import AgentRecords, SeenStream, SentStream, WitnessRecord
from model.verify.verification import Verification
from tests.model.verify.simulation import chains, reference

SITE = reference()
PODS = tuple(
    ProbePod(node, (ip_address(f"10.244.{number}.2"), ip_address(f"fd44:0:0:{number}::2")), f"c{number}")
    for number, node in enumerate(("cp-1", "w-1", "db-1", "li-1"))
)
_NO_KUBELET = "-s 10.244.1.2 -p tcp -m tcp --dport 10250 -j DROP"
VIP = ip_address("10.20.1.10")


def pod(**more: Any) -> dict[str, Any]:
    status = {
        "podIPs": [{"ip": "10.244.5.2"}, {"ip": "fd44:0:0:5::2"}],
        "containerStatuses": [{"containerID": "containerd://abc", "state": {"running": {}}}],
    }
    return {"metadata": {}, "spec": {"nodeName": "w-1"}, "status": status} | more


def every() -> tuple[Pair, ...]:
    return with_ports(SITE, pod_pairs(SITE, PODS, {VIP: "cp-1"}), {"db-1": {"tcp": 1 << 12345}})


def pair_between(source: str, destination: str, version: int = 4) -> Pair:
    return next(
        pair
        for pair in every()
        if (pair.source, pair.destination, pair.address.version) == (source, destination, version)
    )


def test_a_running_pod_is_read_with_both_addresses_and_its_container() -> None:
    (chosen,) = read_pods([pod()])
    assert (chosen.node, chosen.container) == ("w-1", "abc")
    assert [str(address) for address in chosen.addresses] == ["10.244.5.2", "fd44:0:0:5::2"]
    assert (chosen.end, node_of(chosen.end), is_pod(chosen.end), is_pod("w-1")) == ("pods@w-1", "w-1", True, False)


@pytest.mark.parametrize(
    "more",
    [
        {"status": {"podIPs": [{"ip": "10.244.5.2"}]}},
        {"status": {"containerStatuses": [{"containerID": "containerd://abc", "state": {"running": {}}}]}},
        {"metadata": {"deletionTimestamp": "2026-11-25T00:00:00Z"}},
    ],
)
def test_a_pod_that_does_not_run_or_is_going_is_none(more: dict[str, Any]) -> None:
    assert read_pods([pod(**more)]) == ()


def test_every_pod_probes_every_server_its_own_node_and_every_other_pod() -> None:
    ends = {(pair.source, pair.destination) for pair in every()}
    servers = {machine.name for machine in SITE.servers}
    pods = {cell.end for cell in PODS}
    assert ends == {(mine, other) for mine in pods for other in servers | pods if other != mine}
    assert any(pair.address == VIP for pair in every())


def test_between_pods_and_at_the_border_not_arriving_is_the_proof_and_elsewhere_not() -> None:
    assert pair_between("pods@w-1", "pods@db-1").border
    assert pair_between("pods@w-1", "li-1").border
    assert pair_between("pods@li-1", "cp-1").border
    assert not pair_between("pods@w-1", "cp-1").border
    assert not pair_between("pods@w-1", "w-1").border


def opened(pair: Pair) -> set[int]:
    return set(bits.to_ports(pair.open("tcp")))


def test_pods_may_reach_what_rows_of_pods_say_and_those_of_the_isolated_network_nothing() -> None:
    assert {6443, 10250} <= opened(pair_between("pods@w-1", "cp-1"))
    assert 6443 not in opened(pair_between("pods@w-1", "w-1"))
    assert 10250 in opened(pair_between("pods@w-1", "w-1"))
    assert opened(pair_between("pods@li-1", "cp-1")) == opened(pair_between("pods@li-1", "li-1")) == set()


def test_ports_are_the_boundaries_and_listeners_at_hosts_and_the_rows_between_pods() -> None:
    assert pair_between("pods@w-1", "db-1").probed["tcp"] >> 12345 & 1
    assert pair_between("pods@w-1", "db-1").probed["tcp"] >> 5431 & 1
    between = pair_between("pods@w-1", "pods@db-1").probed
    assert between == row_ports(SITE)
    assert {53, 5432, 8008} <= set(bits.to_ports(between["tcp"]))
    assert between["udp"] >> 53 & 1


def test_a_node_vouches_for_its_pod_and_the_pod_for_itself() -> None:
    ends = {(pair.source, pair.destination) for pair in controls(PODS, SITE)}
    assert ends == {pair for cell in PODS for pair in ((cell.node, cell.end), (cell.end, cell.node))}


def seen(pair: Pair, arrived: int, passed: int, source: str = "") -> SeenStream:
    shown = source or str(pair.source_address)
    return SeenStream(
        source=pair.source,
        address=str(pair.address),
        protocol="tcp",
        arrived=arrived,
        passed=passed,
        source_seen=shown,
        destination_seen=str(pair.address),
    )


NO_TABLE = '{"nftables": []}'
OUR_TABLE = (Path(__file__).parents[2] / "data" / "nft" / "node-w-1.json").read_text("utf-8")


def judged(
    pair: Pair,
    *rows: SeenStream,
    first: tuple[str, ...] = (),
    wrong: Iterable[object] = (),
    nft: str = NO_TABLE,
) -> list[Cell]:
    """
    The pair's TCP cells, where both agents work and the destination's rules are what the matrix wants, after `first`.
    """
    sent = SentStream(
        target=pair.destination,
        address=str(pair.address),
        protocol="tcp",
        sent=pair.probed["tcp"],
        refused=0,
        unroutable={},
        synack=0,
        rst=0,
        data=0,
        icmp={},
    )
    other = SeenStream(
        source="somebody",
        address=str(pair.address),
        protocol="tcp",
        arrived=2,
        passed=2,
        source_seen="10.9.9.9",
        destination_seen=str(pair.address),
    )
    records = AgentRecords(
        {pair.source: (sent,)},
        {
            pair.destination: WitnessRecord((*rows, other), (), 0),
            "elsewhere": WitnessRecord((seen(pair, 2, 2),), (), 0),
        },
    )
    evidence = join(SITE, [pair], records)
    views = {}
    if not is_pod(pair.destination):
        rules = {version: chains(SITE, SITE.by_name[pair.destination], version, first, ()) for version in (4, 6)}
        views[pair.destination] = HostView(chains=rules, interfaces={}, nft=nft)
    everybody = frozenset({pair.source, pair.destination})
    verification = Verification(
        facts=FleetFacts(site=SITE, evidence=evidence, sources=everybody, witnesses=everybody, views=views),
        pairs=[evidence.settled(pair)],
    )
    if not first:
        assert [outcome.evidence for outcome in verification.disagreements] == list(wrong)
    return [cell for cell in verification.cells if cell.protocol == "tcp"]


def cell_words(cells: Iterable[Cell]) -> set[tuple[str, str, str, str]]:
    return {(cell.expected, cell.seen, cell.verdict, cell.culprit) for cell in cells}


def test_a_pod_at_its_own_node_is_judged_by_its_own_address() -> None:
    pair = pair_between("pods@w-1", "w-1")
    cells = judged(pair, seen(pair, pair.probed["tcp"], pair.open("tcp")))
    assert cell_words(cells) == {("open", "open", "ok", ""), ("closed", "closed", "ok", "")}


_ROUTER_ACCEPTS = "-s 10.244.1.2 -j ACCEPT"


def test_what_accepts_pods_before_the_firewall_opens_nothing_behind_our_table() -> None:
    pair = pair_between("pods@w-1", "w-1")
    passed = pair.probed["tcp"] & bits.from_ports((80, 443, 9100, 10250))
    cells = judged(pair, seen(pair, pair.probed["tcp"], passed), first=(_ROUTER_ACCEPTS,), nft=OUR_TABLE)
    assert cell_words(cells) == {("open", "open", "ok", ""), ("closed", "closed", "ok", "")}


def test_without_our_table_it_opens_everything_and_rules_and_packets_say_so() -> None:
    pair = pair_between("pods@w-1", "w-1")
    cells = judged(pair, seen(pair, pair.probed["tcp"], pair.probed["tcp"]), first=(_ROUTER_ACCEPTS,))
    assert ("closed", "open", "violation", "destination-firewall") in cell_words(cells)


def test_a_table_that_cannot_be_read_leaves_what_the_firewall_admits_unjudged() -> None:
    pair = pair_between("pods@w-1", "w-1")
    line = f"rules cannot be judged: tcp from pods@w-1 to {pair.address}: 80, 443, 9100, 10250"
    judged(pair, seen(pair, pair.probed["tcp"], pair.open("tcp")), nft="", wrong=[[line]])


def test_a_pod_hidden_behind_its_node_has_what_is_open_to_the_node() -> None:
    pair = pair_between("pods@w-1", "db-1")
    lent = pair.open("tcp") | pair.tolerated("tcp")
    cells = judged(pair, seen(pair, pair.probed["tcp"], lent & pair.probed["tcp"], "10.20.1.21"))
    assert cell_words(cells) == {("open", "open", "ok", ""), ("closed", "closed", "ok", "")}
    (postgresql,) = [cell for cell in cells if cell.port_lo <= 5432 <= cell.port_hi]
    assert (postgresql.expected, postgresql.rows) == ("open", ("postgresql",))


def test_a_pod_seen_under_its_own_address_has_not() -> None:
    pair = pair_between("pods@w-1", "db-1")
    arrived = pair.probed["tcp"]
    passed = (pair.open("tcp") | 1 << 5432) & arrived
    disagreement = ["rules refuse, packets passed: tcp from pods@w-1 to 10.20.1.31: 5432"]
    cells = judged(pair, seen(pair, arrived, passed), wrong=[disagreement])
    bad = [cell for cell in cells if cell.verdict != "ok"]
    assert cell_words(bad) == {("closed", "open", "violation", "destination-firewall")}
    assert [(cell.port_lo, cell.port_hi) for cell in bad] == [(5432, 5432)]


def test_a_pod_seen_under_a_strangers_address_was_translated() -> None:
    pair = pair_between("pods@w-1", "db-1")
    cells = judged(pair, seen(pair, pair.probed["tcp"], pair.open("tcp"), "10.20.1.1"))
    assert ("open", "open", "violation", "nat") in cell_words(cells)


def test_a_refused_scrape_shows_at_that_nodes_firewall() -> None:
    pair = pair_between("pods@w-1", "w-1")
    cells = judged(pair, seen(pair, pair.probed["tcp"], pair.open("tcp") & ~(1 << 10250)), first=(_NO_KUBELET,))
    bad = [cell for cell in cells if cell.verdict != "ok"]
    assert cell_words(bad) == {("open", "closed", "violation", "destination-firewall")}
    assert [(cell.port_lo, cell.rows) for cell in bad] == [(10250, ("pods-kubelet",))]


@pytest.mark.parametrize("source", ["pods@w-1", "pods@li-1"])
def test_a_pod_that_reaches_another_is_a_violation_of_the_path(source: str) -> None:
    pair = pair_between(source, "pods@db-1")
    cells = judged(pair, seen(pair, pair.probed["tcp"], pair.probed["tcp"]))
    assert cell_words(cells) == {("closed", "open", "violation", "path")}
    assert {cell.note for cell in cells} == {"no network policy stops it"}


def test_a_pod_whose_packets_a_policy_stops_is_closed() -> None:
    pair = pair_between("pods@w-1", "pods@db-1")
    assert cell_words(judged(pair)) == {("closed", "closed", "ok", "")}


def test_rows_between_components_wait_for_them_and_the_others_for_a_cluster() -> None:
    waiting = {cell.rows[0] for cell in pod_cells(SITE, "")}
    assert "pod-postgresql" in waiting
    assert "pods-kubelet" not in waiting
    notes = {cell.rows[0]: cell.note for cell in pod_cells(SITE, "")}
    assert notes["pod-postgresql"] == notes["pod-webhooks"] == "its components do not run yet"
    assert notes["pod-ingress"] == notes["pod-upstream-dns-udp"] == "no agent runs at its other end"
    everything = list(pod_cells(SITE, "no cluster yet"))
    assert "pods-kubelet" in {cell.rows[0] for cell in everything}
    assert {(cell.verdict, cell.note) for cell in everything} == {("not_run", "no cluster yet")}
