"""The web client knows the site's homeserver and nobody else, can be framed by nobody, and comes at its own name."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from model.matrix.pod_words import pod_words
from model.rollout.graph import active
from model.rollout.image_references import ImageUnknown
from model.rollout.policies import network_policies
from model.rollout.render import render_site
from model.rollout.rendered import RenderedComponent
from model.rollout.values.element_web import HEADERS
from model.site.names import records
from tests.model.rollout.stacks import SITES, changed, found, publisher, render, site, stack

NAME = "chat.example.test"
OFF = "element_web off"
OPTIONAL = ("element-web", "ketesa")


def _part(name: str = "small") -> RenderedComponent:
    return next(part for part in stack(name).components if part.name == "element-web")


def _config(name: str = "small") -> dict[str, Any]:
    content: dict[str, Any] = json.loads(_part(name).files["config.json"])
    return content


def _deployment(name: str = "small") -> dict[str, Any]:
    return next(manifest for manifest in _part(name).objects if manifest["kind"] == "Deployment")


@pytest.mark.parametrize("name", [name for name in SITES if name != OFF])
def test_every_site_that_wants_it_has_it_with_its_own_homeserver(name: str) -> None:
    said = _config(name)
    domain = stack(name).site.settings.domain
    homeserver = {"base_url": f"https://matrix.{domain}", "server_name": domain}
    assert said["default_server_config"] == {"m.homeserver": homeserver}
    assert (said["disable_custom_urls"], said["disable_guests"]) == (True, True)
    assert said["default_federate"] is stack(name).site.settings.federation


def test_no_word_of_the_configuration_leads_to_somebody_elses_service() -> None:
    text = json.dumps(_config())
    hosts = set(re.findall(r"https?://([^/\"]+)", text))
    assert hosts == {"matrix.example.test", NAME}
    said = _config()
    assert {said["integrations_ui_url"], said["integrations_rest_url"], *said["integrations_widgets_urls"]} == {None}
    assert set(said["mobile_builds"].values()) == {None}
    assert said["jitsi"]["preferred_domain"] == NAME
    assert not {"m.identity_server", "map_style_url", "posthog", "sentry", "bug_report_endpoint_url"} & set(said)
    assert said["setting_defaults"]["UIFeature.identityServer"] is False


def test_group_calls_are_offered_where_the_site_has_them() -> None:
    assert _config()["element_call"] == {"use_exclusively": True}
    without = _config("element_call off")
    assert not {"element_call", "features"} & set(without)
    assert without["setting_defaults"]["UIFeature.widgets"] is False


def test_its_server_needs_no_root_no_low_port_and_no_disk_but_tmp() -> None:
    text = _part().files["nginx.conf"]
    assert re.findall(r"listen (\S+);", text) == ["0.0.0.0:8080", "[::]:8080"]
    written = re.findall(r"^ *(?:pid|\w+_temp_path) (\S+);", text, re.MULTILINE)
    assert len(written) == 6
    assert all(path.startswith("/tmp/") for path in written)  # noqa: S108 - the pod's own
    pod = _deployment()["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsUser"] == 101
    (container,) = pod["containers"]
    assert container["command"][:4] == ["nginx", "-e", "stderr", "-c"]
    assert text.count("{") == text.count("}")


def test_where_pods_have_one_family_it_listens_on_that_alone() -> None:
    known = site(changed(kubernetes={"pod_cidrs": ["10.244.0.0/16"], "service_cidrs": ["10.96.0.0/12"]}))
    part = next(part for part in render(known).components if part.name == "element-web")
    assert re.findall(r"listen (\S+);", part.files["nginx.conf"]) == ["0.0.0.0:8080"]


def test_the_files_that_are_probed_are_there() -> None:
    (container,) = _deployment()["spec"]["template"]["spec"]["containers"]
    asked = {container[kind]["httpGet"]["path"] for kind in ("readinessProbe", "livenessProbe")}
    mounted = {mount["mountPath"]: mount.get("subPath") for mount in container["volumeMounts"]}
    assert mounted["/app/config.json"] == "config.json"
    assert asked == {"/config.json", "/health"}
    assert "location = /health" in _part().files["nginx.conf"]


def test_every_answer_says_that_nobody_may_frame_it() -> None:
    text = _part().files["nginx.conf"]
    http, _, server = text.partition("  server {")
    said = dict(re.findall(r'add_header (\S+) "([^"]*)" always;', http))
    assert said == HEADERS
    assert said["X-Frame-Options"] == "SAMEORIGIN"
    assert said["X-Content-Type-Options"] == "nosniff"
    assert said["Content-Security-Policy"] == "frame-ancestors 'self'"
    # One within would take the place of all of these.
    assert "add_header" not in server


@pytest.mark.parametrize(("name", "class_name"), [("small", "contour"), ("own ingress", "theirs")])
def test_its_own_name_leads_to_it_over_tls(name: str, class_name: str) -> None:
    (ingress,) = found("element-web", "Ingress", stack(name).site)
    assert ingress["spec"]["ingressClassName"] == class_name
    assert ingress["spec"]["tls"] == [{"hosts": [NAME], "secretName": "matrix-tls"}]
    ((rule,), path) = (ingress["spec"]["rules"], ingress["spec"]["rules"][0]["http"]["paths"][0])
    assert (rule["host"], path["path"]) == (NAME, "/")
    assert path["backend"]["service"] == {"name": "element-web", "port": {"name": "http"}}
    (certificate,) = found("issuers", "Certificate", stack(name).site)[-1:]
    assert NAME in certificate["spec"]["dnsNames"]


@pytest.mark.parametrize(("name", "pods"), [("small", 1), ("100", 1), ("mail at 5000", 2), ("20000", 2)])
def test_more_than_a_hundred_users_have_two_of_it(name: str, pods: int) -> None:
    budgets = [manifest for manifest in _part(name).objects if manifest["kind"] == "PodDisruptionBudget"]
    assert _deployment(name)["spec"]["replicas"] == pods
    assert len(budgets) == pods - 1


def test_only_the_ingress_reaches_it_and_it_reaches_nobody() -> None:
    policy = next(found for found in network_policies(site()) if found["metadata"]["name"] == "element-web")
    (rule,) = policy["spec"]["ingress"]
    assert rule["ports"] == [{"protocol": "TCP", "port": 8080}]
    assert [peer["podSelector"]["matchLabels"] for peer in rule["from"]] == [{"app": "envoy"}]
    assert "egress" not in policy["spec"]


def test_a_site_that_does_not_want_it_has_no_trace_of_it() -> None:
    known = stack(OFF).site
    assert "element-web" not in {component.name for component in active(known)}
    assert "element-web" not in pod_words(known)
    assert NAME not in {record.name for record in records(known)}
    assert NAME in {record.name for record in records(site())}
    certificates = [manifest for _, manifest in stack(OFF).of("Certificate")]
    assert not any(NAME in manifest["spec"].get("dnsNames", ()) for manifest in certificates)


def test_without_its_image_the_rest_of_the_site_is_rendered_all_the_same() -> None:
    known = site()
    images = dict(known.images) | {name: known.images[name].model_copy(update={"digest": None}) for name in OPTIONAL}
    bare = replace(known, application=replace(known.application, images=images))
    rendered = {part.name for part in render_site(bare, None, publisher)}
    assert rendered == {component.name for component in active(known)} - set(OPTIONAL)
    images["redis"] = images["redis"].model_copy(update={"digest": None})
    with pytest.raises(ImageUnknown, match="redis"):
        render_site(replace(known, application=replace(known.application, images=images)), None, publisher)
