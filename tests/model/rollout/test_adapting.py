"""Publishers' manifests as they are fitted to the site."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import yaml

from model.errors import SiteError
from model.rollout.adapting import argument, the, without
from model.rollout.render import render_component
from model.rollout.rendered import pod_template
from model.rollout.values import contour
from model.site.site import Site
from tests.model.rollout.stacks import changed, found, publisher, site


def test_envoy_listens_on_the_ports_of_the_ingress_hosts_alone_for_both_families() -> None:
    (envoy,) = found("contour", "DaemonSet")
    template = envoy["spec"]["template"]
    assert "{'key': 'kubernetes.io/hostname', 'operator': 'In', 'values': ['w-1']}" in str(template["spec"]["affinity"])
    assert [port.get("hostPort") for port in template["spec"]["containers"][1]["ports"]] == [80, 443, None]
    (controller,) = found("contour", "Deployment")
    (server,) = controller["spec"]["template"]["spec"]["containers"]
    assert {port["name"] for port in server["ports"]} == {"xds", "metrics"}
    arguments = controller["spec"]["template"]["spec"]["containers"][0]["args"]
    assert {"--envoy-service-http-address=::", "--envoy-service-https-address=::"} <= set(arguments)
    assert not [m for m in found("contour", "Service") if m["spec"].get("type") == "LoadBalancer"]


def test_an_ingress_nobody_placed_is_refused() -> None:
    known = site()
    settings = known.settings.model_copy(update={"external": {}})
    with pytest.raises(SiteError, match=r"external\.ingress is missing"):
        contour.ingress_hosts(Site(settings, known.machines, known.roles, known.rows, known.folder))


def test_the_operator_starts_instances_from_the_image_it_is() -> None:
    (operator,) = found("cloudnative-pg", "Deployment")
    (container,) = operator["spec"]["template"]["spec"]["containers"]
    variables = {variable["name"]: variable.get("value") for variable in container["env"]}
    assert variables["OPERATOR_IMAGE_NAME"] == container["image"]
    assert operator["spec"]["replicas"] == 2


def test_a_manifest_that_lacks_what_is_adapted_is_refused() -> None:
    known = site()
    component = next(component for component in known.components if component.name == "contour")
    text = publisher("contour").replace("name: envoy, namespace", "name: proxy, namespace")
    with pytest.raises(SiteError, match="no longer what is adapted here: Service envoy"):
        render_component(known, component, None, lambda _: text)
    objects = [document for document in yaml.safe_load_all(publisher("contour")) if document]
    with pytest.raises(SiteError, match="Deployment envoy"):
        the(objects, "Deployment", "envoy")
    assert len(without(objects, ("Service", "envoy"))) == len(objects) - 1


def test_an_option_takes_the_place_of_the_one_there_was() -> None:
    container: dict[str, Any] = {"args": ["serve", "--address=0.0.0.0"]}
    argument(container, "--address", "::")
    assert container["args"] == ["serve", "--address=::"]


def test_jobs_of_another_content_are_other_jobs() -> None:
    (before,) = found("contour", "Job")
    known = site()
    images = dict(known.images)
    images["contour"] = images["contour"].model_copy(update={"digest": "sha256:" + "1" * 64})
    (after,) = found("contour", "Job", replace(known, application=replace(known.application, images=images)))
    assert before["metadata"]["name"] != after["metadata"]["name"]
    assert pod_template(before) is not None


def test_what_the_api_does_not_keep_is_not_declared() -> None:
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "things.example.org"},
        "spec": {"group": "example.org", "preserveUnknownFields": False},
    }
    empty = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "empty"}, "data": None}
    declared = {m["metadata"]["name"]: m for m in _cert_manager(yaml.safe_dump_all([definition, empty]))}
    assert declared["things.example.org"]["spec"] == {"group": "example.org"}
    assert "data" not in declared["empty"]


def test_two_webhooks_of_cert_manager_are_on_different_nodes_and_its_containers_run_our_images() -> None:
    deployments = {m["metadata"]["name"]: m["spec"] for m in found("cert-manager", "Deployment")}
    assert {name: spec["replicas"] for name, spec in deployments.items()} == {
        "cert-manager": 1, "cert-manager-cainjector": 1, "cert-manager-webhook": 2,
    }  # fmt: skip
    assert deployments["cert-manager-webhook"]["strategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}
    (budget,) = found("cert-manager", "PodDisruptionBudget")
    (apart,) = deployments["cert-manager-webhook"]["template"]["spec"]["affinity"]["podAntiAffinity"].values()
    assert [term["labelSelector"] for term in apart] == [budget["spec"]["selector"]]
    (controller,) = deployments["cert-manager"]["template"]["spec"]["containers"]
    assert controller["image"].startswith("quay.io/jetstack/cert-manager-controller:v")
    assert any(text.startswith("--acme-http01-solver-image=quay.io/jetstack/") for text in controller["args"])


def test_leaders_of_cert_manager_are_elected_in_its_own_namespace() -> None:
    roles = [m for kind in ("Role", "RoleBinding") for m in found("cert-manager", kind)]
    assert {m["metadata"]["namespace"] for m in roles} == {"cert-manager"}
    assert len(roles) == 6
    for deployment in found("cert-manager", "Deployment"):
        arguments = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
        leading = deployment["metadata"]["name"] != "cert-manager-webhook"
        assert ("--leader-election-namespace=cert-manager" in arguments) == leading


def test_services_of_cert_manager_lead_to_metrics_where_somebody_may_ask_for_them() -> None:
    watched = {m["metadata"]["name"]: len(m["spec"]["ports"]) for m in found("cert-manager", "Service")}
    assert watched == {"cert-manager": 1, "cert-manager-cainjector": 1, "cert-manager-webhook": 2}
    unwatched = found("cert-manager", "Service", site(changed(features={"monitoring": False})))
    assert [[port["name"] for port in service["spec"]["ports"]] for service in unwatched] == [["https"]]


def test_a_cert_manager_that_its_publisher_lets_nobody_ask_is_asked_at_its_metrics() -> None:
    objects = [document for document in yaml.safe_load_all(publisher("cert-manager")) if document]
    the(objects, "Deployment", "cert-manager")["spec"]["template"]["spec"]["containers"][0].pop("livenessProbe")
    adapted = _cert_manager(yaml.safe_dump_all(objects), whole=True)
    (container,) = the(adapted, "Deployment", "cert-manager")["spec"]["template"]["spec"]["containers"]
    assert container["livenessProbe"]["tcpSocket"] == container["readinessProbe"]["tcpSocket"] == {"port": 9402}
    (deployment,) = (m for m in found("cert-manager", "Deployment") if m["metadata"]["name"] == "cert-manager")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert "httpGet" in container["livenessProbe"]


def test_an_object_that_is_called_so_is_meant_before_one_whose_name_begins_so() -> None:
    named = [{"kind": "Service", "metadata": {"name": name}} for name in ("a", "a-b", "a-c")]
    assert the(named, "Service", "a")["metadata"]["name"] == "a"
    assert the(named, "Service", "a-b")["metadata"]["name"] == "a-b"
    with pytest.raises(SiteError, match="Service a-"):
        the(named, "Service", "a-")


def _cert_manager(text: str, whole: bool = False) -> list[dict[str, Any]]:
    """Return the component's objects: of a publisher's file that has this besides, or which is this as a `whole`."""
    known = site()
    (component,) = (component for component in known.components if component.name == "cert-manager")
    published = text if whole else f"{publisher('cert-manager')}---\n{text}"
    return list(render_component(known, component, None, lambda _: published).objects)
