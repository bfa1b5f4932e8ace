"""What the project's own templates say for a site, for judging it before there is a bundle."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from model.errors import SiteError
from model.rollout.graph import active
from model.rollout.preview import Preview, preview
from model.rollout.rendered import RenderedComponent
from model.site.components import Component
from model.site.site import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class Unrendered:
    """A component that cannot be rendered, and why."""

    component: Component
    error: SiteError


def own_objects(site: Site) -> tuple[RenderedComponent, ...]:
    """
    Render every component the site has, without publishers' manifests; images without a digest are marked.

    Nobody may change what is returned. Raises `SiteError` naming the first file that cannot be rendered.
    """
    for part in own_parts(site):
        if isinstance(part, Unrendered):
            raise part.error
    return renderable(site)


def renderable(site: Site) -> tuple[RenderedComponent, ...]:
    """Return the same of those components alone that can be rendered."""
    return tuple(part.rendered for part in own_parts(site) if isinstance(part, Preview))


@lru_cache(maxsize=4)
def own_parts(site: Site) -> tuple[Preview | Unrendered, ...]:
    """Return each component in its order, with what it lacks as long as there is no bundle."""
    return tuple(_part(site, component) for component in active(site))


def _part(site: Site, component: Component) -> Preview | Unrendered:
    try:
        return preview(site, component)
    except SiteError as error:
        return Unrendered(component=component, error=error)
