"""The reference by which pods name an image of the application: always with its digest."""

from __future__ import annotations

from model.bundle.bundle import Bundle
from model.errors import SiteError, did_you_mean
from model.site.site import Site


def image_reference(site: Site, bundle: Bundle | None, name: str) -> str:
    """
    Return `name:tag@sha256:...` of an image of images.yaml.

    The bundle's tag and digest count where it brings the image; else those of images.yaml. Raises `SiteError`.
    """
    if name not in site.images:
        raise SiteError(f"images.yaml: no image is called {name}{did_you_mean(name, site.images)}")
    image = site.images[name]
    if bundle is not None:
        item = next((item for item in bundle.images if item.name == image.name), None)
        if item is not None:
            return f"{item.name}:{item.version}@{item.digest}"
    if image.digest is None:
        raise SiteError(
            f"images.yaml: {name} ({image.name}:{image.tag}) has no digest, and no bundle brings it",
            next_step="write its publisher's digest as `digest`, or bring it with `python -m flows.bundle download`",
        )
    return f"{image.name}:{image.tag}@{image.digest}"
