"""The sources that the project ships fit together, fit bootstrap and fit the lab."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from flows.bundle import SOURCES
from lab.bundle import compiling
from lab.bundle.application import MANIFESTS
from lab.bundle.recipe import RECIPES
from model.bundle.audit import PACKAGES, PROGRAMS
from model.bundle.bundle import IMAGES
from model.bundle.checksums import of
from model.bundle.sources import load_sources
from model.bundle.spec import compose
from model.errors import BundleError, SchemaErrors
from model.host import server
from model.kubernetes import references
from model.kubernetes.compatibility import DEBIAN
from model.site.images import ApplicationImage


@pytest.mark.parametrize("minor", sorted(RECIPES))
def test_versions_are_those_that_the_lab_proves(minor: str) -> None:
    recipe = RECIPES[minor]
    known = load_sources(SOURCES).versions[minor]
    built = {component.folder: compiling.version(component) for component in recipe.components}
    assert (known["kubernetes"], known["pause"]) == (built[recipe.kubernetes], recipe.pause)
    assert (known["etcd"], known["coredns"]) == (built[recipe.etcd], built[recipe.coredns])
    assert {name: known[name] for name in ("containerd", "cni-plugins", "flannel")}.items() <= built.items()


@pytest.mark.parametrize("minor", sorted(RECIPES))
@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
def test_nothing_that_bootstrap_needs_is_left_out(minor: str, architecture: str) -> None:
    spec = compose(load_sources(SOURCES), minor, "arm64" if architecture == "arm64" else "amd64", (), "flannel")
    programs = {program.target.rpartition("/")[2] for file in spec.files for program in file.programs}
    assert set(PROGRAMS) <= programs
    assert {*PACKAGES, *server.PACKAGES, *server.NODE_PACKAGES} <= set(spec.packages)
    assert {*IMAGES, "flannel"} <= {image.name.rpartition("/")[2] for image in spec.images}
    texts = [
        text
        for file in spec.files
        for text in (file.address, file.checksum, *(program.member for program in file.programs))
    ]
    assert not [text for text in texts if "{" in text]
    assert all(architecture in file.address for file in spec.files)
    assert {"bookworm", "trixie"} == set(spec.suites) <= set(DEBIAN)


def test_every_address_is_asked_over_tls_but_debians() -> None:
    known = load_sources(SOURCES)
    assert known.plain_http == ("deb.debian.org",)
    assert all(address.startswith("https://") for file in known.files for address in (file.address, file.checksum))


def test_a_patch_version_replaces_the_sources_own_and_a_network_takes_its_own_parts() -> None:
    spec = compose(load_sources(SOURCES), "1.36.9", "amd64", ("trixie",), "calico")
    assert (spec.kubernetes, spec.suites) == ("1.36.9", ("trixie",))
    assert "registry.k8s.io/kube-proxy:v1.36.9" in {image.reference for image in spec.images}
    assert [manifest.name for manifest in spec.manifests] == ["calico"]
    assert not [image for image in spec.images if "flannel" in image.name]


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("kubernetes", "1.30", "versions has no 1.30"),
        ("versions", {"1.36": {"kubernetes": "1.36.3"}}, "lack calico, cni-plugins"),
        ("surprise", 1, "is no field of this place"),
        ("pins", {"a": "sha256:short"}, "has the wrong form"),
        ("registries", {"docker.io": "ftp://example.org"}, "has the wrong form"),
        ("plain_http", "deb.debian.org", "is no list"),
    ],
)
def test_wrong_sources_are_told_by_field(tmp_path: Path, field: str, value: object, told: str) -> None:
    document = yaml.safe_load(SOURCES.read_text("utf-8")) | {field: value}
    path = tmp_path / "sources.yaml"
    path.write_text(yaml.safe_dump(document))
    with pytest.raises(SchemaErrors, match=told):
        load_sources(path)


def test_checksums_are_read_as_publishers_write_them() -> None:
    first, two = "a" * 64, "b" * 64
    assert of(f"{first}\n", "kubeadm", "") == first
    assert of(f"{first}  x.tgz\n{two.upper()} *./y.tgz\n", "y.tgz", "") == two
    for text in ("", "no checksum", f"{first}  x.tgz", f"{first} y.tgz\n{two} y.tgz", f"{first}\n{two}", "a" * 63):
        with pytest.raises(BundleError, match=r"https://list: has .* sha256 of y\.tgz"):
            of(text, "y.tgz", "https://list")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("busybox:1.37", ("docker.io/library/busybox", "1.37")),
        ("calico/node:v3", ("docker.io/calico/node", "v3")),
        ("quay.io/calico/node:v3", ("quay.io/calico/node", "v3")),
        ("localhost:5000/a/b:c", ("localhost:5000/a/b", "c")),
    ],
)
def test_names_of_images_are_completed_as_containerd_does(written: str, meant: tuple[str, str]) -> None:
    assert references.split(written) == meant


@pytest.mark.parametrize("written", ["busybox", "quay.io/calico/node", "localhost:5000/a/b", "a/b:c@sha256:1"])
def test_an_image_without_a_tag_is_refused(written: str) -> None:
    with pytest.raises(BundleError, match="not named by a tag"):
        references.split(written)


_IMAGES = {
    "cloudnative-pg": ApplicationImage(name="ghcr.io/cloudnative-pg/cloudnative-pg", tag="1.30.0"),
    "contour": ApplicationImage(name="ghcr.io/a/contour", tag="v1.33.8", digest="sha256:" + "a" * 64),
}


def test_images_of_the_application_come_with_their_manifests_by_their_own_tags() -> None:
    spec = compose(load_sources(SOURCES), None, "amd64", (), "flannel", _IMAGES)
    brought = [image for image in spec.images if image.needed == "application"]
    assert [(image.reference, image.digest) for image in brought] == [
        ("ghcr.io/cloudnative-pg/cloudnative-pg:1.30.0", None),
        ("ghcr.io/a/contour:v1.33.8", "sha256:" + "a" * 64),
    ]
    manifests = {manifest.name: manifest for manifest in spec.manifests}
    assert set(manifests) == {"cloudnative-pg", "contour"}
    assert manifests["cloudnative-pg"].address.endswith("/v1.30.0/releases/cnpg-1.30.0.yaml")
    assert "/v1.33.8/" in manifests["contour"].address
    assert {manifest.needed for manifest in spec.manifests} == {"application"}


def test_without_images_of_an_application_there_is_no_part_for_one() -> None:
    spec = compose(load_sources(SOURCES), None, "amd64", (), "flannel")
    assert "application" not in {*(image.needed for image in spec.images), *(found.needed for found in spec.manifests)}


def test_the_sources_know_the_manifests_that_the_lab_proves() -> None:
    known = {manifest.name for manifest in load_sources(SOURCES).manifests if manifest.needed == "application"}
    assert known == {manifest.name for manifest in MANIFESTS}
