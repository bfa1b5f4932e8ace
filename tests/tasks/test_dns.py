"""Claims about what the cluster's DNS is told."""

from __future__ import annotations

from dataclasses import replace

from model.kubernetes.cluster import Node, read_node
from tasks.dns import corefile, manifests
from tests.mutation import loaded

SITE = loaded()


def node(name: str, *cidrs: str) -> Node:
    return read_node({"metadata": {"name": name}, "spec": {"podCIDRs": list(cidrs)}})


LI = node("li-1", "10.244.5.0/24", "fd44:0:0:5::/64")
MAIN = node("w-1", "10.244.6.0/24")


def test_the_sites_own_servers_are_asked() -> None:
    assert "forward . 10.20.1.1 fd20:1::1 {" in corefile(SITE, [MAIN])
    assert "10.20.2.1 " not in corefile(SITE, [LI])


def test_without_servers_the_nodes_own_are_asked() -> None:
    dns = SITE.settings.dns.model_copy(update={"main": ()})
    bare = replace(SITE, settings=SITE.settings.model_copy(update={"dns": dns}))
    assert "forward . /etc/resolv.conf {" in corefile(bare, [])


def test_pods_of_isolated_nodes_get_answers_of_their_own_before_all_others() -> None:
    first, _, second = corefile(SITE, [MAIN, LI]).partition("\n}\n.:53 {")
    assert "incidr(client_ip(), '10.244.5.0/24')" in first
    assert "10.20.2.11 matrix.example.test" in first
    assert "10.244.6.0/24" not in first
    assert "view" not in second
    assert "matrix.example.test" not in second


def test_a_site_without_isolated_nodes_has_one_view() -> None:
    assert corefile(SITE, [MAIN]).count(".:53 {") == 1


def test_a_health_check_and_a_loop_guard_stand_once() -> None:
    text = corefile(SITE, [LI])
    assert (text.count("health {"), text.count("    loop\n"), text.count("    ready\n")) == (1, 1, 2)


def test_replicas_keep_apart_and_never_leave_together() -> None:
    _, budget, deployment = manifests(SITE, [])
    assert budget["spec"]["maxUnavailable"] == 1
    (spread,) = deployment["spec"]["template"]["spec"]["topologySpreadConstraints"]
    assert (spread["topologyKey"], spread["maxSkew"]) == ("kubernetes.io/hostname", 1)
