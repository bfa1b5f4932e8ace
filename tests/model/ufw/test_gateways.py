"""Servers that others are reached through are known by where sessions come from, and stand before those behind them."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

from model.packets.sockets import SshPeer
from model.ufw.facts import FirewallFacts
from model.ufw.gateways import gateways, in_order, way_to
from tests.tasks.scripted import facts

CONTROLLER = "10.20.0.10"


def host(own: str, client: str, *more: str) -> FirewallFacts:
    """Return a host of these addresses whose session comes from `client`."""
    addresses = tuple(("eth0", ip_address(address)) for address in (own, *more))
    peer = SshPeer(ip_address(client), 50000, ip_address(own), 22)
    return replace(facts(), addresses=(("lo", ip_address("127.0.0.1")), *addresses), peer=peer)


SEEN = {
    "w-1": host("10.20.1.21", "fd20:1::12"),
    "a-1": host("10.20.1.11", CONTROLLER, "10.20.2.11"),
    "b-1": host("10.20.1.12", "10.20.2.11", "fd20:1::12"),
    "db-1": host("10.20.1.31", CONTROLLER),
}


def test_whoever_owns_the_address_that_a_session_comes_from_is_on_the_way() -> None:
    through = gateways(SEEN)
    assert through == {"w-1": "b-1", "b-1": "a-1"}
    assert [way_to(name, through) for name in ("w-1", "b-1", "a-1", "db-1")] == [("a-1", "b-1"), ("a-1",), (), ()]
    assert in_order(through) == ("a-1", "b-1")


def test_a_server_on_which_the_controller_runs_is_before_all_others() -> None:
    through = gateways(
        {
            "a-1": host("10.20.1.11", "127.0.0.1"),
            "w-1": host("10.20.1.21", "10.20.1.11"),
            "x": replace(facts(), peer=None),
        }
    )
    assert through == {"w-1": "a-1"}


def test_a_circle_has_an_end() -> None:
    through = gateways({"a-1": host("10.20.1.11", "10.20.1.12"), "b-1": host("10.20.1.12", "10.20.1.11")})
    assert set(in_order(through)) == {"a-1", "b-1"}
    assert way_to("a-1", through) == ("a-1", "b-1")
