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
from tests.model.rollout.stacks import found, publisher, site


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


def test_what_the_api_does_not_keep_of_a_definition_is_not_declared() -> None:
    known = site()
    (component,) = (component for component in known.components if component.name == "cert-manager")
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "things.example.org"},
        "spec": {"group": "example.org", "preserveUnknownFields": False},
    }
    rendered = render_component(known, component, None, lambda _: yaml.safe_dump(definition))
    (declared,) = (m for m in rendered.objects if m["metadata"]["name"] == "things.example.org")
    assert declared["spec"] == {"group": "example.org"}
