"""The images of a site are those that its components are rendered with."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from model.rollout.image_uses import image_uses
from model.rollout.render import component_module, render_component
from tests.model.rollout.stacks import changed, publisher, site

ALWAYS = {"synapse", "postgresql", "cloudnative-pg", "redis", "haproxy"} | {
    f"cert-manager-{part}" for part in ("controller", "webhook", "cainjector", "acmesolver")
}


@pytest.mark.parametrize(
    ("settings", "more", "why"),
    [
        (
            {},
            {"seaweedfs", "contour", "envoy", "element-web", "ketesa"},
            {"minio": "object_storage_minio", "sygnal": ""},
        ),
        ({"object_storage": {"provider": "minio"}}, {"minio"}, {"seaweedfs": "object_storage_seaweedfs"}),
        ({"features": {"element_web": False}}, {"ketesa"}, {"element-web": "element_web"}),
        ({"ingress": {"controller": "organisation"}}, {"ketesa"}, {"envoy": "contour", "contour": "ingress_contour"}),
    ],
)
def test_features_and_providers_decide(settings: dict[str, Any], more: set[str], why: dict[str, str]) -> None:
    known = site(changed(**settings), drives=2)
    uses = image_uses(known)
    assert set(uses.used) >= ALWAYS | more
    assert set(uses.used) | set(uses.unused) == set(known.images)
    for name, words in why.items():
        assert "which the site does not have" in uses.unused[name]
        assert words in uses.unused[name]


def test_what_publishers_objects_run_is_what_is_said_of_them() -> None:
    known = site()
    for component in known.components:
        asked: set[str] = set()

        def reference(_site: object, _bundle: object, name: str, asked: set[str] = asked) -> str:
            asked.add(name)
            return f"x/{name}:1"

        if component.upstream:
            render_component(known, component, None, publisher, reference)
            own = {name for name, users in image_uses(known).used.items() if component in users}
            assert asked == own, component.name
            assert set(getattr(component_module(component.name), "IMAGES", ())) <= asked


def test_entries_that_nobody_knows_and_those_that_are_not_there_are_told_apart() -> None:
    known = site()
    images = {name: image for name, image in known.images.items() if name != "redis"} | {"other": known.images["redis"]}
    uses = image_uses(replace(known, application=replace(known.application, images=images)))
    assert uses.unused["other"] == "no component uses it"
    assert {name: [user.name for user in users] for name, users in uses.unnamed.items()} == {"redis": ["redis"]}


def test_what_cannot_be_rendered_is_told_and_takes_what_its_templates_name() -> None:
    known = site()
    images = {**known.images, "synapse": known.images["synapse"].model_copy(update={"tag": "v1"})}
    uses = image_uses(replace(known, application=replace(known.application, images=images)))
    assert list(uses.unrendered) == ["haproxy"]
    assert "1 is no version of Synapse" in str(uses.unrendered["haproxy"])
    assert "haproxy" in [user.name for user in uses.used["haproxy"]]
    assert uses.unused == image_uses(known).unused
