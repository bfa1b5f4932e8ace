"""The files of Debian and Python packages that make a program run in an image that has nothing else."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from lab import archive, layers, once, roots
from lab.bundle import wheels
from lab.bundle.ingredients import Tools
from lab.commands import call
from lab.errors import LabError
from lab.instance import CACHE
from lab.recipe import Recipe as RootRecipe

TREE = "tree"
VERSION = "version"
BASE = Tools("base", (), ("etc/ssl/certs/ca-certificates.crt",))


def key(suite: str, tools: Tools) -> str:
    """Digest of everything that decides which files these are, save the archive's state on the day they are fetched."""
    digest = hashlib.sha256(json.dumps([RootRecipe(suite).hash, asdict(tools)]).encode())
    packages = (Path(wheels.__file__), *wheels.lock_files(tools.wheels)) if tools.wheels else ()
    for source in (Path(__file__), *packages):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


def ensure(suite: str, tools: Tools, say: once.Say) -> Path:
    """Return a folder with the tools' files in `tree`, and the version of the first package in `version`."""

    def build(draft: Path) -> None:
        root = roots.ensure(RootRecipe(suite), say)
        say(f"  files for images: {tools.name}")
        with layers.layer(draft, "upper", root.layer("bare")) as inside:
            if tools.packages:
                layers.opened(inside, suite, archive.configured(), draft / "log")
                layers.inside(inside, ("apt-get", "-qy", "install", *tools.packages), draft / "log")
            if tools.wheels:
                wheels.install(inside, tools.wheels, draft / "log")
            _pick(inside, tools, draft / TREE)
            (draft / VERSION).write_text(_version(inside, tools), "utf-8")
        for used in ("upper", "work"):
            shutil.rmtree(draft / used)

    return once.ensure(CACHE / "userland" / f"{suite}-{tools.name}-{key(suite, tools)}", build, say)


def version(folder: Path) -> str:
    """Return the version as an image's tag may say it: an epoch and a plus sign have no place there."""
    text = (folder / VERSION).read_text("utf-8")
    return re.sub(r"[^A-Za-z0-9_.-]", "-", text.partition(":")[2] or text)


def _pick(root: Path, tools: Tools, tree: Path) -> None:
    files = [str(path.relative_to(root)) for pattern in tools.files for path in _found(root, pattern)]
    whole = [path for name in tools.trees for path in _below(root, name, tools.without)]
    loaded = [path for path in whole if _loads(root / path)]
    _copy(root, [*files, *_libraries(root, [*files, *loaded])], tree)
    for path in whole:
        place = tree / path
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / path, place, follow_symlinks=False)
    links = dict(tools.links)
    if tools.name == "busybox":
        applets = call(("chroot", str(root), f"/{files[0]}", "--list")).split()
        links = {f"usr/bin/{name}": "busybox" for name in applets if name != "busybox"}
    for name, target in links.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).symlink_to(target)


def _found(root: Path, pattern: str) -> list[Path]:
    paths = sorted(root.glob(pattern))
    if not paths:
        raise LabError(f"the packages bring no {pattern}: look at lab/bundle/application.py and recipe.py")
    return paths


def _below(root: Path, name: str, without: Sequence[str]) -> list[str]:
    """Return files and links below a folder, save those that a pattern leaves out."""
    left_out = {path for pattern in without for path in root.glob(pattern)}
    found = [path for path in _found(root, f"{name}/**/*") if path.is_symlink() or path.is_file()]
    return [str(path.relative_to(root)) for path in found if not left_out & {path, *path.parents}]


def _loads(path: Path) -> bool:
    """Return whether the dynamic linker has something to do for the file."""
    if path.is_symlink() or not (path.stat().st_mode & 0o111 or ".so" in path.name):
        return False
    with path.open("rb") as stream:
        return stream.read(4) == b"\x7fELF"


def _libraries(root: Path, files: Sequence[str]) -> tuple[str, ...]:
    """Return what the dynamic linker loads for the files, itself included, by the paths it looks at."""
    # A certificate is nothing to load, and ldd ends with 1 for it.
    text = call(
        ("chroot", str(root), "sh", "-c", 'ldd "$@" 2>/dev/null || true', "sh", *(f"/{file}" for file in files))
    )
    return parse(text)


def parse(ldd: str) -> tuple[str, ...]:
    """
    Read paths of libraries from ldd's output, without the leading slash, each once.

    Raises LabError when one is missing.
    """
    if missing := sorted(set(re.findall(r"^\t(\S+) => not found$", ldd, re.MULTILINE))):
        raise LabError(f"no package brings {', '.join(missing)}")
    paths = re.findall(r"^\t(?:\S+ => )?/(\S+) \(0x[0-9a-f]+\)$", ldd, re.MULTILINE)
    return tuple(sorted(set(paths)))


def _copy(root: Path, files: Sequence[str], tree: Path) -> None:
    """
    Copy files as what they point to; folders that are links in the root (/lib, /sbin) are the real ones in the tree.
    """
    folders = _real(root, [str(Path("/", file).parent) for file in files])
    for file, real, folder in zip(files, _real(root, files), folders, strict=True):
        place = tree / folder.lstrip("/") / Path(file).name
        place.parent.mkdir(parents=True, exist_ok=True)
        source = root / real.lstrip("/")
        shutil.copyfile(source, place)
        place.chmod(0o755 if source.stat().st_mode & 0o111 else 0o644)


def _real(root: Path, files: Sequence[str]) -> list[str]:
    """Follow links as the root's own programs do: absolute ones begin at the root."""
    return call(("chroot", str(root), "realpath", "--", *(f"/{file.lstrip('/')}" for file in files))).splitlines()


def _version(root: Path, tools: Tools) -> str:
    if tools.wheels:
        return wheels.version(tools.wheels)
    if not tools.packages:
        return ""
    argv = ("dpkg-query", f"--admindir={root}/var/lib/dpkg", "--show", "--showformat", "${Version}", tools.packages[0])
    return call(argv)
