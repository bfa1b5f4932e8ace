"""The bundle's builder: the same files give the same bytes, and nothing is named that is not built."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from lab import once
from lab.bundle import __main__, building, caches, compiling, debian, oci, packing, toolchain, userland
from lab.bundle.extras import EXTRAS
from lab.bundle.ingredients import GoComponent, Started
from lab.bundle.recipe import DEFAULT, PAUSE, RECIPES, TOOLS, BundleRecipe
from lab.errors import LabError

_LDD = """\
/usr/sbin/nft:
\tlinux-vdso.so.1 (0x00007ffd3a5f2000)
\tlibnftables.so.1 => /lib/x86_64-linux-gnu/libnftables.so.1 (0x00007f0f8c0a0000)
\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f0f8beb0000)
\t/lib64/ld-linux-x86-64.so.2 (0x00007f0f8c1e0000)
/usr/lib/x86_64-linux-gnu/xtables/libxt_tcp.so:
\tlibm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007f0f8bd00000)
\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f0f8beb0000)
"""

_PACKAGES = """\
Package: conntrack
Version: 1:1.4.7-1+b2
Description: tool
 Version: not this one
Filename: ./conntrack_1%3a1.4.7-1+b2_amd64.deb

Package: ufw
Version: 0.36.2-1
Filename: ./ufw_0.36.2-1_all.deb
"""


def _image(folder: Path) -> oci.LayeredImage:
    program = folder / "program"
    program.write_bytes(b"\x7fELF" + bytes(100_000))
    base = (oci.LayerEntry("lib", target="usr/lib"), oci.LayerEntry("etc/passwd", text="root:x:0:0\n", mode=0o644))
    data = oci.LayerEntry("data", mode=0o700, owner=(999, 998))
    layers = (base, (oci.LayerEntry("usr/local/bin/program", source=program), data))
    started = Started(
        ("/usr/local/bin/program",), ("-c", "a.conf"), "65535:65535", "/data", "SIGUSR1", {"LANG": "C", "PATH": "/bin"}
    )
    return oci.LayeredImage("registry.example/group/program:v1", layers, started)


def _members(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as tar:
        opened = {member.name: tar.extractfile(member) for member in tar if member.isfile()}
        return {name: file.read() for name, file in opened.items() if file is not None}


def test_the_same_image_is_the_same_bytes_whenever_it_is_written(tmp_path: Path) -> None:
    first = oci.write(_image(tmp_path), tmp_path / "first.tar")
    os.utime(tmp_path / "program", (1, 1))
    assert oci.write(_image(tmp_path), tmp_path / "second.tar") == first
    assert (tmp_path / "first.tar").read_bytes() == (tmp_path / "second.tar").read_bytes()


def test_every_blob_of_an_image_is_what_its_name_says(tmp_path: Path) -> None:
    digest = oci.write(_image(tmp_path), tmp_path / "image.tar")
    members = _members(tmp_path / "image.tar")
    blobs = {name.rpartition("/")[2]: data for name, data in members.items() if name.startswith("blobs/")}
    assert all(hashlib.sha256(data).hexdigest() == name for name, data in blobs.items())
    (listed,) = json.loads(members["index.json"])["manifests"]
    assert listed["digest"] == digest
    assert listed["annotations"]["io.containerd.image.name"] == "registry.example/group/program:v1"
    manifest = json.loads(blobs[digest.removeprefix("sha256:")])
    config = json.loads(blobs[manifest["config"]["digest"].removeprefix("sha256:")])
    layers = [blobs[layer["digest"].removeprefix("sha256:")] for layer in manifest["layers"]]
    plain = [f"sha256:{hashlib.sha256(gzip.decompress(layer)).hexdigest()}" for layer in layers]
    assert config["rootfs"]["diff_ids"] == plain
    assert config["config"] == {
        "Entrypoint": ["/usr/local/bin/program"],
        "Cmd": ["-c", "a.conf"],
        "User": "65535:65535",
        "WorkingDir": "/data",
        "StopSignal": "SIGUSR1",
        "Env": ["PATH=/bin", "LANG=C"],
    }


def test_a_layer_names_the_folders_above_its_files(tmp_path: Path) -> None:
    oci.write(_image(tmp_path), tmp_path / "image.tar")
    layer = max(_members(tmp_path / "image.tar").values(), key=lambda data: data[:2] == b"\x1f\x8b")
    (tmp_path / "layer.tar").write_bytes(gzip.decompress(layer))
    with tarfile.open(tmp_path / "layer.tar") as tar:
        kinds = {member.name: member.isdir() for member in tar}
        owned = tar.getmember("data")
    folders = {str(parent) for name in kinds for parent in Path(name).parents} - {"."}
    assert folders
    assert all(kinds[folder] for folder in folders)
    assert (owned.uid, owned.gid, owned.mode) == (999, 998, 0o700)


def test_what_an_image_does_not_say_is_not_in_it(tmp_path: Path) -> None:
    """An empty word would be another image than one without the word."""
    digest = oci.write(oci.LayeredImage("a.example/b:1", ((oci.LayerEntry("b", text=""),),)), tmp_path / "image.tar")
    blobs = {name.rpartition("/")[2]: data for name, data in _members(tmp_path / "image.tar").items()}
    manifest = json.loads(blobs[digest.removeprefix("sha256:")])
    config = json.loads(blobs[manifest["config"]["digest"].removeprefix("sha256:")])
    assert config["config"] == {"Env": [f"PATH={oci.PATH}"]}


def test_libraries_are_all_that_the_dynamic_linker_loads_and_itself() -> None:
    names = {Path(path).name for path in userland.parse(_LDD)}
    assert names == {"libnftables.so.1", "libc.so.6", "libm.so.6", "ld-linux-x86-64.so.2"}


def test_a_library_that_no_package_brings_is_told() -> None:
    with pytest.raises(LabError, match=r"no package brings libmissing\.so\.1"):
        userland.parse("\tlibmissing.so.1 => not found\n\tlibc.so.6 => /lib/libc.so.6 (0x00007f0f8beb0000)\n")


def test_packages_are_known_by_their_files() -> None:
    assert debian.versions(_PACKAGES) == {
        "conntrack_1%3a1.4.7-1+b2_amd64.deb": ("conntrack", "1:1.4.7-1+b2"),
        "ufw_0.36.2-1_all.deb": ("ufw", "0.36.2-1"),
    }


_WITH_ALL = {f"{minor}-with-all": replace(recipe, extras=tuple(sorted(EXTRAS))) for minor, recipe in RECIPES.items()}


@pytest.mark.parametrize("recipe", [*RECIPES.values(), *_WITH_ALL.values()], ids=[*RECIPES, *_WITH_ALL])
def test_a_recipe_packs_only_what_is_compiled(recipe: BundleRecipe) -> None:
    built = {("pause", PAUSE.built)}
    for component in recipe.components:
        assert compiling.version(component)[0].isdigit()
        built |= {(component.folder, program) for program in compiling.programs(component)}
    wanted = [binary.program for binary in recipe.binaries]
    wanted += [program for image in recipe.images for program in image.programs]
    assert {(program.component, program.built) for program in wanted} <= built
    assert {name for image in recipe.images for name in image.tools} <= {tools.name for tools in TOOLS}
    assert all(image.programs or image.tools for image in recipe.images)
    assert len({image.name.rpartition("/")[2] for image in recipe.images}) == len(recipe.images)
    assert compiling.version(recipe.components[0]).startswith(f"{recipe.minor}.")


def test_little_room_is_told_with_what_gives_more() -> None:
    told: list[str] = []
    building.look_for_room(50 * 10**9, told.append)
    assert told == []
    building.look_for_room(30 * 10**9, told.append)
    assert told == ["only 30 GB are free here; `go clean -cache -modcache` takes away what compiling left"]


@pytest.mark.parametrize("name", EXTRAS)
def test_an_extra_is_in_no_bundle_unless_it_is_asked_for(name: str) -> None:
    plain = RECIPES[DEFAULT]
    more = replace(plain, extras=(name,))
    assert EXTRAS[name].images
    assert [image for image in more.images if image not in plain.images] == [*EXTRAS[name].images]
    added = [component for component in more.components if component not in plain.components]
    assert added == [*EXTRAS[name].components]
    assert all(component in more.components for component in plain.components)


def test_a_bundle_without_an_extra_is_not_taken_for_one_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def begin(**_: bool) -> None:
        raise LabError("would build")

    monkeypatch.setattr(building, "BUNDLES", tmp_path)
    monkeypatch.setattr("lab.prerequisites.check", begin)
    plain = building.folder_of(RECIPES[DEFAULT])
    plain.mkdir()
    assert building.ensure(DEFAULT, _quiet) == plain
    with pytest.raises(LabError, match="would build"):
        building.ensure(DEFAULT, _quiet, extras=["minio"])
    assert (tmp_path / "current").resolve() == plain
    more = building.folder_of(replace(RECIPES[DEFAULT], extras=("minio",)))
    assert more.name.startswith("lab-minio-")
    more.mkdir()
    assert building.ensure(DEFAULT, _quiet, extras=["minio", "minio"]) == more
    assert (tmp_path / "current").resolve() == more
    assert plain.is_dir()


def test_what_the_compiler_keeps_is_bounded_once_a_bundle_is_packed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[object] = []
    parts = packing.Parts({}, {}, {}, tmp_path, "bookworm")
    monkeypatch.setattr(building, "BUNDLES", tmp_path)
    monkeypatch.setattr("lab.prerequisites.check", lambda **_: None)
    monkeypatch.setattr(building, "_sources", lambda *_: parts)
    monkeypatch.setattr(building, "_pack", lambda *_: done.append("packed"))
    monkeypatch.setattr(toolchain, "ensure", lambda _: Path("/go"))
    monkeypatch.setattr(caches, "bound", lambda go, _: done.append(go))
    for _ in range(2):
        assert building.ensure(DEFAULT, _quiet).is_dir()
    assert done == ["packed", Path("/go")]


@pytest.mark.parametrize("flags", [["--with", "mysql"], ["--with", "minio", "--without-application"]])
def test_an_extra_that_there_is_not_or_that_has_nothing_to_go_with_is_refused(
    flags: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        __main__.main(flags)
    assert "--with" in capsys.readouterr().err


def test_there_is_a_default_and_the_minor_version_after_it() -> None:
    assert DEFAULT in RECIPES
    assert len(RECIPES) == 2


def test_another_flag_is_another_program() -> None:
    etcd = GoComponent("etcd-3.6", "go.etcd.io/etcd/server/v3")
    stamped = GoComponent("etcd-3.6", "go.etcd.io/etcd/server/v3", {"a.b": "{version}"})
    assert len({compiling.key(etcd), compiling.key(stamped), compiling.key(GoComponent("etcd-3.7", etcd.module))}) == 3


def test_a_component_without_its_module_is_told() -> None:
    with pytest.raises(LabError, match="does not require"):
        compiling.version(GoComponent("etcd-3.6", "go.etcd.io/etcd/server"))


def test_a_folder_is_built_once(tmp_path: Path) -> None:
    built: list[Path] = []
    for _ in range(2):
        assert once.ensure(tmp_path / "cache" / "thing", built.append, _quiet) == tmp_path / "cache" / "thing"
    assert built == [tmp_path / "cache" / ".thing"]


def test_a_build_that_failed_leaves_nothing_that_passes_for_finished(tmp_path: Path) -> None:
    def fail(draft: Path) -> None:
        (draft / "half").touch()
        raise LabError("power cut")

    with pytest.raises(LabError):
        once.ensure(tmp_path / "thing", fail, _quiet)
    assert not (tmp_path / "thing").exists()
    once.ensure(tmp_path / "thing", lambda draft: (draft / "whole").touch(), _quiet)
    assert [path.name for path in (tmp_path / "thing").iterdir()] == ["whole"]


def _quiet(_: str) -> None:
    """Say nothing."""
