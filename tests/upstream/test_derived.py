"""An image is derived of exactly the publisher's and exactly the lock file's wheels, always the same, or not at all."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows._run.cli import execute
from flows.bundle import app
from model.bundle.bundle import load_bundle
from model.bundle.items import ImageItem
from model.checkout import ROOT
from remote.upstream.debian import Apt, DebianPackage
from tests.flows.plumbing import site
from tests.upstream import archive, wheels
from tests.upstream.publishers import Publishers, without_debian
from tests.upstream.web import Web, sha256

SYNAPSE = "registry.test/group/synapse"
DATA = {"store/data/s3.json": "{}", "store-1.0.data/scripts/upload": "#!python\n"}
Run = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def publishers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Publishers]:
    """Everything that a bundle is made of, with packages that no apt was asked for."""
    folder = tmp_path / "sources"
    folder.mkdir()
    with without_debian(folder, archive.Signer(folder)) as published:
        web = published.web

        def packages(_: Apt, wanted: Sequence[str]) -> tuple[DebianPackage, ...]:
            return tuple(_package(web, name) for name in wanted)

        monkeypatch.setattr(Apt, "packages", packages)
        monkeypatch.delenv("MATRIX_FLEET_INVENTORY", raising=False)
        published.change(python_index=f"{web.address}/simple")
        yield published


def _package(web: Web, name: str) -> DebianPackage:
    file, data = f"{name}_2.0_all.deb", name.encode()
    address, digest = web.put(f"/pool/{file}", data), sha256(data)
    paragraph = f"Package: {name}\nFilename: ./{file}\nSHA256: {digest}\n"
    return DebianPackage(
        name=name, version="2.0", file=file, address=address, size=len(data), sha256=digest, paragraph=paragraph
    )


@pytest.fixture
def inventory(tmp_path: Path, publishers: Publishers) -> Path:
    """A site whose homeserver needs two packages that the publisher's image lacks, and one that it has."""
    folder, web = site(tmp_path), publishers.web
    digest = _base(web)
    lock = wheels.publish(web, "store", "1.0", wheels.wheel("store", "1.0", DATA, needs=["tool>=2", "twisted", "six"]))
    lock += wheels.publish(web, "tool", "2.1", wheels.wheel("tool", "2.1", needs=['windows; sys_platform == "win32"']))
    lock += wheels.publish(web, "six", "1.17.0", wheels.wheel("six", "1.17.0"))
    (folder / "store.lock").write_text(f"# Made by hand.\n{lock}")
    derived = {"requirements": "store.lock", "into": wheels.INTO}
    _declare(folder, {"name": SYNAPSE, "tag": "v1", "digest": digest, "derived": derived})
    return folder


def _base(web: Web, *more: str) -> str:
    files = [*wheels.installed("Twisted-25.5.0", "six-1.16.0"), *more]
    return wheels.base_image(web, "group/synapse", "v1", [wheels.layer(["bin/sh"]), wheels.layer(files)])


def _declare(inventory: Path, image: dict[str, Any]) -> None:
    (inventory / "images.yaml").write_text(yaml.safe_dump({"images": {"synapse": image}}))


@pytest.fixture
def download(publishers: Publishers, inventory: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command for the site; return its exit code and report."""

    def ran(output: str = "bundle", *flags: str) -> tuple[int, dict[str, Any]]:
        capsys.readouterr()
        argv = ["download", "--output", str(tmp_path / output), "--sources", str(publishers.sources)]
        code = execute(app, "flows.bundle", [*argv, "--inventory", str(inventory), "--json", "-", *flags])
        return code, json.loads(capsys.readouterr().out or "{}")

    return ran


def failures(report: dict[str, Any]) -> dict[str, str]:
    return {outcome["subject"]: outcome["message"] for outcome in report["outcomes"] if outcome["status"] == "failed"}


def made(folder: Path) -> ImageItem:
    (item,) = [image for image in load_bundle(folder).images if image.name == SYNAPSE]
    return item


def unpacked(path: Path) -> dict[str, bytes]:
    """Return an archive's blobs by digest."""
    with tarfile.open(path) as tar:
        files = [(info.name, tar.extractfile(info)) for info in tar if info.isreg()]
        return {name.replace("blobs/sha256/", "sha256:"): stream.read() for name, stream in files if stream}


def test_the_publishers_image_gets_one_layer_and_a_tag_of_its_own(
    download: Run, tmp_path: Path, publishers: Publishers, capsys: pytest.CaptureFixture[str]
) -> None:
    code, report = download()
    assert code == 0, failures(report)
    item = made(tmp_path / "bundle")
    assert item.version.startswith("v1-")
    assert len(item.version) == len("v1-") + 12
    blobs = unpacked(tmp_path / "bundle" / item.file)
    theirs = json.loads(publishers.web.files["/v2/group/synapse/manifests/v1"])
    ours = json.loads(blobs[item.digest])
    assert ours["layers"][:-1] == theirs["layers"]
    theirs_config = json.loads(publishers.web.files[f"/v2/group/synapse/blobs/{theirs['config']['digest']}"])
    config = json.loads(blobs[ours["config"]["digest"]])
    assert config["rootfs"]["diff_ids"] == [*theirs_config["rootfs"]["diff_ids"], ours["layers"][-1]["digest"]]
    assert "store==1.0, tool==2.1; as in the image: six==1.16.0" in config["history"].pop()["created_by"]
    config["rootfs"] = theirs_config["rootfs"]
    assert config == theirs_config
    assert execute(app, "flows.bundle", ["verify", str(tmp_path / "bundle")]) == 0
    assert execute(app, "flows.bundle", ["show", str(tmp_path / "bundle")]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines() if SYNAPSE in line]
    assert [(row[1], row[2], row[-1]) for row in rows] == [(SYNAPSE, item.version, item.digest)]


def test_the_layer_holds_packages_alone_sorted_roots_and_of_no_time(download: Run, tmp_path: Path) -> None:
    download()
    item = made(tmp_path / "bundle")
    blobs = unpacked(tmp_path / "bundle" / item.file)
    layer = tmp_path / "layer.tar"
    layer.write_bytes(blobs[json.loads(blobs[item.digest])["layers"][-1]["digest"]])
    with tarfile.open(layer) as tar:
        entries = tar.getmembers()
    names = [entry.name.removeprefix(f"{wheels.INTO}/") for entry in entries]
    assert names == sorted(names)
    assert {"store/__init__.py", "store/data/s3.json", "store-1.0.dist-info/RECORD", "tool/__init__.py"} <= {*names}
    assert not [name for name in names if name.startswith(("six", "usr", "store-1.0.data"))]
    assert {(entry.uid, entry.gid, entry.mtime) for entry in entries} == {(0, 0, 0)}
    assert {entry.mode for entry in entries} == {0o644, 0o755}


def test_a_second_run_changes_nothing_and_another_folder_gets_the_same_bytes(
    download: Run, tmp_path: Path, publishers: Publishers
) -> None:
    download()
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "bundle").rglob("*") if path.is_file()}
    publishers.web.asked.clear()
    code, report = download()
    assert (code, {outcome["status"] for outcome in report["outcomes"]}) == (0, {"ok"})
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert not [path for path in publishers.web.paths() if path.startswith("/files/") or "/blobs/" in path]
    download("elsewhere")
    assert made(tmp_path / "elsewhere") == made(tmp_path / "bundle")


def test_another_lock_file_is_another_image(download: Run, tmp_path: Path, inventory: Path) -> None:
    download()
    before = made(tmp_path / "bundle")
    lock = inventory / "store.lock"
    lock.write_text(lock.read_text().partition("six==")[0])
    assert download("bundle", "--dry-run")[0] == 2
    assert download()[0] == 0
    after = made(tmp_path / "bundle")
    assert after.version != before.version
    assert execute(app, "flows.bundle", ["verify", str(tmp_path / "bundle")]) == 0


def test_an_image_that_is_not_derived_is_the_publishers_and_no_index_is_asked(
    download: Run, tmp_path: Path, inventory: Path, publishers: Publishers
) -> None:
    digest = _base(publishers.web)
    _declare(inventory, {"name": SYNAPSE, "tag": "v1"})
    assert download()[0] == 0
    item = made(tmp_path / "bundle")
    assert (item.version, item.digest) == ("v1", digest)
    assert not [path for path in publishers.web.paths() if path.startswith(("/simple/", "/files/"))]


def test_own_code_becomes_a_layer_of_its_own_and_needs_no_index(
    download: Run, tmp_path: Path, inventory: Path, publishers: Publishers
) -> None:
    publishers.change(python_index=None)
    code = {"folder": "apps/config_check", "at": "opt/config_check"}
    _declare(inventory, {"name": SYNAPSE, "tag": "v1", "derived": {"code": code}})
    code_of, report = download()
    assert code_of == 0, failures(report)
    item = made(tmp_path / "bundle")
    blobs = unpacked(tmp_path / "bundle" / item.file)
    theirs = json.loads(publishers.web.files["/v2/group/synapse/manifests/v1"])
    ours = json.loads(blobs[item.digest])
    assert ours["layers"][:-1] == theirs["layers"]
    own = (ROOT / "apps" / "config_check" / "config_check.py").read_bytes()
    assert own in blobs[ours["layers"][-1]["digest"]]
    assert not list((tmp_path / "bundle" / ".download").glob("*.layer*"))
    assert execute(app, "flows.bundle", ["verify", str(tmp_path / "bundle")]) == 0


def test_code_where_the_image_has_something_is_refused(download: Run, tmp_path: Path, inventory: Path) -> None:
    _declare(
        inventory, {"name": SYNAPSE, "tag": "v1", "derived": {"code": {"folder": "apps/config_check", "at": "bin"}}}
    )
    code, report = download()
    assert code == 1
    (message,) = failures(report).values()
    assert "has something at /bin, which apps/config_check would replace" in message
    assert not (tmp_path / "bundle" / "bundle.json").exists()


def _tampered(web: Web, _: Path) -> str:
    web.files["/files/tool-2.1-py3-none-any.whl"] += b"!"
    return "sha256 expected"


def _other_by_the_index(web: Web, _: Path) -> str:
    wheels.publish(web, "tool", "2.1", wheels.wheel("tool", "2.1", {"tool/evil.py": ""}))
    return "tool==2.1 expected with sha256"


def _not_in_the_index(web: Web, _: Path) -> str:
    wheels.publish(web, "tool", "2.2", wheels.wheel("tool", "2.2"))
    return "no wheel of it"


def _replaced(web: Web, inventory: Path, data: bytes, tag: str = wheels.PURE) -> None:
    """Publish another wheel of `tool`, and name it in the lock file."""
    lock = inventory / "store.lock"
    before = lock.read_text().partition("tool==2.1")
    after = before[2].partition("six==")
    line = wheels.publish(web, "tool", "2.1", data, tag=tag)
    lock.write_text(f"{before[0]}{line}six=={after[2]}")


def _for_one_platform(web: Web, inventory: Path) -> str:
    tag = "cp313-cp313-manylinux_2_28_x86_64"
    _replaced(web, inventory, wheels.wheel("tool", "2.1", tag=tag), tag)
    return f"tool-2.1-{tag}.whl is no wheel of pure Python"


def _only_called_pure(web: Web, inventory: Path) -> str:
    _replaced(web, inventory, wheels.wheel("tool", "2.1", tag="cp313-cp313-linux_x86_64"))
    return "tool==2.1: is no wheel of pure Python (cp313-cp313-linux_x86_64)"


def _compiled(web: Web, inventory: Path) -> str:
    _replaced(web, inventory, wheels.wheel("tool", "2.1", {"tool/fast.so": ""}))
    return "is no wheel of pure Python (tool/fast.so)"


def _leads_out(web: Web, inventory: Path) -> str:
    _replaced(web, inventory, wheels.wheel("tool", "2.1", {"tool/../../../evil.py": ""}))
    return "which leads out of the wheel"


def _absolute(web: Web, inventory: Path) -> str:
    _replaced(web, inventory, wheels.wheel("tool", "2.1", {"/etc/evil": ""}))
    return "names `/etc/evil`, which leads out of the wheel"


def _link(web: Web, inventory: Path) -> str:
    _replaced(web, inventory, wheels.wheel("tool", "2.1", link="tool/link"))
    return "`tool/link` is neither a file nor a folder"


def _takes_away(web: Web, inventory: Path) -> str:
    _replaced(web, inventory, wheels.wheel("tool", "2.1", {".wh.twisted": ""}))
    return "takes a file of the image away"


def _elsewhere(web: Web, inventory: Path) -> str:
    _replaced(web, inventory, wheels.wheel("tool", "2.1", {"tool-2.1.data/data/etc/evil": ""}))
    return "belongs outside the folder of packages"


def _another_package(web: Web, inventory: Path) -> str:
    _replaced(web, inventory, wheels.wheel("toll", "2.1"))
    return "tool==2.1: holds toll-2.1.dist-info"


def _no_zip(web: Web, inventory: Path) -> str:
    _replaced(web, inventory, b"not found, but politely")
    return "tool==2.1: cannot be unpacked"


def _needs_more(web: Web, inventory: Path) -> str:
    _replaced(web, inventory, wheels.wheel("tool", "2.1", needs=["absent>=1", "Twisted>=99"]))
    return "tool==2.1 needs absent, and nothing brings it; tool==2.1 needs Twisted >=99, and there is 25.5.0"


def _newer_python(web: Web, inventory: Path) -> str:
    _replaced(web, inventory, wheels.wheel("tool", "2.1", python=">=3.14"))
    return "tool==2.1 needs Python >=3.14, and this is 3.13"


def _twice(web: Web, inventory: Path) -> str:
    _replaced(web, inventory, wheels.wheel("tool", "2.1", {"store/__init__.py": ""}))
    return "tool==2.1: has store/__init__.py, as store==1.0 has"


def _undeclared(inventory: Path) -> None:
    """Take the digest away, so that another base is not refused for that."""
    image = yaml.safe_load((inventory / "images.yaml").read_text())["images"]["synapse"]
    del image["digest"]
    _declare(inventory, image)


def _replaces(web: Web, inventory: Path) -> str:
    _base(web, f"{wheels.INTO}/tool/__init__.py")
    _undeclared(inventory)
    return f"tool==2.1: would replace /{wheels.INTO}/tool/__init__.py"


def _another_python(web: Web, inventory: Path) -> str:
    wheels.base_image(web, "group/synapse", "v1", [wheels.layer(["usr/local/lib/python3.14/site-packages/six.py"])])
    _undeclared(inventory)
    return f"has nothing in /{wheels.INTO}, so no Python looks there"


def _has_all(web: Web, inventory: Path) -> str:
    _base(web, *wheels.installed("store-1.0", "tool-2.1"))
    _undeclared(inventory)
    return "has every package of the lock file already"


def _unreadable_layer(web: Web, inventory: Path) -> str:
    _undeclared(inventory)
    web.image("group/synapse", "v1", layer=b"\x28\xb5\x2f\xfd and so on")
    return "cannot be read"


RED = (
    _tampered,
    _other_by_the_index,
    _not_in_the_index,
    _for_one_platform,
    _only_called_pure,
    _compiled,
    _leads_out,
    _absolute,
    _link,
    _takes_away,
    _elsewhere,
    _another_package,
    _no_zip,
    _needs_more,
    _newer_python,
    _twice,
    _replaces,
    _another_python,
    _has_all,
    _unreadable_layer,
)


@pytest.mark.parametrize("damage", RED)
def test_one_wrong_thing_is_told_and_no_image_is_written(
    download: Run,
    tmp_path: Path,
    inventory: Path,
    publishers: Publishers,
    damage: Callable[[Web, Path], str],
) -> None:
    told = damage(publishers.web, inventory)
    code, report = download()
    assert code == 1
    ((subject, message),) = failures(report).items()
    assert subject.startswith(f"image {SYNAPSE}:v1")
    assert told in message
    assert not (tmp_path / "bundle" / "bundle.json").exists()
    assert not list((tmp_path / "bundle").rglob("*synapse*"))


def test_a_base_of_another_digest_is_refused(download: Run, tmp_path: Path, publishers: Publishers) -> None:
    _base(publishers.web, "moved")
    code, report = download()
    assert code == 1
    assert "digest pinned" in failures(report)[f"image {SYNAPSE}:v1"]
    assert not (tmp_path / "bundle" / "bundle.json").exists()


def test_without_an_index_nobody_is_asked(download: Run, tmp_path: Path, publishers: Publishers) -> None:
    publishers.change(python_index=None)
    code, report = download()
    assert code == 1
    assert "the sources name no package index" in failures(report)[f"image {SYNAPSE}:v1"]
    assert not (tmp_path / "bundle" / "bundle.json").exists()


def test_an_index_that_is_away_is_exit_3(download: Run, publishers: Publishers) -> None:
    publishers.change(python_index="http://127.0.0.1:9/simple")
    code, report = download()
    assert code == 3
    assert list(failures(report)) == [f"image {SYNAPSE}:v1"]


def test_an_index_without_digests_is_believed_no_further_than_the_lock_file(
    download: Run, tmp_path: Path, publishers: Publishers
) -> None:
    file = "tool-2.1-py3-none-any.whl"
    publishers.web.put("/simple/tool/", f'<a href="/files/{file}">{file}</a>'.encode())
    assert download()[0] == 0
    publishers.web.files[f"/files/{file}"] += b"!"
    code, report = download("elsewhere")
    assert code == 1
    assert "sha256 expected" in next(iter(failures(report).values()))
