"""Which images of images.yaml a site's components use: a result of rendering them, without a bundle."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from model.bundle.bundle import Bundle
from model.errors import SiteError
from model.rollout.graph import active
from model.rollout.image_references import UNKNOWN_DIGEST
from model.rollout.render import MANIFESTS, component_module, no_upstream, render_component
from model.site.components import Component
from model.site.site import Site

_QUOTED = re.compile(r'"([a-z0-9-]+)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageUses:
    """
    Components by the image they use, an image by its name in images.yaml: `used` of those that the site has, `unused`
    why each other entry is used by none, `unnamed` of those images that images.yaml does not have.

    `unrendered`: components that cannot be rendered, and why; for them count all images that their templates name.
    """

    used: Mapping[str, tuple[Component, ...]]
    unused: Mapping[str, str]
    unnamed: Mapping[str, tuple[Component, ...]]
    unrendered: Mapping[str, SiteError]


def image_uses(site: Site) -> ImageUses:
    """Render every component of a site for the images it asks for."""
    here = active(site)
    errors: dict[str, SiteError] = {}
    asked = _by_image(site, here, errors)
    others = _by_image(site, [component for component in site.components if component not in here], {})
    return ImageUses(
        used={name: users for name, users in asked.items() if name in site.images},
        unused={name: _why(others.get(name, ())) for name in site.images if name not in asked},
        unnamed={name: users for name, users in asked.items() if name not in site.images},
        unrendered=errors,
    )


def _by_image(
    site: Site, components: Iterable[Component], errors: dict[str, SiteError]
) -> dict[str, tuple[Component, ...]]:
    found: dict[str, tuple[Component, ...]] = {}
    for component in components:
        try:
            names = _rendered(site, component)
        except SiteError as error:
            errors[component.name] = error
            names = _written(site, component)
        for name in names:
            found[name] = (*found.get(name, ()), component)
    return found


def _rendered(site: Site, component: Component) -> tuple[str, ...]:
    """Return the names of images that a component asks for, those of its publisher's objects too."""
    asked: dict[str, None] = {}

    def reference(_site: Site, _bundle: Bundle | None, name: str) -> str:
        asked[name] = None
        return f"{name}@{UNKNOWN_DIGEST}"

    render_component(site, component.model_copy(update={"upstream": None}), None, no_upstream, reference)
    return tuple(dict.fromkeys((*asked, *_of_publisher(component))))


def _written(site: Site, component: Component) -> tuple[str, ...]:
    """Return the names of images that stand in a component's templates."""
    texts = [path.read_text("utf-8") for path in sorted((MANIFESTS / component.name).glob("*.j2"))]
    words = [word for text in texts for word in _QUOTED.findall(text) if word in site.images]
    return tuple(dict.fromkeys((*words, *_of_publisher(component))))


def _of_publisher(component: Component) -> tuple[str, ...]:
    module = component_module(component.name) if component.upstream else None
    return tuple(getattr(module, "IMAGES", ()))


def _why(users: tuple[Component, ...]) -> str:
    if not users:
        return "no component uses it"
    words = (f"{user.name}, which the site does not have (it needs: {', '.join(user.when)})" for user in users)
    return f"only for {'; '.join(words)}"
