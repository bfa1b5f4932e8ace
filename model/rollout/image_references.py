"""The reference by which pods name an image of the application: always with its digest."""

from __future__ import annotations

from collections.abc import Callable

from model.bundle.bundle import Bundle
from model.bundle.items import ImageItem
from model.errors import SiteError, did_you_mean
from model.site.site import Site

# No container runtime takes it for a digest: what is shown with it cannot be run by mistake.
UNKNOWN_DIGEST = "digest-unknown"
Reference = Callable[[Site, Bundle | None, str], str]


class ImageUnknown(SiteError):
    """Nothing says the digest of an image; an optional component is left out for it."""


def image_reference(site: Site, bundle: Bundle | None, name: str) -> str:
    """
    Return `name:tag@sha256:...` of an image of images.yaml.

    The bundle's tag and digest count where it brings the image; else those of images.yaml. A derived image is the one
    that was `pushed` to the site's registry, the bundle's, or none. Raises `ImageUnknown` where there is none.
    """
    found = known_reference(site, bundle, name)
    if found is None and name in site.derivations:
        raise ImageUnknown(
            f"images.yaml: {name} is derived, and no bundle brings {wanted_name(site, name)}",
            next_step=f"make it with `python -m flows.bundle download`{_outdated(site, name)}",
        )
    if found is None:
        image = site.images[name]
        raise ImageUnknown(
            f"images.yaml: {name} ({image.name}:{image.tag}) has no digest, and no bundle brings it",
            next_step="write its publisher's digest as `digest`, or bring it with `python -m flows.bundle download`",
        )
    return found


def known_reference(site: Site, bundle: Bundle | None, name: str) -> str | None:
    """Return the same, None where nothing says the digest. Raises `ImageUnknown` where images.yaml has none of it."""
    if name not in site.images:
        raise ImageUnknown(f"images.yaml: no image is called {name}{did_you_mean(name, site.images)}")
    if pushed := pushed_reference(site, name):
        return pushed
    image = site.images[name]
    item = brought(site, bundle, name)
    if item is not None:
        return f"{item.name}:{item.version}@{item.digest}"
    return f"{image.name}:{image.tag}@{image.digest}" if image.digest and name not in site.derivations else None


def pushed_reference(site: Site, name: str) -> str | None:
    """Return what images.yaml says was pushed of a derived image, as long as it was made of today's files."""
    derived, tag = site.images[name].derived, wanted_name(site, name).rpartition(":")[2]
    pushed = derived.pushed if derived else None
    return pushed if pushed and pushed.partition("@")[0].rpartition(":")[2] == tag else None


def _outdated(site: Site, name: str) -> str:
    derived = site.images[name].derived
    pushed = derived.pushed if derived else None
    step = "`python -m flows.bundle push` and the new `pushed` (the one in images.yaml is of other files)"
    return f", then {step}" if pushed else ""


def wanted_name(site: Site, name: str) -> str:
    """Return name and tag of an image of images.yaml as pods would run it: of a derived one, what is made of it."""
    image, derivation = site.images[name], site.derivations.get(name)
    return f"{image.name}:{derivation.tag(image.tag) if derivation else image.tag}"


def brought(site: Site, bundle: Bundle | None, name: str) -> ImageItem | None:
    """Return an image of images.yaml as the bundle has it: of a derived one only what this very lock file makes."""
    image, derivation = site.images.get(name), site.derivations.get(name)
    if image is None:
        return None
    items = [item for item in (bundle.images if bundle else ()) if item.name == image.name]
    if derivation is not None:
        items = [item for item in items if item.version == derivation.tag(image.tag)]
    return items[0] if items else None
