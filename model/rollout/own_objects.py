"""What the project's own templates say for a site, for judging it before there is a bundle."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from model.rollout.graph import active
from model.rollout.render import render_component
from model.rollout.rendered import RenderedComponent
from model.site.site import Site

_NO_DIGEST = "sha256:" + "0" * 64


@lru_cache(maxsize=4)
def own_objects(site: Site) -> tuple[RenderedComponent, ...]:
    """
    Render every component the site has, without publishers' manifests; images have digests of zeros where nothing says
    the real one. Nobody may change what is returned. Raises `SiteError` naming the file that cannot be rendered.
    """
    images = {
        name: image if image.digest else image.model_copy(update={"digest": _NO_DIGEST})
        for name, image in site.images.items()
    }
    judged = replace(site, application=replace(site.application, images=images))
    own = (component.model_copy(update={"upstream": None}) for component in active(site))
    return tuple(render_component(judged, component) for component in own)
