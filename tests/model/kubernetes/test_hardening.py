"""What we add to the control plane's programs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from model.kubernetes.hardening import Flags, flags, kubelet
from model.site.site import Site
from tests.model.rollout.stacks import found
from tests.mutation import loaded

_LEADERS = ("kube-controller-manager", "kube-scheduler")


def _site(**runtime: int) -> Site:
    site = loaded()
    kubernetes = site.settings.kubernetes
    changed = kubernetes.model_copy(update={"runtime": kubernetes.runtime.model_copy(update=runtime)})
    return replace(site, settings=site.settings.model_copy(update={"kubernetes": changed}))


def _flags(seconds: int) -> dict[str, Flags]:
    site = _site(leader_lease_seconds=seconds)
    return flags(site, site.control_planes[0])


def test_kubelet_looks_at_pods_as_often_as_kubernetes_has_it_unless_the_site_says_otherwise() -> None:
    assert "syncFrequency" not in kubelet(_site())
    assert kubelet(_site(pod_sync_seconds=10))["syncFrequency"] == "10s"


def test_leaders_hold_their_leases_as_kubernetes_has_it_unless_the_site_says_otherwise() -> None:
    assert not any("leader" in flag for program in _flags(15).values() for flag in program)


@pytest.mark.parametrize("program", _LEADERS)
def test_a_longer_lease_is_given_to_every_leader_with_a_deadline_before_its_end(program: str) -> None:
    given = _flags(60)[program]
    assert (given["leader-elect-lease-duration"], given["leader-elect-renew-deadline"]) == ("60s", "40s")
    assert "leader-elect-lease-duration" not in _flags(60)["kube-apiserver"]


@pytest.mark.parametrize(
    ("component", "words"),
    [
        ("cloudnative-pg", {"--leader-lease-duration=15", "--leader-renew-deadline=10"}),
        ("contour", {"--leader-election-lease-duration=15s", "--leader-election-renew-deadline=10s"}),
    ],
)
def test_operators_hold_theirs_as_long(component: str, words: set[str]) -> None:
    arguments = [
        argument
        for deployment in found(component, "Deployment")
        for container in deployment["spec"]["template"]["spec"]["containers"]
        for argument in container.get("args", ())
    ]
    assert words <= set(arguments)
