"""The files of Debian packages that make a program run in an image that has nothing else."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from lab import archive, layers, once, roots
from lab.bundle.recipe import TOOLS, Tools
from lab.commands import call
from lab.instance import CACHE
from lab.recipe import Recipe as RootRecipe

VERSIONS = "versions.json"
CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"


def key(suite: str) -> str:
    """Digest of everything that decides which files these are, save the archive's state on the day they are fetched."""
    digest = hashlib.sha256(json.dumps([RootRecipe(suite).hash, [asdict(tools) for tools in TOOLS]]).encode())
    digest.update(Path(__file__).read_bytes())
    return digest.hexdigest()[:16]


def ensure(suite: str, say: once.Say) -> Path:
    """
    Return a folder with one tree of files for each of TOOLS, a tree `base` with certificates, and the packages'
    versions.
    """

    def build(draft: Path) -> None:
        root = roots.ensure(RootRecipe(suite), say)
        say("  programs of Debian packages for images")
        versions: dict[str, str] = {}
        for tools in TOOLS:
            with layers.layer(draft, "upper", root.layer("bare")) as inside:
                _install(inside, tools, suite, draft / "log")
                _pick(inside, tools, draft / tools.name)
                _copy(inside, (CERTIFICATES,), draft / "base")
                versions |= {name: _version(inside, name) for name in tools.packages}
            for used in ("upper", "work"):
                shutil.rmtree(draft / used)
        (draft / VERSIONS).write_text(json.dumps(versions), "utf-8")

    return once.ensure(CACHE / "userland" / f"{suite}-{key(suite)}", build, say)


def _install(root: Path, tools: Tools, suite: str, log: Path) -> None:
    layers.opened(root, suite, archive.configured(), log)
    layers.inside(root, ("apt-get", "-qy", "install", *tools.packages), log)


def _pick(root: Path, tools: Tools, tree: Path) -> None:
    files = [str(path.relative_to(root)) for pattern in tools.files for path in sorted(root.glob(pattern))]
    _copy(root, [*files, *_libraries(root, files)], tree)
    links = dict(tools.links)
    if tools.name == "busybox":
        applets = call(("chroot", str(root), f"/{files[0]}", "--list")).split()
        links = {f"usr/bin/{name}": "busybox" for name in applets if name != "busybox"}
    for name, target in links.items():
        (tree / name).symlink_to(target)


def _libraries(root: Path, files: Sequence[str]) -> tuple[str, ...]:
    """Return what the dynamic linker loads for the files, itself included, by the paths it looks at."""
    text = call(("chroot", str(root), "ldd", *(f"/{file}" for file in files)))
    return parse(text)


def parse(ldd: str) -> tuple[str, ...]:
    """Read paths of libraries from ldd's output, without the leading slash, each once."""
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


def _version(root: Path, package: str) -> str:
    return call(("dpkg-query", f"--admindir={root}/var/lib/dpkg", "--show", "--showformat", "${Version}", package))
