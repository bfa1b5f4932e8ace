"""Every rule holds for every component of every kind of site, and each can go red."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from model.rollout.invariants.rules import RULES
from model.rollout.invariants.stack import Stack
from model.rollout.rendered import RenderedComponent
from model.site.components import Component
from tests.model.rollout.red_relations import SCALERS
from tests.model.rollout.red_rows import ALL_RED
from tests.model.rollout.spoiling import Place, Spoil, put, spoiled
from tests.model.rollout.stacks import MORE_SITES, SITES, render, rotating, site, stack


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


@pytest.mark.parametrize(
    ("rule", "place", "spoil"), ALL_RED, ids=[f"{rule}-{number}" for number, (rule, _, _) in enumerate(ALL_RED)]
)
def test_a_rule_goes_red(rule: str, place: Place, spoil: Spoil) -> None:
    before = set(RULES[rule](stack("small")))
    assert set(RULES[rule](spoiled(stack("small"), place, spoil))) - before


@pytest.mark.parametrize(("rule", "place", "spoil"), SCALERS, ids=["no-such-name", "another-version", "twice"])
def test_a_rule_of_autoscalers_goes_red(rule: str, place: Place, spoil: Spoil) -> None:
    assert list(RULES[rule](spoiled(stack("5000 with autoscaling"), place, spoil)))


GROWING = "synapse-initial-sync"


def _together(manifest: dict[str, Any]) -> None:
    pod = manifest["spec"]["template"]["spec"]
    pod.pop("topologySpreadConstraints", None)
    pod["affinity"].pop("podAntiAffinity", None)


@pytest.mark.parametrize(
    ("rule", "place", "spoil"),
    [
        ("budgets", ("synapse", "PodDisruptionBudget", GROWING), put("metadata", "namespace", value="elsewhere")),
        ("budgets", ("synapse", "PodDisruptionBudget", GROWING), put("spec", "minAvailable", value=1)),
        ("spread", ("synapse", "StatefulSet", GROWING), _together),
    ],
)
def test_a_pool_that_an_autoscaler_may_let_grow_counts_as_several(rule: str, place: Place, spoil: Spoil) -> None:
    assert any(GROWING in sentence for sentence in RULES[rule](spoiled(stack("5000 with autoscaling"), place, spoil)))


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
    assert {rule for rule, _, _ in (*ALL_RED, *SCALERS)} | {"owners"} == set(RULES)


def test_rendering_twice_gives_the_same() -> None:
    first, second = render(site()), render(site())
    assert [part.objects for part in first.components] == [part.objects for part in second.components]
