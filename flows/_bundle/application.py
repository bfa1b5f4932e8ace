"""The application's part of a bundle: the images that the site's components are rendered with, and no others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from flows._run.publish import CONTROLLER
from model.errors import BundleError
from model.report.outcome import Outcome, Status, warn
from model.rollout.image_uses import ImageUses, image_uses
from model.site.derived import Derivation
from model.site.images import ApplicationImage
from model.site.site import Site

IMAGES_FILE = "images.yaml"
_COPY = "copy what is needed from the project's inventory/images.yaml into the site's folder (docs/images.md)"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationPart:
    """Images by name, what is put on some of these, and what a report says of those that are left out."""

    images: Mapping[str, ApplicationImage] = field(default_factory=dict)
    derivations: Mapping[str, Derivation] = field(default_factory=dict)
    outcomes: tuple[Outcome, ...] = ()


def application_part(site: Site | None) -> ApplicationPart:
    """
    Return what a bundle for a site brings of the application; nothing where no site is named.

    Raises `BundleError` where the site uses none of its images.
    """
    if site is None:
        return ApplicationPart()
    if not (site.folder / IMAGES_FILE).exists():
        # Such a site has not chosen any yet.
        words = "left out: the site has no images.yaml of its own, so the bundle has no part for the application"
        return ApplicationPart(outcomes=(Outcome(CONTROLLER, "application", Status.NOT_RUN, words, next=_COPY),))
    uses = image_uses(site)
    if not uses.used:
        rendered = f"its components use {', '.join(uses.unnamed)}" if uses.unnamed else "it renders no component"
        step = _COPY if uses.unnamed else "look at components.yaml, and at the features in site.yaml"
        raise BundleError(f"images.yaml: the site uses no image of it: {rendered}", step)
    return ApplicationPart(
        images={name: image for name, image in site.images.items() if name in uses.used},
        derivations={name: found for name, found in site.derivations.items() if name in uses.used},
        outcomes=tuple(_left_out(site, uses)),
    )


def _left_out(site: Site, uses: ImageUses) -> Iterator[Outcome]:
    for name, why in uses.unused.items():
        image = site.images[name]
        yield Outcome(CONTROLLER, f"image {name}", Status.NOT_RUN, f"{image.name}:{image.tag} left out: {why}")
    for component, error in uses.unrendered.items():
        words = f"cannot be rendered: {error}; brought are all images that its templates name"
        yield warn(
            CONTROLLER, f"component {component}", words, error.next_step or "see what `python -m flows.lint` says"
        )
    if uses.unnamed:
        users = {name: ", ".join(user.name for user in found) for name, found in uses.unnamed.items()}
        words = ", ".join(f"{name} (of {of})" for name, of in users.items())
        yield warn(CONTROLLER, IMAGES_FILE, f"has no image {words}: the bundle does not bring it", _COPY)
