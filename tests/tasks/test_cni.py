"""Claims about what the pod network is made of."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest

from model.base import Network
from model.errors import SiteError
from model.host.hoststate import HostState
from model.kubernetes.cluster import read_node
from model.kubernetes.manifests import Manifest
from model.site.installation import IMAGES
from model.site.site import Site
from tasks.cni import CHOSEN, NetworkSource, conflist, manifests, network_config, patches, source
from tests.mutation import loaded

SITE = loaded()
BOTH = (ip_network("10.244.3.0/24"), ip_network("fd44:0:0:3::/64"))


def other(**kubernetes: object) -> Site:
    settings = SITE.settings
    return replace(
        SITE, settings=settings.model_copy(update={"kubernetes": settings.kubernetes.model_copy(update=kubernetes)})
    )


def flannel(site: Site) -> Manifest:
    """Return Flannel's own workload."""
    return next(one for one in manifests(site) if (one["kind"], one["metadata"]["name"]) == ("DaemonSet", "flannel"))


def test_flannel_uses_the_port_that_the_matrix_opens_for_it() -> None:
    row = next(row for row in SITE.rows if row.name == "flannel-vxlan")
    assert row.intervals == ((network_config(SITE)["Backend"]["Port"],) * 2,)


def test_one_family_and_iptables_where_the_site_says_so() -> None:
    only = network_config(other(pod_cidrs=(ip_network("10.1.0.0/16"),), proxy_mode="iptables"))
    assert (only["EnableIPv4"], only["EnableIPv6"], only["EnableNFTables"]) == (True, False, False)
    assert "IPv6Network" not in only
    six = network_config(other(pod_cidrs=(ip_network("fd44::/56"),)))
    assert (six["EnableIPv4"], six["EnableIPv6"], six["IPv6Network"]) == (False, True, "fd44::/56")


def test_another_configuration_replaces_the_pods() -> None:
    def digest(site: Site) -> str:
        template = flannel(site)["spec"]["template"]
        return str(template["metadata"]["annotations"]["matrix-fleet.io/network"])

    assert digest(SITE) != digest(other(proxy_mode="iptables"))


def test_flannel_reaches_the_api_without_services_and_runs_everywhere() -> None:
    pod = flannel(SITE)["spec"]["template"]["spec"]
    environment = {entry["name"]: entry.get("value") for entry in pod["containers"][0]["env"]}
    assert (environment["KUBERNETES_SERVICE_HOST"], environment["KUBERNETES_SERVICE_PORT"]) == (
        "api.example.test",
        "8443",
    )
    assert pod["tolerations"] == [{"operator": "Exists"}]
    assert pod["nodeSelector"][CHOSEN] == "true"
    assert pod["containers"][0]["securityContext"]["privileged"] is False


def test_it_may_do_no_more_than_read_nodes_and_say_where_it_is() -> None:
    (role,) = (manifest for manifest in manifests(SITE) if manifest["kind"] == "ClusterRole")
    assert [(rule["resources"], rule["verbs"]) for rule in role["rules"]] == [
        (["nodes"], ["get", "list", "watch"]),
        (["nodes/status"], ["patch"]),
    ]


def test_a_node_declares_the_address_its_roles_live_at() -> None:
    (todo,) = patches(SITE, [read_node({"metadata": {"name": "db-1"}})])
    annotations = todo.body["metadata"]["annotations"]
    assert annotations == {
        "flannel.alpha.coreos.com/node-public-ip": "10.20.1.31",
        "flannel.alpha.coreos.com/node-public-ipv6": "fd20:1::31",
    }
    seen = read_node({"metadata": {"name": "db-1", "annotations": annotations, "labels": {CHOSEN: "true"}}})
    assert patches(SITE, [seen]) == ()


@pytest.mark.parametrize(("cidrs", "mtu"), [(BOTH, 1430), (BOTH[:1], 1450), (BOTH[1:], 1430)])
def test_containers_hang_on_a_bridge_that_fits_into_the_overlay(cidrs: Sequence[Network], mtu: int) -> None:
    (file,) = conflist(SITE, SITE.by_name["w-1"], cidrs).files
    bridge, portmap = json.loads(file.text)["plugins"]
    assert bridge["mtu"] == mtu
    assert bridge["ipam"]["ranges"] == [[{"subnet": str(cidr)}] for cidr in cidrs]
    assert (bridge["isDefaultGateway"], bridge["hairpinMode"], bridge["ipMasq"]) == (True, True, False)
    assert portmap["type"] == "portmap"
    assert file.mode == 0o600


def with_cni(**cni: object) -> Site:
    settings = SITE.settings
    return replace(SITE, settings=settings.model_copy(update={"cni": settings.cni.model_copy(update=cni)}))


def test_calico_writes_its_own_file_on_nodes() -> None:
    assert conflist(with_cni(name="calico"), SITE.by_name["w-1"], BOTH) == HostState()


def test_flannels_image_is_the_bundles_or_the_publishers() -> None:
    assert source(SITE, None, None) == NetworkSource(enforcer=IMAGES["kube-router"])
    assert source(with_cni(policies="own"), None, None) == NetworkSource()


def enforcer(site: Site) -> dict[str, Any]:
    (found,) = (
        one
        for one in manifests(site, NetworkSource(enforcer="kube-router:v2"))
        if one["metadata"]["name"] == "kube-router" and one["kind"] == "DaemonSet"
    )
    return dict(found["spec"]["template"]["spec"])


def test_beside_flannel_stands_what_enforces_policies_and_it_does_nothing_else() -> None:
    pod = enforcer(SITE)
    (container,) = pod["containers"]
    assert container["image"] == "kube-router:v2"
    assert container["args"] == [
        "--run-firewall=true",
        "--run-router=false",
        "--run-service-proxy=false",
        "--enable-ipv4=true",
        "--enable-ipv6=true",
        "--service-cluster-ip-range=10.96.0.0/12,fd96::/112",
        "--health-port=20244",
        "--iptables-sync-period=1m",
    ]
    assert (pod["hostNetwork"], pod["tolerations"]) == (True, [{"operator": "Exists"}])
    assert {"name": "KUBERNETES_SERVICE_HOST", "value": "api.example.test"} in container["env"]


def test_it_serves_the_families_that_pods_have() -> None:
    args = enforcer(other(pod_cidrs=BOTH[:1], service_cidrs=(ip_network("10.96.0.0/12"),)))["containers"][0]["args"]
    assert {"--enable-ipv4=true", "--enable-ipv6=false", "--service-cluster-ip-range=10.96.0.0/12"} <= set(args)


def test_it_may_only_read() -> None:
    roles = [one for one in manifests(SITE, NetworkSource(enforcer="kube-router:v2")) if one["kind"] == "ClusterRole"]
    (own,) = (role for role in roles if role["metadata"]["name"] == "kube-router")
    assert {verb for rule in own["rules"] for verb in rule["verbs"]} == {"get", "list", "watch"}
    assert {"pods", "namespaces", "networkpolicies"} <= {kind for rule in own["rules"] for kind in rule["resources"]}


def test_where_nothing_enforces_policies_there_are_none_and_where_something_does_the_name_servers_are_held() -> None:
    assert not [one for one in manifests(with_cni(policies="own")) if one["kind"] == "NetworkPolicy"]
    held = [
        one["metadata"]
        for one in manifests(SITE, NetworkSource(enforcer="kube-router:v2"))
        if one["kind"] == "NetworkPolicy"
    ]
    assert [(meta["namespace"], meta["name"]) for meta in held] == [("kube-system", "coredns")]


def test_where_the_pod_network_enforces_by_itself_nothing_stands_beside_it() -> None:
    assert not [one for one in manifests(SITE) if "kube-router" in one["metadata"]["name"]]


@pytest.mark.parametrize(("name", "word"), [("cilium", "not set up by this version"), ("calico", "a bundle brings it")])
def test_a_network_that_cannot_be_set_up_is_refused_before_anything_is(name: str, word: str) -> None:
    with pytest.raises(SiteError, match=word):
        source(with_cni(name=name), None, None)
