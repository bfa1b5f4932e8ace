"""Every container that runs an image is known by its object and name, those that operators make too."""

from __future__ import annotations

from typing import Any

from model.rollout.image_places import image_places
from model.rollout.rendered import RenderedComponent
from model.site.components import Component


def _rendered(name: str, manifest: dict[str, Any]) -> RenderedComponent:
    meta = {"name": name, "namespace": "n"}
    whole = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, **manifest}
    return RenderedComponent(component=Component(name=name, phase=1, title=name), objects=(whole,), files={})


def _found(*rendered: RenderedComponent) -> set[tuple[str, str, str]]:
    return {(place.subject, place.container, place.reference) for place in image_places(rendered)}


def test_containers_of_pods_and_what_they_have_others_run() -> None:
    first = {"name": "before", "image": "a:1"}
    second = {"name": "main", "image": "b:1", "args": ["--acme-http01-solver-image=c:1@sha256:0", "--x"]}
    pod = {"initContainers": [first], "containers": [second]}
    assert _found(_rendered("web", {"spec": {"template": {"spec": pod}}})) == {
        ("web/Deployment/n/web", "before", "a:1"),
        ("web/Deployment/n/web", "main", "b:1"),
        ("web/Deployment/n/web", "acmesolver", "c:1@sha256:0"),
    }


def test_an_instance_of_a_database_is_begun_by_its_operators_image() -> None:
    operator = {"spec": {"template": {"spec": {"containers": [{"name": "manager", "image": "o:1"}]}}}}
    database = {"apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster", "spec": {"imageName": "p:1"}}
    assert _found(_rendered("cloudnative-pg", operator), _rendered("postgresql", database)) == {
        ("cloudnative-pg/Deployment/n/cloudnative-pg", "manager", "o:1"),
        ("postgresql/Cluster/n/postgresql", "postgres", "p:1"),
        ("postgresql/Cluster/n/postgresql", "bootstrap-controller", "o:1"),
    }
