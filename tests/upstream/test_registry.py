"""An image is the one its digests name, of the platform that was asked for, or none."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from model.errors import BundleError
from remote.upstream.client import Client
from remote.upstream.downloads import Downloads
from remote.upstream.registry import Registries, Remote, bring
from tests.upstream.test_client import QUICK
from tests.upstream.web import INDEX, MANIFEST, TOKEN, Web

NAME = "registry.test/pause"


@pytest.fixture
def registries(web: Web) -> Registries:
    return Registries(Client(frozenset({"127.0.0.1"}), QUICK), {"registry.test": web.address})


def brought(registries: Registries, remote: Remote, folder: Path) -> Path:
    scratch = folder / "work"
    scratch.mkdir(exist_ok=True)
    bring(remote, Downloads(registries.client, scratch), folder / "image.tar", lambda _: None)
    return folder / "image.tar"


def test_an_image_is_written_as_the_lab_writes_it(web: Web, registries: Registries, tmp_path: Path) -> None:
    web.image("pause", "3.10")
    remote = registries.look(NAME, "3.10", "arm64")
    with tarfile.open(brought(registries, remote, tmp_path)) as tar:
        names = tar.getnames()
        (listed,) = json.load(tar.extractfile("index.json"))["manifests"]  # type: ignore[arg-type]
    assert names[:3] == ["oci-layout", "blobs", "blobs/sha256"]
    assert {f"blobs/sha256/{digest.removeprefix('sha256:')}" for _, digest, _ in remote.parts} < set(names)
    assert listed["digest"] == remote.digest
    assert listed["platform"] == {"architecture": "arm64", "os": "linux"}
    assert listed["annotations"] == {
        "io.containerd.image.name": "registry.test/pause:3.10",
        "org.opencontainers.image.ref.name": "3.10",
    }


def test_the_token_is_asked_for_once_and_again_when_it_expires(
    web: Web, registries: Registries, tmp_path: Path
) -> None:
    web.image("pause", "3.10")
    remote = registries.look(NAME, "3.10", "amd64")
    assert [path for path, _ in web.authorizations].count("/token") == 1
    registries._doors[NAME]._shown = {"Authorization": "Bearer expired"}
    brought(registries, remote, tmp_path)
    assert web.authorizations[-1][1] == f"Bearer {TOKEN}"


def test_a_platform_that_is_not_there_names_those_that_are(web: Web, registries: Registries) -> None:
    web.image("pause", "3.10", ("s390x", "arm64"))
    with pytest.raises(BundleError, match="not for linux/amd64; the registry has linux/s390x, linux/arm64"):
        registries.look(NAME, "3.10", "amd64")


def test_an_image_without_a_list_says_its_platform_itself(web: Web, registries: Registries, tmp_path: Path) -> None:
    digest, _ = web.platform("pause", "arm64")
    web.manifest("pause", "3.10", web.files[f"/v2/pause/manifests/{digest}"], MANIFEST)
    assert brought(registries, registries.look(NAME, "3.10", "arm64"), tmp_path).exists()
    with pytest.raises(BundleError, match="is for linux/arm64, not for linux/amd64"):
        brought(registries, registries.look(NAME, "3.10", "amd64"), tmp_path)


def test_a_missing_image_is_named(web: Web, registries: Registries) -> None:
    with pytest.raises(BundleError, match=r"/v2/pause/manifests/3\.10: HTTP 404"):
        registries.look(NAME, "3.10", "amd64")


@pytest.mark.parametrize("part", [0, 1])
def test_a_tampered_part_is_refused(web: Web, registries: Registries, tmp_path: Path, part: int) -> None:
    web.image("pause", "3.10")
    remote = registries.look(NAME, "3.10", "amd64")
    place = f"/v2/pause/blobs/{remote.parts[part][1]}"
    web.files[place] = web.files[place][:-1] + b"!"
    with pytest.raises(BundleError, match="sha256 expected"):
        brought(registries, remote, tmp_path)
    assert not (tmp_path / "image.tar").exists()


def test_a_tampered_manifest_of_a_platform_is_refused(web: Web, registries: Registries) -> None:
    web.image("pause", "3.10")
    remote = registries.look(NAME, "3.10", "amd64")
    web.files[f"/v2/pause/manifests/{remote.digest}"] += b" "
    with pytest.raises(BundleError, match=f"digest expected {remote.digest}, seen"):
        registries.look(NAME, "3.10", "amd64")


def test_pins_of_the_list_and_of_the_manifest_count_and_others_are_refused(web: Web, registries: Registries) -> None:
    listed = web.image("pause", "3.10")
    remote = registries.look(NAME, "3.10", "amd64", listed)
    assert registries.look(NAME, "3.10", "amd64", remote.digest).digest == remote.digest
    web.image("pause", "3.10", layer=b"moved")
    with pytest.raises(BundleError, match=f"digest pinned {listed}, seen"):
        registries.look(NAME, "3.10", "amd64", listed)


@pytest.mark.parametrize(
    ("media", "data"),
    [
        ("application/vnd.docker.distribution.manifest.v1+json", b"{}"),
        (MANIFEST, b"no JSON"),
        (MANIFEST, b"[]"),
        (MANIFEST, b'{"layers": []}'),
        (MANIFEST, b'{"config": {"mediaType": "a", "digest": "sha256:../../etc", "size": 1}, "layers": []}'),
        (INDEX, b'{"manifests": [{"digest": "../x", "platform": {"os": "linux", "architecture": "amd64"}}]}'),
    ],
)
def test_what_is_no_image_is_refused(web: Web, registries: Registries, media: str, data: bytes) -> None:
    web.manifest("pause", "3.10", data, media)
    with pytest.raises(BundleError):
        registries.look(NAME, "3.10", "amd64")


def test_a_layer_that_images_share_is_fetched_once(web: Web, registries: Registries, tmp_path: Path) -> None:
    web.image("pause", "3.10")
    web.image("pause", "3.11")
    for tag in ("3.10", "3.11"):
        brought(registries, registries.look(NAME, tag, "amd64"), tmp_path)
    blobs = [path for path in web.paths() if "/blobs/" in path]
    assert len(blobs) == len(set(blobs)) == 3
