"""The lab's bundle as it is built, and whether the one on this machine is still the one that is described."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

from lab import once, prerequisites
from lab.bundle import caches, charts, compiling, debian, packing, toolchain, userland
from lab.bundle.packing import Parts
from lab.bundle.recipe import DEFAULT, PAUSE, RECIPES, BundleRecipe
from lab.commands import call
from lab.errors import LabError
from lab.instance import CACHE
from model.bundle import oci, programs
from model.bundle.bundle import MANIFEST, Bundle, render
from model.bundle.items import Item

BUNDLES = CACHE / "bundles"
# Below this a lab's disks, which all lie on this machine's, may run short while Go compiles.
_ROOM = 45e9


def ensure(minor: str, say: once.Say, *, application: bool = True, extras: Iterable[str] = ()) -> Path:
    """
    Return the folder of the bundle for a minor version of Kubernetes, building what of it this machine has not built so
    far.

    The links `1.36` and the like, and `current` for the default, lead to it. Without the `application` it holds what a
    cluster needs; `extras` are names of `EXTRAS` that it holds besides.
    """
    recipe = replace(RECIPES[minor], application=application, extras=tuple(sorted(set(extras))))
    name, folder = name_of(recipe), folder_of(recipe)
    if folder.is_dir():
        say(f"{folder}: nothing changed, nothing to do")
    else:
        prerequisites.check(compiler=True)
        say(f"building the bundle {name}, once for these versions")
        # Parts come first: whoever builds another bundle waits for the packing alone.
        sources = _sources(recipe, say)
        once.ensure(folder, lambda draft: _pack(recipe, name, replace(sources, bundle=draft), say), say)
        caches.bound(toolchain.ensure(say), say)
        look_for_room(shutil.disk_usage(folder).free, say)
    former = (BUNDLES / minor).resolve()
    for link in (minor, "current") if minor == DEFAULT else (minor,):
        _point(BUNDLES / link, folder.name)
    if former != folder:
        _prune(name, (folder, former))
    return folder


def name_of(recipe: BundleRecipe) -> str:
    """Return what a bundle is called: what it is made of, and its version of Kubernetes."""
    parts = ("lab", *(() if recipe.application else ("cluster",)), *recipe.extras)
    return "-".join((*parts, compiling.version(recipe.components[0])))


def folder_of(recipe: BundleRecipe) -> Path:
    """Return where a bundle lies once it is built: another recipe, or another builder, is another folder."""
    return BUNDLES / f"{name_of(recipe)}-{_key(recipe)}"


def look_for_room(free: int, say: once.Say) -> None:
    """Tell when little room is left, and how to get more."""
    if free < _ROOM:
        say(f"only {free / 1e9:.0f} GB are free here; `go clean -cache -modcache` takes away what compiling left")


def _key(recipe: BundleRecipe) -> str:
    """Digest of everything that decides what the bundle holds, the code that writes it included."""
    parts = [*map(compiling.key, recipe.components), compiling.pause_key()]
    parts += [charts.key(component, chart) for _, component, chart in recipe.charts]
    debians = [
        debian.key(recipe.suite),
        *(userland.key(recipe.suite, tools) for tools in (userland.BASE, *recipe.tools)),
    ]
    digest = hashlib.sha256(json.dumps([asdict(recipe), parts, debians]).encode())
    for source in (*sorted(Path(__file__).parent.glob("*.py")), Path(oci.__file__), Path(programs.__file__)):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


def _pack(recipe: BundleRecipe, name: str, sources: Parts, say: once.Say) -> None:
    say("  compressing programs and writing images")
    for folder in ("binaries", "images", "manifests", f"packages/{recipe.suite}"):
        (sources.bundle / folder).mkdir(parents=True)
    jobs: list[Callable[[], Item]] = [partial(packing.binary, sources, binary) for binary in recipe.binaries]
    jobs += [partial(packing.image, sources, image) for image in recipe.images]
    jobs += [partial(packing.manifest, sources, manifest) for manifest in recipe.manifests]
    items = [*_together(jobs), *packing.packages(sources)]
    bundle = Bundle(
        name=name,
        kubernetes=sources.versions[recipe.kubernetes],
        architecture="amd64",
        suites=(recipe.suite,),
        items=tuple(items),
    )
    _expected(sources.programs[recipe.kubernetes] / "kubeadm", bundle)
    (sources.bundle / MANIFEST).write_text(render(bundle), "utf-8")
    kinds = {item.kind: sum(other.size for other in items if other.kind == item.kind) for item in items}
    say(f"  {len(items)} files: {', '.join(f'{kind} {size / 1e6:.0f} MB' for kind, size in sorted(kinds.items()))}")


def _sources(recipe: BundleRecipe, say: once.Say) -> Parts:
    programs = {component.folder: compiling.ensure(component, say) for component in recipe.components}
    return Parts(
        {**programs, PAUSE.component: compiling.pause(say)},
        {component.folder: compiling.version(component) for component in recipe.components},
        {tools.name: userland.ensure(recipe.suite, tools, say) for tools in (userland.BASE, *recipe.tools)},
        debian.ensure(recipe.suite, say),
        recipe.suite,
        charts={
            name: charts.ensure(component, chart, programs[component.folder], say)
            for name, component, chart in recipe.charts
        },
    )


def _together(jobs: Sequence[Callable[[], Item]]) -> list[Item]:
    # zlib and hashlib let other threads run while they work.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return [done.result() for done in [pool.submit(job) for job in jobs]]


def _expected(kubeadm: Path, bundle: Bundle) -> None:
    """Raise LabError when kubeadm would ask for an image that the bundle lacks."""
    argv = (str(kubeadm), "config", "images", "list", "--kubernetes-version", f"v{bundle.kubernetes}")
    missing = sorted(set(call(argv).split()) - {image.reference for image in bundle.images})
    if missing:
        raise LabError(
            f"kubeadm {bundle.kubernetes} expects images that lab/bundle/recipe.py has not: {', '.join(missing)}"
        )


def _point(link: Path, target: str) -> None:
    if link.is_symlink() and str(link.readlink()) == target:
        return
    fresh = link.with_name(f".{link.name}")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    fresh.replace(link)


def _prune(name: str, kept: Sequence[Path]) -> None:
    """Remove older bundles of the same name; the one that the links led to so far stays, somebody may be reading it."""
    for folder in BUNDLES.glob(f"{name}-*"):
        if folder not in kept:
            shutil.rmtree(folder)
