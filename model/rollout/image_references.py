"""The reference by which pods name an image of the application: always with its digest."""

from __future__ import annotations

from collections.abc import Callable

from model.bundle.bundle import Bundle
from model.errors import SiteError, did_you_mean
from model.site.site import Site

# No container runtime takes it for a digest: what is shown with it cannot be run by mistake.
UNKNOWN_DIGEST = "digest-unknown"
Reference = Callable[[Site, Bundle | None, str], str]


def image_reference(site: Site, bundle: Bundle | None, name: str) -> str:
    """
    Return `name:tag@sha256:...` of an image of images.yaml.

    The bundle's tag and digest count where it brings the image; else those of images.yaml. Raises `SiteError`.
    """
    found = known_reference(site, bundle, name)
    if found is None:
        image = site.images[name]
        raise SiteError(
            f"images.yaml: {name} ({image.name}:{image.tag}) has no digest, and no bundle brings it",
            next_step="write its publisher's digest as `digest`, or bring it with `python -m flows.bundle download`",
        )
    return found


def known_reference(site: Site, bundle: Bundle | None, name: str) -> str | None:
    """Return the same, None where nothing says the digest. Raises `SiteError` where images.yaml has no such image."""
    if name not in site.images:
        raise SiteError(f"images.yaml: no image is called {name}{did_you_mean(name, site.images)}")
    image = site.images[name]
    if bundle is not None:
        item = next((item for item in bundle.images if item.name == image.name), None)
        if item is not None:
            return f"{item.name}:{item.version}@{item.digest}"
    return f"{image.name}:{image.tag}@{image.digest}" if image.digest else None
