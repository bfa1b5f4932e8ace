"""Whether what was fetched suffices, and who vouches for it."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Iterator, Set
from pathlib import Path

from flows._run.publish import CONTROLLER
from model.bundle.audit import lacking
from model.bundle.bundle import Bundle
from model.bundle.sources import Sources
from model.bundle.spec import BundleSpec
from model.report.outcome import Outcome, Status, warn
from remote.upstream.kubeadm import runs_here, wanted_images

_STEP = "correct the sources, and name them with --sources"


def sufficient(folder: Path, scratch: Path, bundle: Bundle) -> Iterator[Outcome]:
    """Yield what bootstrap or kubeadm itself would miss: where there is no internet, nothing can be added."""
    for fault in lacking(bundle):
        yield Outcome(CONTROLLER, "contents", Status.FAILED, fault, next=_STEP)
    wanted = _images_of_kubeadm(folder, scratch, bundle)
    if wanted is None:
        message = "this kubeadm does not run here, so nobody asked it whether these are the images it wants"
        step = (
            f"compare `kubeadm config images list --kubernetes-version v{bundle.kubernetes}` with `flows.bundle show`"
        )
        yield warn(CONTROLLER, "images of kubeadm", message, step)
        return
    for reference in sorted({*wanted} - {image.reference for image in bundle.images}):
        message = f"kubeadm {bundle.kubernetes} wants the image {reference}, and the sources name another"
        yield Outcome(CONTROLLER, "images of kubeadm", Status.FAILED, message, next=_STEP)


def vouched(sources: Sources, spec: BundleSpec, compared: Set[str]) -> Iterator[Outcome]:
    """Yield warnings: what no publisher's checksum and no pin vouches for, and pins that were compared with nothing."""
    for manifest in spec.manifests:
        if manifest.address not in sources.pins:
            message = f"{manifest.address}: its publisher gives no sha256; only TLS vouches for it"
            yield warn(
                CONTROLLER, f"manifest {manifest.name}", message, "read it, then name its sha256 in the sources' pins"
            )
    for name in sorted(set(sources.pins) - compared):
        message = f"{name}: is pinned, and no part of this bundle"
        yield warn(CONTROLLER, "pins", message, "correct the name in the sources' pins, if it should be")


def _images_of_kubeadm(folder: Path, scratch: Path, bundle: Bundle) -> tuple[str, ...] | None:
    kubeadm = next((item for item in bundle.binaries if item.name == "kubeadm"), None)
    if kubeadm is None or not runs_here(bundle.architecture):
        return None
    program = scratch.resolve() / "kubeadm"
    with gzip.open(folder / kubeadm.file) as source, program.open("wb") as target:
        shutil.copyfileobj(source, target, 2**20)
    program.chmod(0o700)
    return wanted_images(program, bundle.kubernetes)
