"""What cannot work together is refused, and what nobody patches any more is told."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from model.errors import BundleError
from model.kubernetes import compatibility
from tests.model.check.preflight.preflight_data import bundle
from tests.mutation import site

TODAY = date(2026, 11, 25)


@pytest.mark.parametrize(
    ("version", "severity", "says"),
    [
        ("1.30", "error", "v1beta4"),
        ("1.38", "error", "newer than any"),
        ("1.100", "error", "newer than any"),
        ("1.34.2", "warning", "2026-10-27"),
        ("1.36", "", ""),
        ("1.37.2", "", ""),
    ],
)
def test_versions_of_kubernetes(version: str, severity: str, says: str) -> None:
    problems = list(compatibility.kubernetes(version, TODAY))
    assert [problem.severity for problem in problems] == ([severity] if severity else [])
    assert all(says in problem.what and problem.fix for problem in problems)


def test_support_ends_after_its_last_day() -> None:
    assert list(compatibility.kubernetes("1.36", date(2027, 6, 28))) == []
    assert list(compatibility.kubernetes("1.36", date(2027, 6, 29))) != []


@pytest.mark.parametrize(
    ("version", "kubernetes", "severity"),
    [
        ("1.4", "1.36", "error"),
        ("1.6.20", "1.36", "warning"),
        ("1.7.28", "1.37.2", "error"),
        ("2.0.7", "1.37.2", "warning"),
        ("2.3.1", "1.37.2", ""),
        ("2.4.2", "1.36", ""),
    ],
)
def test_containerd_under_kubernetes(version: str, kubernetes: str, severity: str) -> None:
    severities = [problem.severity for problem in compatibility.containerd(version, kubernetes, TODAY)]
    assert severities == ([severity] if severity else [])


@pytest.mark.parametrize(
    ("changes", "severity", "says"),
    [
        ({}, "", ""),
        ({"kubernetes": "1.37.2"}, "error", "carries Kubernetes 1.37.2, and the site wants 1.36"),
        ({"containerd": "1.7.28"}, "warning", "containerd 1.7"),
        ({"containerd": "1.5.0"}, "error", "containerd 1.5.0"),
    ],
)
def test_a_bundle_must_carry_what_the_site_wants(
    tmp_path: Path, changes: dict[str, object], severity: str, says: str
) -> None:
    problems = list(compatibility.of_site(site(tmp_path).settings, bundle(**changes), TODAY))
    assert [problem.severity for problem in problems] == ([severity] if severity else [])
    assert all(says in problem.what and problem.fix for problem in problems)


def test_a_patch_version_is_wanted_exactly(tmp_path: Path) -> None:
    settings = site(tmp_path, set={"site:kubernetes.version": "1.36.2"}).settings
    (problem,) = compatibility.of_site(settings, bundle(), TODAY)
    assert problem.severity == "error"
    assert "kubernetes.version: 1.36.3" in problem.fix


def test_a_bundle_without_containerd_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError):
        list(compatibility.of_site(site(tmp_path).settings, bundle(items=[]), TODAY))


def test_kernels_are_compared_by_number_and_by_need(tmp_path: Path) -> None:
    settings = site(tmp_path).settings
    assert list(compatibility.kernel("6.1.0-40-amd64", settings)) == []
    assert len(list(compatibility.kernel("5.7.19", settings))) == 2
    old = site(
        tmp_path / "old", set={"site:kubernetes.proxy_mode": "iptables", "site:kubernetes.cgroup_v1": True}
    ).settings
    assert list(compatibility.kernel("5.4.0", old)) == []
    assert len(list(compatibility.kernel("unknown", old))) == 1
