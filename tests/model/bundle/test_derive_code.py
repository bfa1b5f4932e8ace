"""Code is a layer of its own, in a folder that the image has not, and the same bytes every time."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from model.bundle.derive import BaseImage, MadeImage, derive
from model.bundle.oci import MANIFEST, Blob, json_blob
from model.bundle.wheels import open_wheel
from model.errors import BundleError
from model.site.code import CodeFile
from model.site.derived import CodeLayer, PinnedWheel
from tests.upstream import wheels
from tests.upstream.web import LAYER, sha256

FILES = (CodeFile("main.py", 0o644, b"print()\n"), CodeFile("sub/run", 0o755, b"#!/bin/sh\n"))


def _base(folder: Path, paths: Sequence[str]) -> BaseImage:
    data, file = wheels.layer([f"{wheels.INTO}/pip.py", *paths]), folder / "base"
    file.write_bytes(data)
    layer = Blob(LAYER, sha256(data), len(data), file)
    root = {"type": "layers", "diff_ids": ["sha256:0"]}
    config = json_blob("application/json", {"rootfs": root, "history": [{"created_by": "theirs"}]})
    named = {"config": config.descriptor, "layers": [layer.descriptor]}
    return BaseImage("base:1", json_blob(MANIFEST, named), config, (layer,))


def _made(folder: Path, at: str = "opt/x", paths: Sequence[str] = ("bin/sh",), *, wheel: bool = False) -> MadeImage:
    file = folder / "tool.whl"
    file.write_bytes(wheels.wheel("tool", "2.1"))
    opened = [open_wheel(PinnedWheel("tool", "2.1", ""), file)] if wheel else []
    return derive(_base(folder, paths), opened, wheels.INTO, folder / "layer", CodeLayer("apps/x", at, FILES))


def _entries(blob: Blob) -> list[tarfile.TarInfo]:
    with tarfile.open(str(blob.content)) as tar:
        return tar.getmembers()


def test_the_layer_holds_the_code_and_new_folders_sorted_roots_and_of_no_time(tmp_path: Path) -> None:
    made = _made(tmp_path)
    entries = _entries(made.parts[-1])
    assert [(entry.name, entry.mode, entry.isdir()) for entry in entries] == [
        ("opt", 0o755, True),
        ("opt/x", 0o755, True),
        ("opt/x/main.py", 0o644, False),
        ("opt/x/sub", 0o755, True),
        ("opt/x/sub/run", 0o755, False),
    ]
    assert {(entry.uid, entry.gid, entry.mtime, entry.uname) for entry in entries} == {(0, 0, 0, "")}


def test_the_same_code_is_the_same_image(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    one, two = _made(tmp_path / "one", wheel=True), _made(tmp_path / "two", wheel=True)
    assert one.manifest == two.manifest
    assert _made(tmp_path / "two", "opt/y", wheel=True).manifest != one.manifest


def test_wheels_and_code_have_a_layer_each_and_the_history_names_both(tmp_path: Path) -> None:
    made = _made(tmp_path, wheel=True)
    packages, code = made.parts[-2:]
    assert f"{wheels.INTO}/tool/__init__.py" in {entry.name for entry in _entries(packages)}
    assert not [entry.name for entry in _entries(code) if entry.name.startswith("usr")]
    assert isinstance(made.parts[0].content, bytes)
    config = json.loads(made.parts[0].content)
    assert config["rootfs"]["diff_ids"] == ["sha256:0", f"sha256:{packages.digest}", f"sha256:{code.digest}"]
    told = [line["created_by"] for line in config["history"]]
    assert told == ["theirs", "matrix-fleet: tool==2.1", "matrix-fleet: apps/x at /opt/x"]


@pytest.mark.parametrize(("at", "paths"), [("opt/x", ["opt/theirs"]), (f"{wheels.INTO}/tool-x", [])])
def test_a_folder_that_the_image_has_keeps_what_it_is(tmp_path: Path, at: str, paths: list[str]) -> None:
    made = _made(tmp_path, at, paths, wheel=True)
    assert _entries(made.parts[-1])[0].name == at


@pytest.mark.parametrize(
    ("at", "told"),
    [
        ("bin/sh", "has something at /bin/sh, which apps/x would replace"),
        ("bin", "has something at /bin,"),
        ("bin/sh/x", "/bin/sh, above /bin/sh/x, is no folder"),
        (f"{wheels.INTO}/tool", f"has something at /{wheels.INTO}/tool,"),
        (f"{wheels.INTO}/tool/__init__.py/x", f"/{wheels.INTO}/tool/__init__.py, above"),
    ],
)
def test_code_takes_the_place_of_nothing(tmp_path: Path, at: str, told: str) -> None:
    with pytest.raises(BundleError) as caught:
        _made(tmp_path, at, wheel=True)
    assert told in str(caught.value)
