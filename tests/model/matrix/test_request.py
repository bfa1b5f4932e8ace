"""The request asks for what crosses a border, and for nothing else."""

from __future__ import annotations

from pathlib import Path

from model.matrix.request import flows
from tests.data.li_border import ALLOWED
from tests.mutation import loaded, site

SITE = loaded()
FLOWS = flows(SITE)


def test_perimeter_flows_inward_are_the_external_rows_with_their_translation() -> None:
    asked = {
        (flow.destinations, flow.translated, flow.ports, flow.protocol) for flow in FLOWS if flow.direction == "inbound"
    }
    outside = {row.name for row in SITE.active_rows if row.target}
    assert {flow.row for flow in FLOWS if flow.direction == "inbound"} == outside
    assert (("198.51.100.101",), ("10.20.1.21",), "443", "tcp") in asked
    assert (("2001:db8:100::102",), ("fd20:1::51",), "49152-65535", "udp") in asked


def test_li_border_is_asked_for_flow_by_flow() -> None:
    asked = {
        (source, destination, flow.protocol, flow.ports)
        for flow in FLOWS
        if flow.border == "border of li"
        for source in flow.sources
        for destination in flow.destinations
    }
    # NTP goes to the organisation's server, which is no host of the site.
    assert {flow for flow in asked if flow[3] != "123"} == ALLOWED
    assert {flow[1] for flow in asked if flow[3] == "123"} == {"10.20.1.1", "fd20:1::1"}


def test_flows_within_one_network_are_not_asked_for() -> None:
    assert not {"etcd", "kubelet", "postgresql", "s3", "li-https"} & {flow.row for flow in FLOWS}


def test_way_out_is_asked_for_installation_only_where_it_is_closed_afterwards(tmp_path: Path) -> None:
    assert {flow.duration for flow in FLOWS if flow.row == "registries-and-packages"} == {"installation"}
    opened = flows(site(tmp_path, set={"site:egress": "open"}))
    assert {flow.duration for flow in opened if flow.row == "registries-and-packages"} == {"permanent"}


def test_management_is_not_asked_to_reach_addresses_in_its_own_network() -> None:
    reached = {address for flow in FLOWS if flow.row == "ssh" for address in flow.destinations}
    assert "10.20.1.31" in reached
    assert "10.20.0.31" not in reached


def test_li_reaches_the_api_at_the_endpoint_too() -> None:
    reached = {address for flow in FLOWS if flow.row == "kubernetes-endpoint-li" for address in flow.destinations}
    assert {"10.20.1.10", "10.20.1.11"} <= reached


def test_federation_asks_for_both_directions(tmp_path: Path) -> None:
    asked = {(flow.row, flow.direction) for flow in flows(site(tmp_path, set={"site:federation": True}))}
    assert {("federation", "inbound"), ("federation-out", "outbound")} <= asked
