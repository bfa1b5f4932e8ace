"""The command line's choice of pairs is made once, and everything that follows from it is in it."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from flows._ports.choice import PLANES, ProbeOptions, choose
from flows._ports.cluster import ClusterView
from model.errors import SelectionError
from model.host.hostview import HostView
from model.packets.sockets import Listener
from model.report.words import Plane
from model.verify.host_rulings import HostRulings
from model.verify.pairs import pairs
from model.verify.probed_ports import controls, count, with_ports
from tests.model.verify.simulation import reference

SITE = reference()
NOBODY = ClusterView()
NO_VIEWS = HostRulings(SITE, {})


def test_without_a_choice_every_pair_is_chosen_and_no_control_is_needed() -> None:
    chosen = choose(SITE, ProbeOptions(), None)
    assert chosen.pairs == pairs(SITE, PLANES)
    assert chosen.controls == ()
    assert chosen.observed == chosen.hosts
    assert set(chosen.hosts) == {machine.name for machine in (*SITE.servers, *SITE.vantages)}


def test_a_limit_needs_one_end_and_brings_controls_for_the_ends_of_borders() -> None:
    chosen = choose(SITE, ProbeOptions(planes=(Plane.HOST,)), ["li-1"])
    assert chosen.pairs
    assert all("li-1" in (pair.source, pair.destination) for pair in chosen.pairs)
    assert chosen.controls == controls(pairs(SITE, PLANES), chosen.pairs)
    assert chosen.controls
    assert set(chosen.observed) > set(chosen.hosts) or chosen.observed == chosen.hosts


def test_hosts_are_in_the_inventorys_order() -> None:
    order = [machine.name for machine in SITE.machines]
    chosen = choose(SITE, ProbeOptions(source="w-1,cp-1"), None)
    assert list(chosen.observed) == sorted(chosen.observed, key=order.index)
    assert {pair.source for pair in chosen.pairs} == {"w-1", "cp-1"}


def test_ports_are_dealt_by_depth_and_controls_are_fired_beside_them() -> None:
    chosen = choose(SITE, ProbeOptions(planes=(Plane.HOST,), destination="db-1"), None)
    listener = Listener(protocol="tcp", address=ip_address("0.0.0.0"), port=7777)
    dealt = chosen.deal(NOBODY, HostRulings(SITE, {"db-1": HostView(chains={}, listeners=(listener,))}))
    assert dealt.pairs == with_ports(SITE, chosen.pairs, "boundaries", {"db-1": {"tcp": 1 << 7777, "udp": 0}})
    assert all(pair.probed["tcp"] >> 7777 & 1 for pair in dealt.pairs)
    assert dealt.fired == (*dealt.pairs, *chosen.controls)
    assert dealt.probes == count(dealt.pairs)


def test_the_apis_own_address_is_probed_where_it_is() -> None:
    address = SITE.settings.kubernetes.endpoint.addresses[0]
    dealt = choose(SITE, ProbeOptions(planes=(Plane.HOST,)), None).deal(
        ClusterView(holders={address: "cp-1"}), NO_VIEWS
    )
    assert {pair.destination for pair in dealt.pairs if pair.address == address} == {"cp-1"}


def test_chosen_ports_need_an_open_one_beside_them_at_a_border() -> None:
    options = ProbeOptions(planes=(Plane.HOST,), destination="li-1", only={"tcp": 1 << 9, "udp": 0})
    chosen = choose(SITE, options, None)
    dealt = chosen.deal(NOBODY, NO_VIEWS)
    assert {pair.probed["tcp"] for pair in dealt.pairs} == {1 << 9}
    assert dealt.probes == len(dealt.pairs)
    beside = [pair for pair in dealt.fired if pair.destination == "li-1" and pair.border and pair.openings]
    assert beside
    assert all(
        sum(ports.bit_count() for ports in pair.probed.values()) == 2 for pair in beside if pair.probed["tcp"] >> 9 & 1
    )


@pytest.mark.parametrize(
    ("options", "limit"),
    [
        (ProbeOptions(planes=(Plane.EXTERNAL,), source="li-1", destination="db-1"), None),
        (ProbeOptions(source="nobody"), None),
        (ProbeOptions(), ["router-1"]),
    ],
)
def test_nobody_selected_is_an_error(options: ProbeOptions, limit: list[str] | None) -> None:
    with pytest.raises(SelectionError):
        choose(SITE, options, limit)


def test_no_port_left_is_an_error() -> None:
    chosen = choose(SITE, ProbeOptions(planes=(Plane.HOST,), only={"tcp": 0, "udp": 0}), None)
    with pytest.raises(SelectionError, match="no port is left"):
        chosen.deal(NOBODY, NO_VIEWS)
