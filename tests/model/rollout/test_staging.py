"""A node needs the images of the pods that may run there, by its labels and taints, and no others."""

from __future__ import annotations

from typing import Any

import pytest

from model.rollout.rendered import RenderedComponent
from model.rollout.staging import image_needs
from model.site.components import Component
from tests.mutation import loaded

IMAGE = f"x/y:1@sha256:{'a' * 64}"
OPERATOR = f"x/operator:1@sha256:{'b' * 64}"
SITE = loaded()
ROLE = "matrix-fleet.io/role-"


def needs(manifest: dict[str, Any], name: str = "thing", *more: RenderedComponent) -> dict[str, tuple[str, ...]]:
    component = Component(name=name, phase=1, title=name)
    rendered = RenderedComponent(component=component, objects=(manifest,), files={})
    return {need.reference: need.hosts for need in image_needs(SITE, (rendered, *more)) if need.component == name}


def workload(kind: str = "Deployment", image: str = IMAGE, **pod: Any) -> dict[str, Any]:
    containers = [{"name": "main", "image": image}]
    template = {"spec": {"containers": containers, **pod}}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "a"}, "spec": {"template": template}}


def affine(role: str, operator: str = "In") -> dict[str, Any]:
    rule = {"key": f"{ROLE}{role}", "operator": operator, "values": ["true"]}
    required = {"nodeSelectorTerms": [{"matchExpressions": [rule]}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}


def test_a_pod_without_wishes_may_run_wherever_no_taint_keeps_it_away() -> None:
    hosts = needs(workload())[IMAGE]
    assert {"w-1", "w-2", "w-3"} <= set(hosts)
    assert not {"cp-1", "mon-1", "li-1", "router-1", "vantage-1"} & set(hosts)


@pytest.mark.parametrize(
    ("pod", "hosts"),
    [
        ({"affinity": affine("database")}, {"db-1", "db-2", "db-3"}),
        ({"nodeSelector": {f"{ROLE}database": "true"}}, {"db-1", "db-2", "db-3"}),
        ({"nodeSelector": {"kubernetes.io/hostname": "w-2"}}, {"w-2"}),
        ({"nodeSelector": {"nowhere": "true"}}, set()),
        (
            {
                "tolerations": [{"operator": "Exists"}],
                "nodeSelector": {"node-role.kubernetes.io/control-plane": ""},
            },
            {"cp-1", "cp-2", "cp-3"},
        ),
        (
            {"tolerations": [{"key": "monitoring", "value": "true"}], "nodeSelector": {"monitoring": "true"}},
            {"mon-1"},
        ),
        ({"tolerations": [{"key": "monitoring", "value": "no"}], "nodeSelector": {"monitoring": "true"}}, set()),
    ],
)
def test_labels_and_taints_decide(pod: dict[str, Any], hosts: set[str]) -> None:
    assert set(needs(workload(**pod)).get(IMAGE, ())) == hosts


def test_a_pod_that_tolerates_everything_runs_everywhere() -> None:
    hosts = needs(workload("DaemonSet", tolerations=[{"operator": "Exists"}]))[IMAGE]
    assert set(hosts) == {machine.name for machine in SITE.machines if machine.node}


def test_an_instance_of_a_database_needs_its_operators_image_too() -> None:
    cluster = {
        "apiVersion": "postgresql.cnpg.io/v1",
        "kind": "Cluster",
        "metadata": {"name": "a"},
        "spec": {"imageName": IMAGE, "affinity": {"nodeSelector": {f"{ROLE}database": "true"}}},
    }
    operator = RenderedComponent(
        component=Component(name="cloudnative-pg", phase=1, title="o"),
        objects=(workload(image=OPERATOR),),
        files={},
    )
    found = needs(cluster, "postgresql", operator)
    assert set(found) == {IMAGE, OPERATOR}
    assert set(found[OPERATOR]) == {"db-1", "db-2", "db-3"}


def test_an_image_without_a_digest_is_nobodys_to_bring() -> None:
    assert needs(workload(image="x/y:1")) == {}
