"""An image that nobody publishes: the publisher's own with wheels of a lock file and own code, made for the bundle."""

from __future__ import annotations

from functools import partial

from flows._bundle.part import DownloadContext, Part
from model.bundle import oci
from model.bundle.checksums import measure
from model.bundle.derive import BaseImage, derive
from model.bundle.items import ImageItem, Item
from model.bundle.spec import ImageSpec
from model.bundle.wheels import open_wheel
from model.site.derived import Derivation, PinnedWheel
from remote.upstream.downloads import Tell
from remote.upstream.registry import Remote, fetch_parts
from remote.upstream.wheel_index import IndexedFile, WheelIndex

_Found = tuple[tuple[PinnedWheel, IndexedFile, int | None], ...]


def derived_part(
    image: ImageSpec, derivation: Derivation, remote: Remote, index: WheelIndex | None, context: DownloadContext
) -> Part:
    """
    Look up every wheel, and return the image to be made; without wheels no `index` is asked.

    Raises BundleError, SourceUnreachable.
    """
    files = [(wheel, index.find(wheel)) for wheel in derivation.wheels] if index else []
    found = tuple((wheel, file, context.client.size(file.address)) for wheel, file in files)
    reference = f"{image.name}:{derivation.tag(image.tag)}"
    return Part(
        f"image {reference}",
        remote.address,
        f"{reference} {remote.digest} {derivation.digest} {image.needed}",
        remote.size + sum(size or 0 for _, _, size in found),
        partial(_make, image, derivation, remote, found),
    )


def _make(
    image: ImageSpec, derivation: Derivation, remote: Remote, found: _Found, context: DownloadContext, tell: Tell
) -> tuple[Item, ...]:
    config, *layers = fetch_parts(remote, context.downloads, tell)
    fetch = context.downloads.fetch
    files = [(wheel, fetch(file.address, wheel.sha256, size, tell)) for wheel, file, size in found]
    wheels = [open_wheel(wheel, file) for wheel, file in files]
    file, version = f"images/{image.name.partition('/')[2].replace('/', '-')}.tar", derivation.tag(image.tag)
    layer, reference = context.draft(f"{file}.layer"), f"{image.name}:{version}"
    try:
        base = BaseImage(remote.reference, remote.manifest, config, tuple(layers))
        made = derive(base, wheels, derivation.into, layer, derivation.code)
        oci.write_archive(reference, remote.architecture, made.manifest, made.parts, context.draft(file))
    finally:
        for draft in layer.parent.glob(f"{layer.name}.*"):
            draft.unlink()
    size, sha256 = measure(context.keep(file))
    return (
        ImageItem(
            name=image.name,
            version=version,
            file=file,
            size=size,
            sha256=sha256,
            needed=image.needed,
            digest=f"sha256:{made.manifest.digest}",
        ),
    )
