"""Claims about the names and the pins of the application's images, tried with the scripts that run on nodes."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lab.bundle import oci
from model.bundle.bundle import Bundle
from model.bundle.checksums import measure
from model.bundle.items import ImageItem
from model.errors import CommandFailed, HostError
from tasks import application_images, staging
from tasks.application_images import ImagesLacking, PinnedReference, missing, stage
from tests.tasks.containerd import FakeContainerd
from tests.tasks.local import here

HOST: Any = SimpleNamespace(name="w-1")
REDIS = "docker.io/library/redis"


@pytest.fixture
def containerd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeContainerd:
    """The node's containerd."""
    here(monkeypatch)
    monkeypatch.setattr(staging, "FOLDER", str(tmp_path / "host"))
    return FakeContainerd(tmp_path, monkeypatch)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of the bundle."""
    (tmp_path / "bundle/images").mkdir(parents=True)
    return tmp_path / "bundle"


@pytest.fixture
def bundle(folder: Path) -> Bundle:
    """A bundle with one image of the application."""
    entry = oci.LayerEntry("redis.conf", text="")
    file = "images/redis.tar"
    digest = oci.write(oci.LayeredImage(f"{REDIS}:7.0", ((entry,),)), folder / file)
    size, sha256 = measure(folder / file)
    item = ImageItem(
        name=REDIS, version="7.0", file=file, size=size, sha256=sha256, needed="application", digest=digest
    )
    return Bundle(name="lab", kubernetes="1.36.3", architecture="amd64", suites=("bookworm",), items=(item,))


def _reference(bundle: Bundle) -> str:
    (item,) = bundle.images
    return f"{item.reference}@{item.digest}"


def test_an_image_of_the_bundle_gets_the_names_that_kubelet_and_people_use(
    containerd: FakeContainerd, bundle: Bundle, folder: Path
) -> None:
    reference = _reference(bundle)
    (line,) = stage(HOST, bundle, folder, (reference, reference))
    assert line.startswith(f"{REDIS}:7.0 brought from the bundle, ")
    digest = bundle.images[0].digest
    assert containerd.images == {f"{REDIS}:7.0": (digest, True), f"{REDIS}@{digest}": (digest, True)}
    assert missing(HOST, (reference,)) == ()


def test_what_is_there_costs_one_look(containerd: FakeContainerd, bundle: Bundle, folder: Path) -> None:
    stage(HOST, bundle, folder, (_reference(bundle),))
    containerd.asked()
    assert stage(HOST, bundle, folder, (_reference(bundle),)) == ()
    assert containerd.asked() == ["ls"]


def test_an_image_that_only_lacks_a_name_or_its_pin_is_not_sent_again(
    containerd: FakeContainerd, bundle: Bundle, folder: Path
) -> None:
    digest = bundle.images[0].digest
    containerd.set({f"{REDIS}:7.0": digest})
    assert missing(HOST, (_reference(bundle),)) == (_reference(bundle),)
    assert stage(HOST, bundle, folder, (_reference(bundle),)) == (f"{REDIS}:7.0 named as pods ask for it",)
    assert not [call for call in containerd.asked() if call.startswith("import")]
    assert containerd.images == {f"{REDIS}:7.0": (digest, True), f"{REDIS}@{digest}": (digest, True)}


def test_another_image_under_the_same_tag_is_replaced_and_stays_under_its_digest(
    containerd: FakeContainerd, bundle: Bundle, folder: Path
) -> None:
    older = "sha256:" + "a" * 64
    containerd.set({f"{REDIS}:7.0": older, f"{REDIS}@{older}": older})
    stage(HOST, bundle, folder, (_reference(bundle),))
    assert containerd.images[f"{REDIS}:7.0"] == (bundle.images[0].digest, True)
    assert containerd.images[f"{REDIS}@{older}"][0] == older


def test_what_no_bundle_brings_is_pulled_by_its_digest(
    containerd: FakeContainerd, bundle: Bundle, folder: Path
) -> None:
    digest = "sha256:" + "b" * 64
    reference = f"registry.example:5000/group/haproxy:2.6@{digest}"
    sites: tuple[tuple[Bundle | None, Path | None], ...] = ((None, None), (bundle, folder))
    for of_site, place in sites:
        containerd.set({})
        assert stage(HOST, of_site, place, (reference,)) == ("registry.example:5000/group/haproxy:2.6 pulled",)
        for name in ("registry.example:5000/group/haproxy:2.6", f"registry.example:5000/group/haproxy@{digest}"):
            assert containerd.images[name] == (digest, True)
        assert f"pull --hosts-dir /etc/containerd/certs.d {reference}" in containerd.asked()


def test_an_image_that_does_not_come_is_an_error_with_its_reason(containerd: FakeContainerd) -> None:
    reference = f"registry.example/refused:1@sha256:{'c' * 64}"
    with pytest.raises(HostError, match=r"cannot pull registry.example/refused:1@.*: failed to resolve"):
        stage(HOST, None, None, (reference,))


def test_one_that_does_not_come_keeps_no_other_from_coming(containerd: FakeContainerd) -> None:
    refused, given = (f"registry.example/{name}:1@sha256:{'c' * 64}" for name in ("refused", "given"))
    with pytest.raises(ImagesLacking) as lacking:
        stage(HOST, None, None, (refused, given))
    assert list(lacking.value.reasons) == [refused]
    assert "connection refused" in lacking.value.reasons[refused]
    assert missing(HOST, (refused, given)) == (refused,)


def test_a_damaged_file_of_the_bundle_never_becomes_an_image(
    containerd: FakeContainerd, bundle: Bundle, folder: Path
) -> None:
    path = folder / bundle.images[0].file
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)
    with pytest.raises(CommandFailed, match="arrived damaged"):
        stage(HOST, bundle, folder, (_reference(bundle),))
    assert containerd.images == {}


def test_a_node_that_says_nothing_has_nothing(containerd: FakeContainerd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(application_images, "_LIST", "true")
    assert missing(HOST, ("a.example/b:1@sha256:" + "d" * 64,)) == ("a.example/b:1@sha256:" + "d" * 64,)


@pytest.mark.parametrize(
    ("whole", "by_digest"),
    [
        ("a.example/b:1@sha256:d", "a.example/b@sha256:d"),
        ("a.example:5000/b:1@sha256:d", "a.example:5000/b@sha256:d"),
        ("a.example:5000/b@sha256:d", "a.example:5000/b@sha256:d"),
    ],
)
def test_the_name_by_digest_has_no_tag(whole: str, by_digest: str) -> None:
    assert PinnedReference(whole).by_digest == by_digest


@pytest.mark.parametrize("control_plane", [True, False])
def test_bootstrap_brings_no_image_of_the_application(bundle: Bundle, control_plane: bool) -> None:
    assert staging.images_for(bundle, control_plane) == ()
    on_nodes = bundle.images[0].model_copy(update={"needed": "nodes"})
    (piece,) = staging.images_for(bundle.model_copy(update={"items": (on_nodes,)}), control_plane)
    assert piece.item is on_nodes
