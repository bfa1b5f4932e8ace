"""Claims about what a node holds so that containers run on it, from a bundle and from repositories."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from model.errors import SiteError
from model.host.hoststate import HostState
from model.host.openpgp import armored
from model.site.installation import Registry, Repository, api_address
from model.site.site import Site
from tasks.images import of_manifests
from tasks.registries import hosts
from tasks.runtime import desired
from tests.model.host.test_openpgp import PUBLIC
from tests.mutation import site

REPOSITORY = Repository(name="kubernetes", uri="https://mirror.example.test/v1.36/deb/", key="kubernetes.gpg")
MIRROR = Registry(registry="registry.k8s.io", mirrors=("https://a.example.test", "http://b.example.test:5000/v2/k8s"))


@pytest.fixture
def by_apt(tmp_path: Path) -> Site:
    """A site whose nodes come from a repository, with its key."""
    (tmp_path / "kubernetes.gpg").write_bytes(PUBLIC)
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\n", "utf-8")
    return _with(site(tmp_path), packages="apt", repositories=(REPOSITORY,))


def _with(site: Site, **kubernetes: object) -> Site:
    settings = site.settings
    changed = settings.kubernetes.model_copy(update=kubernetes)
    return replace(site, settings=settings.model_copy(update={"kubernetes": changed}))


def _files(state: HostState) -> dict[str, str]:
    return {file.path: file.text for file in state.files}


def _config(state: HostState) -> dict[str, Any]:
    plugins: dict[str, Any] = tomllib.loads(_files(state)["/etc/containerd/config.toml"])["plugins"]
    return plugins


def test_from_a_bundle_units_are_ours_and_apt_is_told_nothing(tmp_path: Path) -> None:
    state = desired(site(tmp_path), "pause:1", "bookworm")
    assert state.packages == ("runc",)
    assert {"/etc/systemd/system/containerd.service", "/etc/systemd/system/kubelet.service"} <= set(_files(state))
    assert not [path for path in _files(state) if path.startswith("/etc/apt/")]
    assert "registry" not in _config(state)["io.containerd.cri.v1.images"]
    assert (state.held, state.versions) == ((), {})


def test_from_repositories_everything_comes_with_its_key_its_pin_and_its_own_units(by_apt: Site) -> None:
    state = desired(by_apt, "pause:1", "bookworm")
    files = _files(state)
    assert state.packages == ("containerd.io", "kubelet", "kubeadm", "kubectl", "kubernetes-cni", "cri-tools")
    assert state.held == state.packages
    assert state.versions["kubelet"] == "1.36"
    assert files["/etc/apt/keyrings/matrix-fleet-kubernetes.asc"] == armored(PUBLIC)
    assert (
        "URIs: https://mirror.example.test/v1.36/deb/"
        in files["/etc/apt/sources.list.d/matrix-fleet-kubernetes.sources"]
    )
    assert not [path for path in files if path.startswith("/etc/systemd/system/")]
    assert _config(state)["io.containerd.cri.v1.images"]["registry"]["config_path"] == "/etc/containerd/certs.d"


def test_a_key_that_went_is_told_with_its_name(by_apt: Site) -> None:
    (by_apt.folder / "kubernetes.gpg").unlink()
    with pytest.raises(SiteError, match=r"kubernetes\.gpg: No such file"):
        desired(by_apt, "pause:1", "bookworm")


@pytest.mark.parametrize("packages", ["apt", "bundle"])
def test_mirrors_are_named_to_containerd_whatever_nodes_come_from(by_apt: Site, packages: str) -> None:
    mirrored = MIRROR.model_copy(update={"ca": "ca.pem"})
    state = desired(_with(by_apt, packages=packages, registries=(mirrored,)), "pause:1", "bookworm")
    folder = "/etc/containerd/certs.d/registry.k8s.io"
    assert {f"{folder}/hosts.toml", f"{folder}/matrix-fleet-ca.crt"} <= set(_files(state))
    assert "registry" in _config(state)["io.containerd.cri.v1.images"]


def test_the_last_mirror_stands_in_for_the_registry_so_that_nobody_else_is_asked() -> None:
    document = tomllib.loads(hosts(MIRROR, "/ca"))
    assert document == {
        "server": "http://b.example.test:5000/v2/k8s",
        "capabilities": ["pull", "resolve"],
        "override_path": True,
        "host": {"https://a.example.test": {"capabilities": ["pull", "resolve"], "ca": "/ca"}},
    }


def test_the_registry_itself_is_asked_last_where_it_may_be() -> None:
    docker = Registry(registry="docker.io", mirrors=("https://a.example.test/",), fallback=True)
    document = tomllib.loads(hosts(docker))
    assert document == {
        "server": "https://registry-1.docker.io",
        "host": {"https://a.example.test/": {"capabilities": ["pull", "resolve"]}},
    }


@pytest.mark.parametrize(
    ("mirror", "address", "overridden"),
    [
        ("https://a.example.test", "https://a.example.test/v2", False),
        ("https://[2001:db8::1]:5000/", "https://[2001:db8::1]:5000/v2", False),
        ("https://a.example.test/v2", "https://a.example.test/v2", True),
        ("http://a.example.test:5000/v2/k8s/", "http://a.example.test:5000/v2/k8s", True),
    ],
)
def test_containerd_asks_where_the_mirrors_api_begins(mirror: str, address: str, overridden: bool) -> None:
    document = tomllib.loads(hosts(Registry(registry="a.example.test", mirrors=(mirror,))))
    assert (api_address(mirror), document.get("override_path", False)) == (address, overridden)


def test_images_of_objects_are_those_their_pods_run() -> None:
    pod = {"initContainers": [{"image": "a"}], "containers": [{"image": "b"}, {"image": "a"}]}
    daemons: dict[str, Any] = {"kind": "DaemonSet", "spec": {"template": {"spec": pod}}}
    others: list[dict[str, Any]] = [{"kind": "ConfigMap"}, {"kind": "Pool", "spec": {"template": "text"}}]
    assert of_manifests([*others, daemons]) == ("a", "b")
