"""What an image has is what its layers leave of each other; what is put on it is named as its publisher names parts."""

from __future__ import annotations

import gzip
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from model.bundle.base_image import files_in
from model.bundle.derive import BaseImage, derive
from model.bundle.oci import MANIFEST, Blob, json_blob
from model.bundle.wheels import open_wheel
from model.errors import BundleError
from model.site.derived import PinnedWheel
from tests.upstream import wheels
from tests.upstream.web import LAYER, sha256

DOCKER = "application/vnd.docker.distribution.manifest.v2+json"


def _layers(folder: Path, contents: Sequence[Sequence[str]]) -> tuple[Blob, ...]:
    blobs = []
    for number, paths in enumerate(contents):
        data, file = wheels.layer(paths), folder / str(number)
        file.write_bytes(data)
        blobs.append(Blob(LAYER, sha256(data), len(data), file))
    return tuple(blobs)


@pytest.mark.parametrize(
    ("gone", "left"),
    [
        ("lib/py/.wh.six.py", {"a/b.py", "a/c.py"}),
        ("lib/py/.wh.a", {"six.py"}),
        ("lib/py/a/.wh..wh..opq", {"six.py"}),
        ("lib/.wh.py", set()),
        ("lib/python/.wh.six.py", {"six.py", "a/b.py", "a/c.py"}),
    ],
)
def test_what_a_later_layer_takes_away_is_not_there(tmp_path: Path, gone: str, left: set[str]) -> None:
    lower = ["lib/py/six.py", "lib/py/a/b.py", "lib/py/a/c.py", "lib/other/x.py"]
    layers = _layers(tmp_path, [lower, [gone, "lib/py/new.py"]])
    assert files_in("base", "lib/py", layers) == {*left, "new.py"}


def _base(folder: Path, media: str, *, diffs: int = 1) -> BaseImage:
    layers = _layers(folder, [[f"{wheels.INTO}/pip.py"]])
    config = json_blob("application/json", {"rootfs": {"type": "layers", "diff_ids": ["sha256:0"] * diffs}})
    named = {"config": config.descriptor, "layers": [layer.descriptor for layer in layers]}
    return BaseImage("base:1", json_blob(media, named), config, layers)


@pytest.mark.parametrize(
    ("manifest", "layer"),
    [
        (MANIFEST, "application/vnd.oci.image.layer.v1.tar"),
        (DOCKER, "application/vnd.docker.image.rootfs.diff.tar"),
    ],
)
def test_the_layer_is_of_the_kind_of_the_manifest(tmp_path: Path, manifest: str, layer: str) -> None:
    wheel = tmp_path / "tool.whl"
    wheel.write_bytes(wheels.wheel("tool", "2.1"))
    opened = open_wheel(PinnedWheel("tool", "2.1", ""), wheel)
    made = derive(_base(tmp_path, manifest), [opened], wheels.INTO, tmp_path / "layer")
    assert made.manifest.media == manifest
    assert isinstance(made.manifest.content, bytes)
    assert json.loads(made.manifest.content)["layers"][-1]["mediaType"] == layer
    with pytest.raises(BundleError, match="does not name its layers"):
        derive(_base(tmp_path, manifest, diffs=2), [opened], wheels.INTO, tmp_path / "layer")


def test_a_wheel_that_breaks_off_is_no_wheel(tmp_path: Path) -> None:
    data, file = wheels.wheel("tool", "2.1", {"tool/long.py": "x = 1\n" * 5000}), tmp_path / "tool.whl"
    with zipfile.ZipFile(_written(file, data)) as archive:
        place = archive.getinfo("tool/long.py").header_offset + 60
    opened = open_wheel(PinnedWheel("tool", "2.1", ""), file)
    _written(file, data[:place] + bytes(8) + data[place + 8 :])
    with pytest.raises(BundleError, match=r"tool==2\.1: cannot be unpacked"):
        list(opened.files())


def test_a_layer_that_breaks_off_is_told(tmp_path: Path) -> None:
    data = gzip.compress(bytes(range(256)) * 400)[:-40]
    with pytest.raises(BundleError, match="base: the layer sha256:"):
        files_in("base", "lib", [Blob(LAYER, sha256(data), len(data), _written(tmp_path / "layer", data))])


def _written(file: Path, data: bytes) -> Path:
    file.write_bytes(data)
    return file
