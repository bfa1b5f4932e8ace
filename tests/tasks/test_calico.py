"""
Claims about Calico's manifest made to say what the site says; the sample is ours and has the shape of the publisher's.
"""

from __future__ import annotations

import json
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest
import yaml

from model.errors import SiteError
from model.kubernetes.manifests import Manifest
from model.site.site import Site
from tasks.calico import environment, patched
from tasks.cni import NetworkSource, manifests
from tests.mutation import loaded

SITE = loaded()
SAMPLE = """
apiVersion: v1
kind: ConfigMap
metadata: {name: calico-config, namespace: kube-system}
data:
  typha_service_name: "none"
  calico_backend: "bird"
  veth_mtu: "0"
  cni_network_config: |-
    {
      "name": "k8s-pod-network", "cniVersion": "1.0.0",
      "plugins": [
        {"type": "calico", "mtu": __CNI_MTU__, "nodename": "__KUBERNETES_NODE_NAME__", "ipam": {"type": "calico-ipam"}},
        {"type": "portmap", "snat": true, "capabilities": {"portMappings": true}}
      ]
    }
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: calico-node, namespace: kube-system}
spec:
  template:
    spec:
      initContainers:
        - {name: install-cni, image: quay.io/calico/cni:v3}
      containers:
        - name: calico-node
          image: quay.io/calico/node:v3
          env:
            - {name: DATASTORE_TYPE, value: kubernetes}
            - name: NODENAME
              valueFrom: {fieldRef: {fieldPath: spec.nodeName}}
            - {name: CLUSTER_TYPE, value: "k8s,bgp"}
            - {name: CALICO_IPV4POOL_IPIP, value: Always}
            - {name: CALICO_IPV4POOL_VXLAN, value: Never}
            - {name: CALICO_IPV6POOL_VXLAN, value: Never}
            - {name: FELIX_DEFAULTENDPOINTTOHOSTACTION, value: ACCEPT}
            - {name: FELIX_IPV6SUPPORT, value: "false"}
          livenessProbe: {exec: {command: [/bin/calico-node, -felix-live, -bird-live]}}
          readinessProbe: {exec: {command: [/bin/calico-node, -felix-ready, -bird-ready]}}
---
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: calico-kube-controllers, namespace: kube-system}
spec: {replicas: 1}
"""
TYPHA = """
---
apiVersion: v1
kind: Service
metadata: {name: calico-typha, namespace: kube-system}
spec: {ports: [{port: 5473}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: calico-typha, namespace: kube-system}
spec: {replicas: 1}
"""


def site(**cni: Any) -> Site:
    wanted = SITE.settings.cni.model_copy(update={"name": "calico"} | cni)
    return replace(SITE, settings=SITE.settings.model_copy(update={"cni": wanted}))


def by_title(where: Site, text: str = SAMPLE) -> dict[str, Manifest]:
    publisher = NetworkSource(image="", upstream=text)
    return {f"{manifest['kind']} {manifest['metadata']['name']}": manifest for manifest in manifests(where, publisher)}


def container(objects: dict[str, Manifest]) -> dict[str, Any]:
    first: dict[str, Any] = objects["DaemonSet calico-node"]["spec"]["template"]["spec"]["containers"][0]
    return first


def environment_of(objects: dict[str, Manifest]) -> dict[str, Any]:
    listed = container(objects)["env"]
    names = [entry["name"] for entry in listed]
    assert len(names) == len(set(names))
    return {entry["name"]: entry.get("value") for entry in listed}


def test_pods_get_addresses_of_the_sites_networks_in_both_families() -> None:
    objects = by_title(site())
    values = environment_of(objects)
    assert (values["CALICO_IPV4POOL_CIDR"], values["CALICO_IPV6POOL_CIDR"]) == ("10.244.0.0/16", "fd44::/56")
    config = objects["ConfigMap calico-config"]["data"]["cni_network_config"]
    assert '"mtu": __CNI_MTU__,' in config
    calico, portmap = json.loads(config.replace("__CNI_MTU__", "1"))["plugins"]
    assert calico["ipam"] == {"type": "calico-ipam", "assign_ipv4": "true", "assign_ipv6": "true"}
    assert portmap["snat"] is True


def test_what_the_site_does_not_speak_of_stays_the_publishers() -> None:
    values = environment_of(by_title(site()))
    assert (values["DATASTORE_TYPE"], values["NODENAME"]) == ("kubernetes", None)
    assert by_title(site())["Deployment calico-kube-controllers"]["spec"] == {"replicas": 1}


def test_an_overlay_needs_no_bgp() -> None:
    objects = by_title(site(mode="vxlan"))
    values = environment_of(objects)
    assert (values["CALICO_IPV4POOL_VXLAN"], values["CALICO_IPV6POOL_VXLAN"]) == ("Always", "Always")
    assert (values["CALICO_IPV4POOL_IPIP"], values["CLUSTER_TYPE"]) == ("Never", "k8s")
    assert objects["ConfigMap calico-config"]["data"]["calico_backend"] == "vxlan"
    assert "-bird-live" not in container(objects)["livenessProbe"]["exec"]["command"]
    assert container(objects)["readinessProbe"]["exec"]["command"] == ["/bin/calico-node", "-felix-ready"]


def test_bgp_needs_no_overlay() -> None:
    objects = by_title(site(mode="bgp"))
    values = environment_of(objects)
    assert (values["CALICO_IPV4POOL_VXLAN"], values["CALICO_IPV4POOL_IPIP"]) == ("Never", "Never")
    assert objects["ConfigMap calico-config"]["data"]["calico_backend"] == "bird"
    assert "-bird-ready" in container(objects)["readinessProbe"]["exec"]["command"]


def test_encryption_is_as_declared() -> None:
    assert environment_of(by_title(site(wireguard=True)))["FELIX_WIREGUARDENABLED"] == "true"
    assert environment_of(by_title(site(wireguard=True)))["FELIX_WIREGUARDENABLEDV6"] == "true"
    assert environment_of(by_title(site()))["FELIX_WIREGUARDENABLED"] == "false"


def test_the_host_firewall_keeps_its_say_over_pods() -> None:
    assert environment_of(by_title(site()))["FELIX_DEFAULTENDPOINTTOHOSTACTION"] == "RETURN"


def test_one_family_alone() -> None:
    kubernetes = SITE.settings.kubernetes.model_copy(update={"pod_cidrs": (ip_network("10.244.0.0/16"),)})
    only = replace(site(), settings=site().settings.model_copy(update={"kubernetes": kubernetes}))
    values = environment(only)
    assert values["FELIX_IPV6SUPPORT"] == "false"
    assert not any(name.startswith("CALICO_IPV6POOL") for name in environment_of(by_title(only)))


def test_typha_is_there_exactly_where_the_site_wants_it() -> None:
    objects = by_title(site(typha=True), SAMPLE + TYPHA)
    assert objects["ConfigMap calico-config"]["data"]["typha_service_name"] == "calico-typha"
    assert objects["Deployment calico-typha"]["spec"]["replicas"] == 3
    without = by_title(site(), SAMPLE + TYPHA)
    assert not any("typha" in name for name in without)
    assert without["ConfigMap calico-config"]["data"]["typha_service_name"] == "none"


def test_a_typha_that_is_wanted_and_missing_is_refused() -> None:
    with pytest.raises(SiteError, match="has no calico-typha"):
        by_title(site(typha=True))


@pytest.mark.parametrize(
    "text",
    ["", "kind: ConfigMap\nmetadata: {name: x}\n", "a: [", SAMPLE.replace('"plugins": [', '"plugins" [')],
    ids=["nothing", "another", "no-yaml", "no-json"],
)
def test_what_is_not_calicos_is_refused(text: str) -> None:
    with pytest.raises(SiteError, match="the manifest of Calico"):
        by_title(site(), text)


def test_the_publishers_objects_are_left_as_they_were() -> None:
    objects = list(yaml.safe_load_all(SAMPLE))
    before = json.dumps(objects)
    patched(site(), objects)
    assert json.dumps(objects) == before
