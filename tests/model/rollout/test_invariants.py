"""Every rule holds for every component of every kind of site, and each can go red."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from model.rollout.invariants.rules import RULES
from model.rollout.invariants.stack import Stack
from model.rollout.rendered import RenderedComponent
from model.site.components import Component
from tests.model.rollout.stacks import MORE_SITES, SITES, render, rotating, site, stack

Spoil = Callable[[dict[str, Any]], None]


@pytest.mark.parametrize("name", SITES)
@pytest.mark.parametrize("rule", RULES)
def test_every_rule_holds_for_every_site(rule: str, name: str) -> None:
    assert list(RULES[rule](stack(name))) == []


@pytest.mark.parametrize("name", MORE_SITES)
def test_every_rule_holds_with_each_feature_switched_alone(name: str) -> None:
    assert _broken(render(MORE_SITES[name]())) == []


def test_every_rule_holds_while_secrets_are_rotated() -> None:
    assert _broken(rotating()) == []


def _broken(whole: Stack) -> list[str]:
    return [f"{rule}: {sentence}" for rule, judge in RULES.items() for sentence in judge(whole)]


@pytest.mark.parametrize("component", [component.name for component in site().components])
def test_every_component_is_rendered_by_some_site(component: str) -> None:
    parts = [part for name in SITES for part in stack(name).components if part.name == component]
    assert parts
    assert all(part.objects for part in parts)


def test_a_component_without_templates_is_no_part_of_a_site_in_silence() -> None:
    known = site()
    bare = Component(name="nobody-wrote-it", phase=1, title="a")
    wrong = replace(known, application=replace(known.application, components=(*known.components, bare)))
    with pytest.raises(AssertionError, match="nobody-wrote-it has no templates"):
        render(wrong)


def _container(manifest: dict[str, Any]) -> dict[str, Any]:
    container: dict[str, Any] = manifest["spec"]["template"]["spec"]["containers"][0]
    return container


def _set(*path: str | int, value: object) -> Spoil:
    def spoil(manifest: dict[str, Any]) -> None:
        place: Any = manifest
        for step in path[:-1]:
            place = place[step]
        if value is None:
            del place[path[-1]]
        else:
            place[path[-1]] = value

    return spoil


_POD = ("spec", "template", "spec")
_FIRST = (*_POD, "containers", 0)
REDIS = ("redis", "StatefulSet", "redis")
SEAWEEDFS = ("seaweedfs-volumes", "StatefulSet", "seaweedfs-volume")
INGRESS = ("element-web", "Ingress", "element-web")
_BACKEND = ("spec", "rules", 0, "http", "paths", 0, "backend", "service")
METRICS = {"name": "metrics", "containerPort": 9126}
RED: tuple[tuple[str, tuple[str, str, str], Spoil], ...] = (
    ("names", REDIS, _set("metadata", "name", value="Redis_0")),
    ("names", REDIS, _set("metadata", "name", value="r" * 60)),
    ("namespaces", REDIS, _set("metadata", "namespace", value=None)),
    (
        "namespaces",
        ("cert-manager", "ClusterRole", "cert-manager-controller"),
        _set("metadata", "namespace", value="matrix"),
    ),
    ("labels", REDIS, _set("metadata", "labels", value={})),
    ("labels", REDIS, _set("spec", "template", "metadata", "labels", "matrix-fleet.io/pod", value="unheard-of")),
    ("labels", REDIS, _set("metadata", "namespace", value="elsewhere")),
    ("words", REDIS, _set("spec", "template", "metadata", "labels", "matrix-fleet.io/pod", value=None)),
    ("selectors", REDIS, _set("spec", "selector", value={"matchLabels": {"app": "other"}})),
    ("selectors", REDIS, _set("spec", "selector", value={})),
    ("selectors", ("redis", "Service", "redis"), _set("spec", "selector", value={"app": "other"})),
    ("selectors", ("redis", "PodDisruptionBudget", "redis"), _set("spec", "selector", value={})),
    ("jobs", ("contour", "Job", "contour-certgen"), _set("metadata", "name", value="contour-certgen")),
    ("jobs", ("contour", "Job", "contour-certgen"), _set("spec", "ttlSecondsAfterFinished", value=60)),
    ("port-names", REDIS, _set(*_FIRST, "ports", value=[{"containerPort": 6379}])),
    ("port-names", ("redis", "Service", "redis"), _set("spec", "ports", value=[{"port": 6379}])),
    ("targets", ("redis", "Service", "redis"), _set("spec", "ports", 0, "targetPort", value="rediss")),
    ("probes-meet-ports", REDIS, _set(*_FIRST, "livenessProbe", "tcpSocket", "port", value=9999)),
    ("matrix", REDIS, _set(*_FIRST, "ports", 0, "containerPort", value=6380)),
    ("matrix", REDIS, _set(*_FIRST, "ports", value=[{"name": "redis", "containerPort": 6379}, METRICS])),
    ("matrix", SEAWEEDFS, _set(*_FIRST, "ports", value=[{"name": "metrics", "containerPort": 9327}])),
    ("matrix", ("haproxy", "Service", "haproxy"), _set("spec", "ports", 0, "protocol", value="UDP")),
    ("mounts", REDIS, _set(*_FIRST, "volumeMounts", 0, "name", value="nowhere")),
    ("mounts", REDIS, _set(*_FIRST, "volumeMounts", 0, "mountPath", value="/secrets")),
    ("references", REDIS, _set(*_POD, "volumes", 1, "secret", "secretName", value="redis-conf")),
    ("references", REDIS, _set(*_POD, "volumes", 2, "configMap", "items", value=[{"key": "no", "path": "no"}])),
    ("references", INGRESS, _set("spec", "tls", 0, "secretName", value="matrix-cert")),
    ("references", INGRESS, _set(*_BACKEND, "name", value="proxy")),
    ("references", INGRESS, _set(*_BACKEND, "port", "name", value="inward")),
    ("used-secrets", ("redis", "Secret", "redis-config"), _set("stringData", "a", value="@@secret:redis/passwd@@")),
    (
        "used-secrets",
        ("redis", "Secret", "redis-config"),
        _set("stringData", "a", value="@@secret:redis/passwd+accepted@@"),
    ),
    ("used-secrets", ("redis", "Secret", "redis-config"), _set("stringData", "a", value="@@secret:nobody/key@@")),
    (
        "used-secrets",
        ("redis", "Secret", "redis-config"),
        _set("stringData", "a", value="@@secret:synapse/form_secret@@"),
    ),
    ("accounts", REDIS, _set(*_POD, "automountServiceAccountToken", value=None)),
    ("accounts", REDIS, _set(*_POD, "automountServiceAccountToken", value=True)),
    ("accounts", REDIS, _set(*_POD, "serviceAccountName", value="nobody")),
    ("issuers", ("issuers", "Certificate", "matrix-tls"), _set("spec", "issuerRef", "name", value="nobody")),
    ("rights", REDIS, _set(*_POD, "hostNetwork", value=True)),
    ("rights", REDIS, _set(*_POD, "securityContext", "runAsUser", value=0)),
    ("rights", REDIS, _set(*_POD, "securityContext", "runAsNonRoot", value=None)),
    ("rights", REDIS, _set(*_POD, "securityContext", "seccompProfile", value=None)),
    ("rights", REDIS, _set(*_POD, "volumes", 0, value={"name": "data", "hostPath": {"path": "/"}})),
    ("rights", REDIS, _set(*_FIRST, "securityContext", value=None)),
    ("rights", REDIS, _set(*_FIRST, "securityContext", "capabilities", value={"drop": ["ALL"], "add": ["SYS_ADMIN"]})),
    ("rights", REDIS, _set(*_FIRST, "securityContext", "readOnlyRootFilesystem", value=False)),
    ("bounds", REDIS, _set(*_FIRST, "resources", "limits", value={})),
    ("bounds", REDIS, _set(*_FIRST, "resources", value=None)),
    ("probes", REDIS, _set(*_FIRST, "readinessProbe", value=None)),
    ("probes", REDIS, _set(*_FIRST, "livenessProbe", "failureThreshold", value=1)),
    ("probes", REDIS, _set(*_FIRST, "livenessProbe", "timeoutSeconds", value=1)),
    ("probes", REDIS, _set(*_FIRST, "startupProbe", "failureThreshold", value=6)),
    ("images", REDIS, _set(*_FIRST, "image", value="docker.io/library/redis:7.2")),
    ("images", REDIS, _set(*_FIRST, "imagePullPolicy", value="Always")),
    ("images", ("postgresql", "Cluster", "postgresql"), _set("spec", "imageName", value="example.test/postgresql:15")),
    ("budgets", ("redis", "PodDisruptionBudget", "redis"), _set("spec", "maxUnavailable", value=0)),
    ("budgets", ("redis", "PodDisruptionBudget", "redis"), _set("metadata", "namespace", value="elsewhere")),
    ("spread", REDIS, _set(*_POD, "affinity", "podAntiAffinity", value=None)),
    ("spread", REDIS, _set(*_POD, "affinity", value=None)),
    ("markers", ("redis", "ConfigMap", "redis-scripts"), _set("data", "x", value="@@secret:redis/password@@")),
    (
        "markers",
        ("redis", "Secret", "redis-config"),
        _set("metadata", "annotations", value={"x": "@@secret:redis/password@@"}),
    ),
    (
        "environment",
        REDIS,
        _set(
            *_FIRST,
            "env",
            value=[{"name": "P", "valueFrom": {"secretKeyRef": {"name": "redis-config", "key": "redis.conf"}}}],
        ),
    ),
    ("environment", REDIS, _set(*_FIRST, "envFrom", value=[{"secretRef": {"name": "redis-config"}}])),
    ("modes", REDIS, _set(*_POD, "volumes", 1, "secret", "defaultMode", value=0o644)),
    ("on-disk", REDIS, _set(*_POD, "volumes", 3, "emptyDir", value={})),
    ("on-disk", ("redis", "StatefulSet", "redis-sentinel"), _set(*_POD, "volumes", 0, "emptyDir", value={})),
    ("on-disk", REDIS, _set(*_FIRST, "command", value=["sh", "-c", "cp /secrets/redis.conf /data/x && redis-server"])),
    ("clear", ("redis", "Secret", "redis-config"), _set("data", value={"password": "Y2xlYXI="})),
)


@pytest.mark.parametrize(
    ("rule", "place", "spoil"), RED, ids=[f"{rule}-{number}" for number, (rule, _, _) in enumerate(RED)]
)
def test_a_rule_goes_red(rule: str, place: tuple[str, str, str], spoil: Spoil) -> None:
    before = set(RULES[rule](stack("small")))
    assert set(RULES[rule](_spoiled(stack("small"), place, spoil))) - before


GROWING = "synapse-initial-sync"


def _together(manifest: dict[str, Any]) -> None:
    pod = manifest["spec"]["template"]["spec"]
    pod.pop("topologySpreadConstraints", None)
    pod["affinity"].pop("podAntiAffinity", None)


@pytest.mark.parametrize(
    ("rule", "place", "spoil"),
    [
        ("budgets", ("synapse", "PodDisruptionBudget", GROWING), _set("metadata", "namespace", value="elsewhere")),
        ("budgets", ("synapse", "PodDisruptionBudget", GROWING), _set("spec", "minAvailable", value=1)),
        ("spread", ("synapse", "StatefulSet", GROWING), _together),
    ],
)
def test_a_pool_that_an_autoscaler_may_let_grow_counts_as_several(
    rule: str, place: tuple[str, str, str], spoil: Spoil
) -> None:
    assert any(GROWING in sentence for sentence in RULES[rule](_spoiled(stack("5000 with autoscaling"), place, spoil)))


def test_an_organisations_certificate_that_is_not_rendered_is_missed() -> None:
    whole = stack("the organisation's certificate")
    without = tuple(part for part in whole.components if part.name != "issuers")
    missed = list(RULES["references"](Stack(whole.site, without)))
    assert {line.partition(": names ")[2] for line in missed} == {"the Secret matrix-tls, which nobody makes"}
    assert len(missed) == len(whole.of("Ingress")) == 2


def test_a_row_that_does_not_hold_for_the_site_leads_to_no_port() -> None:
    watched, unwatched = stack("small"), stack("monitoring off")
    found = "\n".join(RULES["matrix"](Stack(unwatched.site, watched.components)))
    assert "StatefulSet matrix/seaweedfs-volume: volume: no row of ports.yaml leads to object-volumes:9325" in found
    assert "Service matrix/haproxy: no row of ports.yaml leads to haproxy:8405" in found
    # Probes ask these, which no row opens there; and this one is a publisher's.
    assert "Deployment matrix/haproxy" not in found
    assert "cloudnative-pg" not in found


def test_a_publishers_port_for_metrics_that_no_row_knows_is_found() -> None:
    whole = stack("monitoring off")
    rows = tuple(row for row in whole.site.rows if row.name != "pod-operator-metrics")
    found = list(RULES["matrix"](Stack(replace(whole.site, rows=rows), whole.components)))
    assert ["leads to cloudnative-pg:8080" in line for line in found] == [True]


def test_an_object_of_two_components_is_found() -> None:
    whole = stack("small")
    redis = next(part for part in whole.components if part.name == "redis")
    twice = RenderedComponent(component=redis.component, objects=redis.objects[:1], files={})
    assert list(RULES["owners"](Stack(whole.site, (*whole.components, twice))))


def test_every_rule_has_a_test_in_which_it_goes_red() -> None:
    assert {rule for rule, _, _ in RED} | {"owners"} == set(RULES)


def test_rendering_twice_gives_the_same() -> None:
    first, second = render(site()), render(site())
    assert [part.objects for part in first.components] == [part.objects for part in second.components]


def _spoiled(whole: Stack, place: tuple[str, str, str], spoil: Spoil) -> Stack:
    component, kind, name = place
    parts = []
    for part in whole.components:
        objects = copy.deepcopy(part.objects)
        if part.name == component:
            spoil(next(m for m in objects if m["kind"] == kind and m["metadata"]["name"].startswith(name)))
        parts.append(RenderedComponent(component=part.component, objects=objects, files=part.files))
    return Stack(whole.site, tuple(parts))
