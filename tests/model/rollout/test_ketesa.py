"""The administration's pages speak to the site's homeserver alone, and no public name leads to them."""

from __future__ import annotations

import json

import pytest

from model.rollout.graph import active
from model.rollout.policies import network_policies
from model.rollout.rendered import RenderedComponent
from tests.model.rollout.stacks import SITES, changed, found, render, site, stack

OFF = "admin_ui off"
WANTED = [name for name in SITES if name != OFF]


def _part(name: str = "small") -> RenderedComponent:
    return next(part for part in stack(name).components if part.name == "ketesa")


@pytest.mark.parametrize("name", WANTED)
def test_whoever_logs_in_may_choose_the_sites_own_homeserver_alone(name: str) -> None:
    said = json.loads(_part(name).files["config.json"])
    assert said == {"restrictBaseUrl": ["http://localhost:8009", f"https://matrix.{stack(name).site.settings.domain}"]}


def test_the_inner_port_that_it_names_is_the_proxys_and_the_public_one_refuses_administration() -> None:
    (service,) = found("haproxy", "Service")
    assert {"name": "inside", "port": 8009, "targetPort": "inside"} in service["spec"]["ports"]
    proxy = next(part for part in stack("small").components if part.name == "haproxy")
    public = proxy.files["haproxy.cfg"].partition("frontend public")[2].partition("frontend inside")[0]
    assert "/_synapse/admin" not in public
    assert "unless for_everybody" in public


@pytest.mark.parametrize("name", WANTED)
def test_no_ingress_and_no_port_of_a_node_leads_to_it(name: str) -> None:
    for _, ingress in stack(name).of("Ingress"):
        for rule in ingress["spec"]["rules"]:
            assert all(path["backend"]["service"]["name"] != "ketesa" for path in rule["http"]["paths"])
    (service,) = (manifest for manifest in _part(name).objects if manifest["kind"] == "Service")
    assert service["spec"].get("type", "ClusterIP") == "ClusterIP"
    assert {manifest["kind"] for manifest in _part(name).objects} <= {
        "ConfigMap",
        "Deployment",
        "PodDisruptionBudget",
        "Service",
    }
    known = stack(name).site
    rows = [row for row in known.active_rows if "ketesa" in row.pod_to]
    assert [row.pod_from for row in rows] == [("admin",)]
    assert not [row for row in known.active_rows if row.target == "ketesa"]


def test_no_pod_of_the_site_reaches_it_and_it_reaches_nobody() -> None:
    policy = next(found for found in network_policies(site()) if found["metadata"]["name"] == "ketesa")
    assert not {"ingress", "egress"} & set(policy["spec"])
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]


def test_its_server_is_told_by_its_environment_and_writes_nothing() -> None:
    (deployment,) = found("ketesa", "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    said = {variable["name"]: variable["value"] for variable in container["env"]}
    assert said["SERVER_PORT"] == str(container["ports"][0]["containerPort"]) == "8080"
    assert (said["SERVER_HOST"], said["SERVER_HEALTH"], said["SERVER_SECURITY_HEADERS"]) == ("::", "true", "true")
    assert container["readinessProbe"]["httpGet"]["path"] == "/health"
    (mount,) = container["volumeMounts"]
    assert (mount["mountPath"], mount["subPath"]) == ("/var/public/config.json", "config.json")
    assert not [volume for volume in pod["volumes"] if "emptyDir" in volume]
    assert pod["securityContext"]["runAsUser"] > 0


def test_where_pods_have_one_family_it_listens_on_that_alone() -> None:
    known = site(changed(kubernetes={"pod_cidrs": ["10.244.0.0/16"], "service_cidrs": ["10.96.0.0/12"]}))
    part = next(part for part in render(known).components if part.name == "ketesa")
    (container,) = next(one for one in part.objects if one["kind"] == "Deployment")["spec"]["template"]["spec"][
        "containers"
    ]
    assert {"name": "SERVER_HOST", "value": "0.0.0.0"} in container["env"]


@pytest.mark.parametrize(("name", "pods"), [("small", 1), ("100", 1), ("20000", 2)])
def test_more_than_a_hundred_users_have_two_of_it(name: str, pods: int) -> None:
    (deployment,) = (manifest for manifest in _part(name).objects if manifest["kind"] == "Deployment")
    assert deployment["spec"]["replicas"] == pods


def test_a_site_that_does_not_want_it_has_none() -> None:
    assert "ketesa" not in {component.name for component in active(stack(OFF).site)}
