"""The profiles: which hosts, which addresses."""

from __future__ import annotations

import pytest
import yaml

from lab.emission import fitted, host_entry
from lab.errors import LabError
from lab.network import peer
from lab.plan import LabPlan
from lab.topology import NETWORKS, added_host, hosts_of
from model.checkout import ROOT


def test_the_reference_profile_is_the_committed_reference_site() -> None:
    committed = yaml.safe_load((ROOT / "inventory/hosts.yaml").read_text("utf-8"))
    assert {host.name: host_entry(host) for host in hosts_of("reference")} == committed


def test_the_labs_networks_are_those_of_the_committed_site() -> None:
    committed = yaml.safe_load((ROOT / "inventory/site.yaml").read_text("utf-8"))["networks"]
    assert {name: [str(network.ipv4), str(network.ipv6)] for name, network in NETWORKS.items()} == {
        name: plan["cidrs"] for name, plan in committed.items()
    }


def test_the_matrix_profile_has_one_server_for_calls_and_all_else_of_the_reference() -> None:
    names = "cp-1 cp-2 cp-3 w-1 w-2 w-3 db-1 db-2 db-3 st-1 st-2 st-3 st-4 call-1 li-1 mon-1 router-1 vantage-1"
    assert [host.name for host in hosts_of("matrix")] == names.split()
    assert set(hosts_of("matrix")) < set(hosts_of("reference"))


@pytest.mark.parametrize("servers", [17, 18, 50, 100, 110])
def test_a_number_is_the_number_of_servers(servers: int) -> None:
    assert sum(host.serves_the_site for host in hosts_of(str(servers))) == servers


@pytest.mark.parametrize("profile", ["small", "matrix", "reference", "110"])
def test_no_two_hosts_share_an_address_or_a_name(profile: str) -> None:
    hosts = hosts_of(profile)
    addresses = [address for host in hosts for leg in host.legs for address in leg.addresses]
    assert len(set(addresses)) == len(addresses)
    assert len({host.name for host in hosts}) == len(hosts)


def test_names_of_interfaces_fit_into_the_kernels_limit() -> None:
    names = [peer(host.name, number) for host in hosts_of("110") for number in range(len(host.legs))]
    assert max(map(len, names)) <= 15


@pytest.mark.parametrize("profile", ["16", "111", "0", "large", ""])
def test_a_profile_the_lab_has_no_room_for_is_an_error(profile: str) -> None:
    with pytest.raises(LabError, match="profile"):
        hosts_of(profile)


def test_an_added_host_takes_the_next_free_number() -> None:
    hosts = hosts_of("small")
    first = added_host("w-9", "worker", "main", hosts)
    second = added_host("w-10", "worker", "main", (*hosts, first))
    assert (first.hostname, second.hostname) == ("10.20.1.150", "10.20.1.151")


@pytest.mark.parametrize("name", ["cp-1", "UPPER", "much-too-long", "x y", "-"])
def test_an_added_host_needs_a_free_and_short_name(name: str) -> None:
    with pytest.raises(LabError, match="host"):
        added_host(name, "worker", "main", hosts_of("small"))


def _plan(profile: str) -> LabPlan:
    return LabPlan(profile=profile, bare=False, suite="bookworm", hosts=hosts_of(profile))


def test_the_small_site_has_no_external_address_without_a_host_behind_it() -> None:
    committed = yaml.safe_load((ROOT / "inventory/site.yaml").read_text("utf-8"))
    settings = fitted(committed, _plan("small"))
    assert set(settings["external"]) == {"ingress"}
    assert settings["features"]["turn"] is False
    assert fitted(committed, _plan("reference"))["external"] == committed["external"]


def test_the_matrix_site_leads_calls_between_two_and_group_calls_to_its_one_call_server() -> None:
    committed = yaml.safe_load((ROOT / "inventory/site.yaml").read_text("utf-8"))
    settings = fitted(committed, _plan("matrix"))
    assert set(settings["external"]) == {"ingress", "turn", "livekit"}
    assert settings["external"]["livekit"]["targets"] == ["call-1"]
    assert settings["external"]["livekit"]["addresses"] == committed["external"]["livekit"]["addresses"]
